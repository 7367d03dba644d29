#include "formats/gguf_names.h"

#include "base/strings.h"

namespace jevons {
namespace {

struct Pair {
  std::string_view hf, gguf;
};

constexpr Pair kModel[] = {
    {"model.embed_tokens.weight", "token_embd.weight"},
    {"model.norm.weight", "output_norm.weight"},
    {"lm_head.weight", "output.weight"},
};

// What follows "model.layers.N." and "blk.N.".
constexpr Pair kLayer[] = {
    {"input_layernorm.weight", "attn_norm.weight"},
    {"post_attention_layernorm.weight", "ffn_norm.weight"},
    {"self_attn.q_proj.weight", "attn_q.weight"},
    {"self_attn.k_proj.weight", "attn_k.weight"},
    {"self_attn.v_proj.weight", "attn_v.weight"},
    {"self_attn.o_proj.weight", "attn_output.weight"},
    {"self_attn.q_proj.bias", "attn_q.bias"},
    {"self_attn.k_proj.bias", "attn_k.bias"},
    {"self_attn.v_proj.bias", "attn_v.bias"},
    {"self_attn.q_norm.weight", "attn_q_norm.weight"},
    {"self_attn.k_norm.weight", "attn_k_norm.weight"},
    {"self_attn.q_a_proj.weight", "attn_q_a.weight"},
    {"self_attn.q_a_layernorm.weight", "attn_q_a_norm.weight"},
    {"self_attn.q_b_proj.weight", "attn_q_b.weight"},
    {"self_attn.kv_a_proj_with_mqa.weight", "attn_kv_a_mqa.weight"},
    {"self_attn.kv_a_layernorm.weight", "attn_kv_a_norm.weight"},
    {"self_attn.kv_b_proj.weight", "attn_kv_b.weight"},
    {"self_attn.k_b_proj.weight", "attn_k_b.weight"},  // kv_b_proj split by head, keys transposed: GGUF only
    {"self_attn.v_b_proj.weight", "attn_v_b.weight"},
    {"mlp.gate_proj.weight", "ffn_gate.weight"},
    {"mlp.up_proj.weight", "ffn_up.weight"},
    {"mlp.down_proj.weight", "ffn_down.weight"},
    {"mlp.gate.weight", "ffn_gate_inp.weight"},
    {"mlp.gate.e_score_correction_bias", "exp_probs_b.bias"},
    {"mlp.experts.gate_proj.weight", "ffn_gate_exps.weight"},
    {"mlp.experts.up_proj.weight", "ffn_up_exps.weight"},
    {"mlp.experts.down_proj.weight", "ffn_down_exps.weight"},
    {"mlp.shared_experts.gate_proj.weight", "ffn_gate_shexp.weight"},
    {"mlp.shared_experts.up_proj.weight", "ffn_up_shexp.weight"},
    {"mlp.shared_experts.down_proj.weight", "ffn_down_shexp.weight"},
    {"eh_proj.weight", "nextn.eh_proj.weight"},
    {"enorm.weight", "nextn.enorm.weight"},
    {"hnorm.weight", "nextn.hnorm.weight"},
    {"embed_tokens.weight", "nextn.embed_tokens.weight"},
    {"shared_head.norm.weight", "nextn.shared_head_norm.weight"},
    {"shared_head.head.weight", "nextn.shared_head_head.weight"},
};

constexpr Pair kArchitectures[] = {{"llama", "llama"},           {"qwen2", "qwen2"},
                                   {"qwen3", "qwen3"},           {"qwen3_moe", "qwen3moe"},
                                   {"deepseek_v2", "deepseek2"}, {"deepseek_v3", "deepseek2"}};

// Translates with the columns `from` and `to` of the tables.
std::optional<std::string> translate(std::string_view name, std::string_view Pair::*from, std::string_view Pair::*to,
                                     std::string_view prefix_from, std::string_view prefix_to) {
  for (const Pair& pair : kModel)
    if (pair.*from == name) return std::string(pair.*to);
  if (name.substr(0, prefix_from.size()) != prefix_from) return std::nullopt;
  name.remove_prefix(prefix_from.size());
  const size_t dot = name.find('.');
  if (dot == std::string_view::npos || dot == 0 ||
      name.substr(0, dot).find_first_not_of("0123456789") != std::string_view::npos)
    return std::nullopt;
  for (const Pair& pair : kLayer)
    if (pair.*from == name.substr(dot + 1)) return cat(prefix_to, name.substr(0, dot + 1), pair.*to);
  return std::nullopt;
}

}  // namespace

std::optional<std::string> gguf_name(std::string_view hf_name) {
  return translate(hf_name, &Pair::hf, &Pair::gguf, "model.layers.", "blk.");
}

std::optional<std::string> hf_name(std::string_view gguf_name) {
  return translate(gguf_name, &Pair::gguf, &Pair::hf, "blk.", "model.layers.");
}

std::string_view gguf_architecture(std::string_view model_type) {
  for (const Pair& pair : kArchitectures)
    if (pair.hf == model_type) return pair.gguf;
  return {};
}

bool gguf_interleaves_rope(std::string_view arch) { return arch == "llama"; }

}  // namespace jevons
