#include "models/quant_recipe.h"

#include <charconv>

#include "base/strings.h"

namespace jevons {
namespace {

constexpr QuantRecipe kRecipes[] = {
    {"f32", Pack::f32, 0, false},     {"f16", Pack::f16, 1, false},     {"bf16", Pack::bf16, 32, false},
    {"q8_0", Pack::q8_0, 7, false},   {"q4_0", Pack::q4_0, 2, false},   {"q6_k", Pack::q6_k, 18, false},
    {"q4_k_m", Pack::q4_k, 15, true}, {"q5_k_m", Pack::q5_k, 17, true},
};

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }
bool dense(Pack pack) { return pack == Pack::f32 || pack == Pack::f16 || pack == Pack::bf16; }

// Never quantised, as the peers' loaders expect.
bool stays_f32(std::string_view name, const std::vector<int64_t>& shape) {
  return shape.size() < 2 || !name.ends_with(".weight") || name.ends_with("_norm.weight") ||
         name.ends_with("ffn_gate_inp.weight");
}

// The layers whose attn_v and ffn_down matter most: the first and last eighth, and every third between.
bool more_bits(int64_t layer, int64_t layers) {
  const int64_t eighth = layers / 8;
  return layer < eighth || layer >= 7 * layers / 8 || (layer - eighth) % 3 == 2;
}

int64_t layer_of(std::string_view name) {
  int64_t layer = 0;
  if (name.starts_with("blk.")) std::from_chars(name.data() + 4, name.data() + name.size(), layer);
  return layer;
}

Pack wanted(const QuantRecipe& recipe, const QuantFacts& facts, std::string_view name) {
  if (name == "output.weight" || (!facts.has_output && name == "token_embd.weight"))
    return recipe.base == Pack::q8_0 ? Pack::q8_0 : Pack::q6_k;
  const int64_t layer = layer_of(name);
  if (contains(name, "attn_v.weight")) {
    if (recipe.mixed && more_bits(layer, facts.layers)) return Pack::q6_k;
    if (recipe.mixed && facts.query_heads_per_kv >= 4) return recipe.base == Pack::q4_k ? Pack::q5_k : Pack::q6_k;
  } else if (contains(name, "attn_k")) {
    if (facts.experts >= 4) return Pack::q8_0;
  } else if (contains(name, "ffn_down")) {
    if (recipe.mixed && more_bits(layer, facts.layers)) return Pack::q6_k;
  } else if (contains(name, "attn_output.weight")) {
    if (facts.experts >= 4 && recipe.mixed && recipe.base == Pack::q4_k) return Pack::q5_k;
  }
  return recipe.base;
}

Pack fitting(Pack pack, int64_t cols) {
  if (cols % pack_info(pack).block_values == 0) return pack;
  if (cols % 32 != 0) return Pack::f16;
  return pack == Pack::q4_k ? Pack::q5_0 : pack == Pack::q5_k ? Pack::q5_1 : Pack::q8_0;
}

}  // namespace

Result<QuantRecipe> quant_recipe(std::string_view name) {
  std::string known;
  for (const QuantRecipe& recipe : kRecipes) {
    if (recipe.name == name) return recipe;
    known += cat(known.empty() ? "" : ", ", recipe.name);
  }
  return Error(Code::usage, cat("the type ", quote(name), " is unknown; choose one of ", known));
}

Pack choose_pack(const QuantRecipe& recipe, const QuantFacts& facts, std::string_view gguf_name,
                 const std::vector<int64_t>& shape) {
  if (stays_f32(gguf_name, shape)) return Pack::f32;
  if (dense(recipe.base)) return recipe.base;
  return fitting(wanted(recipe, facts, gguf_name), shape.back());
}

}  // namespace jevons
