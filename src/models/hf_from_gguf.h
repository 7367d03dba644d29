// A GGUF as the Hugging Face folder of the same model: published names, row order and files.
#pragma once
#include <vector>

#include "base/json.h"
#include "models/checkpoint.h"
#include "models/tensor_source.h"

namespace jevons {

// Experts one by one, q and k in published rotary order, kv_b_proj joined from its halves where the file splits it.
Result<std::vector<TensorSource>> hf_tensors(const Checkpoint& checkpoint);

// config.json. `torch_dtype`: the type of the written tensors. Llama 3's rope scaling is recognised from
// rope_freqs.weight.
Result<Json> hf_config(const Checkpoint& checkpoint, std::string_view torch_dtype);

// tokenizer.json, tokenizer_config.json and generation_config.json from tokenizer.ggml.*.
struct HfTokenizer {
  Json tokenizer, tokenizer_config, generation_config;
};
Result<HfTokenizer> hf_tokenizer(const Gguf& gguf);

}  // namespace jevons
