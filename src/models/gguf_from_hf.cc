#include "models/gguf_from_hf.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "base/progress.h"
#include "base/strings.h"
#include "formats/gguf_names.h"
#include "nn/rope.h"

namespace jevons {
namespace {

constexpr std::string_view kLayers = "model.layers.", kExperts = ".mlp.experts.";

std::optional<int64_t> leading_number(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end == text.data() + text.size() || *end != '.') return std::nullopt;
  return value;
}

std::optional<int64_t> layer_of(std::string_view name) {
  return name.starts_with(kLayers) ? leading_number(name.substr(kLayers.size())) : std::nullopt;
}

struct ExpertName {
  std::string stack;  // the name without the expert's number
  int64_t expert;
};
std::optional<ExpertName> expert_of(const std::string& name) {
  const size_t at = name.find(kExperts);
  if (at == std::string::npos) return std::nullopt;
  const size_t begin = at + kExperts.size();
  const auto expert = leading_number(std::string_view(name).substr(begin));
  if (!expert) return std::nullopt;
  return ExpertName{name.substr(0, begin) + name.substr(name.find('.', begin) + 1), *expert};
}

// Tensors that a checkpoint may hold and no computation uses.
bool without_effect(std::string_view name, const Config& config) {
  return name.ends_with("_scale_inv") || name.ends_with("rotary_emb.inv_freq") ||
         (config.tie_word_embeddings && name == "lm_head.weight");
}

Status add_expert(const ExpertName& name, TensorSource source, const Config& config,
                  std::map<std::string, TensorSource>& stacks) {
  if (name.expert < 0 || name.expert >= config.n_routed_experts)
    return Error(Code::invalid, cat("belongs to expert ", name.expert, ", the config has ", config.n_routed_experts));
  TensorSource& stack = stacks[name.stack];
  if (stack.pieces.empty()) {
    stack.shape = source.shape;
    stack.shape.insert(stack.shape.begin(), config.n_routed_experts);
    stack.pieces.resize(static_cast<size_t>(config.n_routed_experts), {nullptr});
  }
  if (!std::equal(source.shape.begin(), source.shape.end(), stack.shape.begin() + 1, stack.shape.end()))
    return Error(Code::invalid, "has another shape than the experts before it");
  stack.pieces[static_cast<size_t>(name.expert)] = source.pieces[0];
  return {};
}

Status finish_stacks(std::map<std::string, TensorSource>& stacks, std::vector<TensorSource>& out) {
  for (auto& [name, stack] : stacks) {
    for (size_t e = 0; e < stack.pieces.size(); ++e)
      if (!stack.pieces[e].entry)
        return Error(Code::invalid, cat("the checkpoint lacks expert ", e, " of ", quote(name, 120)));
    const auto written = gguf_name(name);
    if (!written) return Error(Code::unsupported, cat("the tensor ", quote(name, 120), " has no GGUF name"));
    stack.name = *written;
    out.push_back(std::move(stack));
  }
  return {};
}

// GGUF's llama family keeps q and k in interleaved rotary order.
void set_order(TensorSource& source, const std::string& hf, const Config& config) {
  if (!gguf_interleaves_rope(gguf_architecture(config.model_type))) return;
  const bool q = hf.find("self_attn.q_proj.") != std::string::npos,
             k = hf.find("self_attn.k_proj.") != std::string::npos;
  if (!q && !k) return;
  source.order = TensorSource::Order::interleave;
  source.heads = q ? config.num_attention_heads : config.num_key_value_heads;
}

// The divisors of the rotary frequencies, for llama3 scaling.
TensorSource rope_factors(const Config& config) {
  RopeConfig plain;
  plain.theta = config.rope.theta;
  const auto base = make_rope(plain, config.rope_dim(), false).inv_freq;
  const auto scaled = make_rope(config.rope, config.rope_dim(), false).inv_freq;
  TensorSource source;
  source.name = "rope_freqs.weight";
  source.shape = {static_cast<int64_t>(base.size())};
  for (size_t i = 0; i < base.size(); ++i) source.values.push_back(static_cast<float>(base[i] / scaled[i]));
  return source;
}

// Embedding first, then layer by layer, then norm and head.
int64_t place(std::string_view name) {
  if (name == "token_embd.weight") return -2;
  if (name == "rope_freqs.weight") return -1;
  if (!name.starts_with("blk.")) return int64_t{1} << 40;
  return leading_number(name.substr(4)).value_or(0);
}

Status refuse(std::string_view field, std::string_view value) {
  return Error(Code::unsupported,
               cat("config.json: ", field, " = ", value, " changes the results and GGUF has no field for it"));
}

Status check_sayable(const Config& c) {
  if (c.rope.attention_factor != 0) return refuse("rope_scaling.attention_factor", fixed(c.rope.attention_factor, 4));
  if (c.latent() && c.rope.type == "yarn" && c.rope.mscale != c.rope.mscale_all_dim)
    return refuse("rope_scaling.mscale", cat(c.rope.mscale, " beside mscale_all_dim ", c.rope.mscale_all_dim));
  if (c.latent() && !c.rope.interleaved) return refuse("rope_interleave", "false");
  if (c.moe_layer_freq != 1) return refuse("moe_layer_freq", cat(c.moe_layer_freq));
  if (!c.mlp_only_layers.empty()) return refuse("mlp_only_layers", "[...]");
  if (c.model_type == "qwen3_moe" && !c.norm_topk_prob) return refuse("norm_topk_prob", "false");
  if (c.latent() && c.n_routed_experts > 0 && (c.scoring_func == "sigmoid") != (c.topk_method == "noaux_tc"))
    return refuse("topk_method", cat(c.topk_method, " beside scoring_func ", c.scoring_func));
  return {};
}

void put_rope(GgufWriter& w, const std::string& arch, const Config& c) {
  w.put_f32(arch + ".rope.freq_base", c.rope.theta);
  w.put_u32(arch + ".rope.dimension_count", c.rope_dim());
  if (c.rope.type != "linear" && c.rope.type != "yarn") return;  // llama3 is the tensor rope_freqs
  w.put_text(arch + ".rope.scaling.type", c.rope.type);
  w.put_f32(arch + ".rope.scaling.factor", c.rope.factor);
  if (c.rope.type != "yarn") return;
  w.put_u32(arch + ".rope.scaling.original_context_length", c.rope.original_max_position_embeddings);
  if (c.rope.beta_fast != 32) w.put_f32(arch + ".rope.scaling.yarn_beta_fast", c.rope.beta_fast);
  if (c.rope.beta_slow != 1) w.put_f32(arch + ".rope.scaling.yarn_beta_slow", c.rope.beta_slow);
  if (c.latent()) w.put_f32(arch + ".rope.scaling.yarn_log_multiplier", 0.1 * c.rope.mscale_all_dim);
}

void put_experts(GgufWriter& w, const std::string& arch, const Config& c) {
  w.put_u32(arch + ".expert_count", c.n_routed_experts);
  w.put_u32(arch + ".expert_used_count", c.num_experts_per_tok);
  w.put_u32(arch + ".expert_feed_forward_length", c.moe_intermediate_size);
  if (!c.latent()) return;
  w.put_u32(arch + ".expert_shared_count", c.n_shared_experts);
  w.put_f32(arch + ".expert_weights_scale", c.routed_scaling_factor);
  w.put_bool(arch + ".expert_weights_norm", c.norm_topk_prob);
  w.put_u32(arch + ".expert_gating_func", c.scoring_func == "sigmoid" ? 2 : 1);
  if (c.n_group > 1) {
    w.put_u32(arch + ".expert_group_count", c.n_group);
    w.put_u32(arch + ".expert_group_used_count", c.topk_group);
  }
}

void put_attention(GgufWriter& w, const std::string& arch, const Config& c) {
  w.put_u32(arch + ".attention.head_count", c.num_attention_heads);
  w.put_u32(arch + ".attention.head_count_kv", c.latent() ? c.num_attention_heads : c.num_key_value_heads);
  w.put_f32(arch + ".attention.layer_norm_rms_epsilon", c.rms_norm_eps);
  w.put_u32(arch + ".attention.key_length", c.head_dim);
  w.put_u32(arch + ".attention.value_length", c.latent() ? c.v_head_dim : c.head_dim);
  if (!c.latent()) return;
  if (c.q_lora_rank > 0) w.put_u32(arch + ".attention.q_lora_rank", c.q_lora_rank);
  w.put_u32(arch + ".attention.kv_lora_rank", c.kv_lora_rank);
  w.put_u32(arch + ".leading_dense_block_count", c.first_k_dense_replace);
}

}  // namespace

