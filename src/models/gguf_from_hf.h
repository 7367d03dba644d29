// A Hugging Face checkpoint as the GGUF that llama.cpp's converter would make of it: names, row order, stacked experts
// and metadata. What GGUF has no field for and would change the results is refused by name.
#pragma once
#include <vector>

#include "formats/gguf_write.h"
#include "models/checkpoint.h"
#include "models/config.h"
#include "models/tensor_source.h"

namespace jevons {

// The tensors in writing order: embedding, layers, norm and head. kv_b_proj stays one matrix (attn_kv_b). Prediction
// (MTP) layers are left out with a note: no GGUF reader of the peers takes them for these architectures.
Result<std::vector<TensorSource>> gguf_tensors(const Checkpoint& checkpoint, const Config& config);

// general.* and the architecture's sizes, rope scaling, experts.
Status put_gguf_config(GgufWriter& writer, const Config& config, const std::string& name);

// tokenizer.ggml.*: tokens, types, merges, special ids, chat template. The family (tokenizer.ggml.pre) is the one whose
// reading of the written vocabulary gives the ids of tokenizer.json on a probe text of all scripts, digits,
// contractions and spaces; none: an error. Without tokenizer.json the file says "no_vocab".
Status put_gguf_tokenizer(GgufWriter& writer, const Checkpoint& checkpoint, const Config& config);

}  // namespace jevons
