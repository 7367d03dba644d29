// Which tensor of a GGUF gets which type. The named mixes are those that llama.cpp and ik_llama.cpp write under the
// same names, so that a file's name says the same thing wherever it was made. See docs/quantize.md.
//
//   f32, f16, bf16   every matrix in that type
//   q8_0             every matrix q8_0
//   q4_0, q6_k       every matrix in that type, the output head q6_k
//   q4_k_m, q5_k_m   q4_k (q5_k); the head q6_k; attn_v and ffn_down q6_k in the first and last eighth of the layers
//   and in
//                    every third between. Elsewhere attn_v gets one step more where four or more query heads share it.
//                    With four or more experts attn_k* is q8_0 and, in q4_k_m, attn_output q5_k.
//   always           norms, biases, one-dimensional tensors and routers f32; without an output head of its own the
//                    embedding is the head; rows that are not whole blocks get the next wider type that fits
//                    (q4_k -> q5_0, q5_k -> q5_1, q6_k -> q8_0, then f16).
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "tensor/dtype.h"

namespace jevons {

struct QuantRecipe {
  std::string_view name;
  Pack base;
  int gguf_file_type;  // general.file_type (llama.cpp's llama_ftype)
  bool mixed;          // the _m mixes
};
Result<QuantRecipe> quant_recipe(std::string_view name);

// What the choice depends on besides the tensor.
struct QuantFacts {
  int64_t layers = 0, experts = 0;
  int64_t query_heads_per_kv = 1;
  bool has_output = true;
};

Pack choose_pack(const QuantRecipe& recipe, const QuantFacts& facts, std::string_view gguf_name,
                 const std::vector<int64_t>& shape);

}  // namespace jevons
