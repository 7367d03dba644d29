// Brings a checkpoint into the other form: a GGUF into a Hugging Face folder (config.json, model.safetensors,
// tokenizer.json, tokenizer_config.json, generation_config.json), a folder into a GGUF that is not quantised.
//
// type: f32, f16, bf16, or empty for "nothing is rounded": plain tensors keep their type, quantised and FP8 ones become
// f32 (a GGUF made of a folder has one type for all matrices: that of most of them, bf16 for FP8, whose values bf16
// rounds). A folder that is converted to GGUF and back in f32 or bf16 has the same tensors again, bit for bit;
// prediction layers and FP8 excepted.
#pragma once
#include <filesystem>
#include <string_view>

#include "base/error.h"
#include "base/thread_pool.h"
#include "formats/safetensors_write.h"

namespace jevons {

struct ConvertReport {
  int64_t tensors = 0;
  uint64_t bytes = 0;
};

// `out` ends in .gguf: a GGUF is written; else a folder, which may exist if it holds no model yet, with files of at
// most `max_shard_bytes` of data (a larger tensor has a file to itself). After an error or an interrupt (thrown) there
// is no output; a folder that was there before may keep other files of this model, but no config.json.
Result<ConvertReport> convert(const std::filesystem::path& in, const std::filesystem::path& out, std::string_view type,
                              Exec& exec, uint64_t max_shard_bytes = SafetensorsWriter::kMaxShardBytes);

}  // namespace jevons