Result<std::vector<TensorSource>> gguf_tensors(const Checkpoint& checkpoint, const Config& config) {
  std::vector<TensorSource> out;
  std::map<std::string, TensorSource> stacks;
  bool prediction = false;
  for (const TensorEntry& entry : checkpoint.tensors()) {
    if (without_effect(entry.name, config)) continue;
    if (const auto layer = layer_of(entry.name); layer && *layer >= config.num_hidden_layers) {
      prediction = true;
      continue;
    }
    const auto expert = expert_of(entry.name);
    const auto name = expert ? expert->stack : gguf_name(entry.name);
    if (!name) return Error(Code::unsupported, cat("the tensor ", quote(entry.name, 120), " has no GGUF name"));
    Result<TensorSource> source = whole_tensor(*name, entry, checkpoint.find_stored(entry.name + "_scale_inv"));
    if (!source.ok()) return source.error();
    if (expert) {
      if (const Status added = add_expert(*expert, *std::move(source), config, stacks); !added.ok())
        return added.error().within(cat("the tensor ", quote(entry.name, 120)));
      continue;
    }
    set_order(*source, entry.name, config);
    if (source->heads > 0 && source->rows() % (2 * source->heads) != 0 && entry.shape.size() > 1)
      return Error(Code::invalid, cat("the tensor ", quote(entry.name, 120), " has ", source->rows(), " rows, which ",
                                      source->heads, " heads of even width cannot share"));
    out.push_back(*std::move(source));
  }
  JEVONS_TRY_STATUS(finish_stacks(stacks, out));
  if (config.rope.type == "llama3") out.push_back(rope_factors(config));
  std::stable_sort(out.begin(), out.end(), [](auto& a, auto& b) { return place(a.name) < place(b.name); });
  if (prediction) note("the prediction (MTP) layers are left out: GGUF readers take none for this architecture");
  return out;
}

Status put_gguf_config(GgufWriter& w, const Config& c, const std::string& name) {
  JEVONS_TRY_STATUS(check_sayable(c));
  const std::string arch(gguf_architecture(c.model_type));
  if (arch.empty())
    return Error(Code::unsupported, cat("GGUF has no architecture for model_type ", quote(c.model_type)));
  w.put_text("general.architecture", arch);
  w.put_text("general.type", "model");
  w.put_text("general.name", name);
  w.put_u32(arch + ".block_count", c.num_hidden_layers);
  w.put_u32(arch + ".context_length", c.max_position_embeddings);
  w.put_u32(arch + ".embedding_length", c.hidden_size);
  w.put_u32(arch + ".feed_forward_length", c.intermediate_size);
  w.put_u32(arch + ".vocab_size", c.vocab_size);
  put_attention(w, arch, c);
  put_rope(w, arch, c);
  if (c.n_routed_experts > 0) put_experts(w, arch, c);
  return {};
}

}  // namespace jevons
