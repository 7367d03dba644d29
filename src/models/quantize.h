// Writes a GGUF file of a checkpoint (a Hugging Face folder or a GGUF) in a given type: q8_0, q4_0, q6_k, q4_k_m,
// q5_k_m, or unquantised f32, f16, bf16 (quant_recipe.h). llama.cpp and ik_llama.cpp load the result.
//
// Tensors go through one by one, a few megabytes at a time; pages of the source are given back. The file appears under
// its name only when it is complete. The bytes are a function of input and type, not of the thread count.
#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/thread_pool.h"
#include "models/write_tensors.h"

namespace jevons {

struct QuantizeReport {
  int64_t tensors = 0;
  uint64_t bytes = 0;                        // of the written file's tensors
  std::map<std::string, PackError> by_pack;  // matrices only, by the stored type's name
  double relative_rmse = 0;                  // over all matrices
};

// Refuses: unknown types; NaN, infinities and magnitudes beyond quantize_limit(), naming tensor and row; a disk that is
// too full, with both numbers; an architecture or field that GGUF cannot say.
Result<QuantizeReport> quantize(const std::filesystem::path& in, const std::filesystem::path& out,
                                std::string_view type, Exec& exec);

}  // namespace jevons
