#include "formats/gguf_config.h"

#include <algorithm>

#include "base/strings.h"
#include "formats/gguf_names.h"

namespace jevons {
namespace {

class Reader {
 public:
  explicit Reader(const Gguf& gguf) : gguf_(gguf), arch_(gguf.architecture().value()) {}
  const std::string& arch() const { return arch_; }
  std::string key(std::string_view name) const { return cat(arch_, ".", name); }
  // Sizes and counts: 0 to 2^40.
  std::optional<int64_t> integer(std::string_view name) const {
    const auto value = gguf_.integer(key(name));
    if (value && (*value < 0 || *value > int64_t{1} << 40))
      throw Error(Code::invalid, cat("the metadata ", key(name), " is ", *value, ", expected 0 to 2^40"));
    return value;
  }
  std::optional<double> number(std::string_view name) const { return gguf_.number(key(name)); }
  int64_t need(std::string_view name) const {
    if (const auto value = integer(name)) return *value;
    throw Error(Code::invalid, cat("the metadata ", key(name), " is missing"));
  }
  int64_t dim(const char* tensor, size_t axis) const {
    const TensorEntry* found = gguf_.find_tensor(tensor);
    if (!found || found->shape.size() <= axis) throw Error(Code::invalid, cat("the tensor ", tensor, " is missing"));
    return found->shape[axis];
  }
  const Gguf& gguf() const { return gguf_; }

 private:
  const Gguf& gguf_;
  std::string arch_;
};

// Metadata with an effect that is not implemented: present and not neutral, it is refused by name.
void refuse_effects(const Reader& in) {
  const auto only = [&](const char* name, double neutral) {
    const Gguf::Value* value = in.gguf().find(in.key(name));
    if (!value) return;
    const auto* flag = std::get_if<bool>(value);
    if (const double found = flag ? *flag : in.number(name).value_or(neutral); !(found == neutral))
      throw Error(Code::unsupported,
                  cat("the metadata ", in.key(name), " has the value ", found, "; only ", neutral, " is implemented"));
  };
  for (const char* name : {"attention.sliding_window", "attn_logit_softcapping", "final_logit_softcapping",
                           "attention.max_alibi_bias", "attention.clamp_kqv", "use_parallel_residual"})
    only(name, 0);
  for (const char* name : {"attention.causal", "logit_scale", "residual_scale", "embedding_scale", "rope.scale_linear",
                           "rope.scaling.attn_factor"})
    only(name, 1);
}

// Grouped-query attention turns and multiplies whole heads.
void check_heads(const Reader& in, int64_t width) {
  for (const char* name : {"rope.dimension_count", "attention.key_length", "attention.value_length"})
    if (const auto value = in.integer(name); value && *value != width)
      throw Error(Code::unsupported, cat("the metadata ", in.key(name), " is ", *value, " with heads of ", width,
                                         " numbers; only equal widths are implemented"));
}

// A 32-bit float that stands for a short decimal (1e-05) is given back as that decimal.
double decimal(double value) {
  std::string text;
  append(text, static_cast<float>(value));
  return std::stod(text);
}

void add_rope(const Reader& in, Json& config) {
  config["rope_theta"] = in.number("rope.freq_base").value_or(10000);
  const auto type = in.gguf().text(in.key("rope.scaling.type"));
  if (!type || *type == "none") return;
  Json scaling = Json::object();
  scaling["rope_type"] = *type;
  scaling["factor"] = in.number("rope.scaling.factor").value_or(1);
  if (const auto length = in.integer("rope.scaling.original_context_length"))
    scaling["original_max_position_embeddings"] = *length;
  if (*type == "yarn") {
    scaling["beta_fast"] = in.number("rope.scaling.yarn_beta_fast").value_or(32);
    scaling["beta_slow"] = in.number("rope.scaling.yarn_beta_slow").value_or(1);
    if (const auto log = in.number("rope.scaling.yarn_log_multiplier"))
      scaling["mscale"] = scaling["mscale_all_dim"] = decimal(decimal(*log) * 10);
  }
  config["rope_scaling"] = scaling;
}

void add_experts(const Reader& in, Json& config) {
  const auto experts = in.integer("expert_count");
  if (!experts || *experts == 0) return;
  config[in.arch() == "deepseek2" ? "n_routed_experts" : "num_experts"] = *experts;
  config["num_experts_per_tok"] = in.need("expert_used_count");
  config["moe_intermediate_size"] = in.need("expert_feed_forward_length");
}

void add_deepseek(const Reader& in, Json& config) {
  if (const auto rank = in.integer("attention.q_lora_rank"); rank && *rank > 0) config["q_lora_rank"] = *rank;
  const int64_t rope_dim = in.need("rope.dimension_count");
  const auto key_mla = in.integer("attention.key_length_mla"), value_mla = in.integer("attention.value_length_mla");
  config["kv_lora_rank"] = in.need("attention.kv_lora_rank");
  config["qk_rope_head_dim"] = rope_dim;
  config["qk_nope_head_dim"] = (key_mla ? *key_mla : in.need("attention.key_length")) - rope_dim;
  config["v_head_dim"] = value_mla ? *value_mla : in.need("attention.value_length");
  config["num_key_value_heads"] = in.need("attention.head_count");
  config["first_k_dense_replace"] = in.integer("leading_dense_block_count").value_or(0);
  config["n_shared_experts"] = in.integer("expert_shared_count").value_or(0);
  config["routed_scaling_factor"] = decimal(in.number("expert_weights_scale").value_or(1));
  config["norm_topk_prob"] = in.gguf().boolean(in.key("expert_weights_norm")).value_or(false);
  const int64_t gating = in.integer("expert_gating_func").value_or(1);
  if (gating > 2)
    throw Error(Code::unsupported, cat("the metadata ", in.key("expert_gating_func"), " is ", gating,
                                       "; implemented are 1 (softmax) and 2 (sigmoid)"));
  const bool sigmoid = gating == 2;
  config["model_type"] = sigmoid ? "deepseek_v3" : "deepseek_v2";
  config["scoring_func"] = sigmoid ? "sigmoid" : "softmax";
  const int64_t experts = in.integer("expert_count").value_or(0);
  int64_t groups = in.integer("expert_group_count").value_or(0),
          top = in.integer("expert_group_used_count").value_or(0);
  if (groups == 0 && experts == 256 && sigmoid) groups = 8, top = 4;   // V3, R1
  if (groups == 0 && experts == 160 && !sigmoid) groups = 8, top = 3;  // V2
  if (groups > 1) config["n_group"] = groups, config["topk_group"] = top;
  config["topk_method"] = sigmoid ? "noaux_tc" : groups > 1 ? "group_limited_greedy" : "greedy";
  if (const auto layers = in.integer("nextn_predict_layers"); layers && *layers > 0) {
    config["num_nextn_predict_layers"] = *layers;
    config["num_hidden_layers"] = in.need("block_count") - *layers;  // below 1: refused with the config
  }
}

Json build(const Gguf& gguf) {
  const Reader in(gguf);
  Json config = Json::object();
  std::string_view model_type;
  for (const char* type : {"llama", "qwen2", "qwen3", "qwen3_moe", "deepseek_v2"})
    if (gguf_architecture(type) == in.arch()) model_type = type;
  if (model_type.empty())
    throw Error(Code::unsupported,
                cat("general.architecture ", quote(in.arch()),
                    " is not implemented; this program knows llama, qwen2, qwen3, qwen3moe and deepseek2"));
  config["model_type"] = model_type;
  config["vocab_size"] = in.dim("token_embd.weight", 0);
  config["hidden_size"] = in.need("embedding_length");
  config["num_hidden_layers"] = in.need("block_count");
  if (const auto inner = in.integer("feed_forward_length"); inner && *inner > 0) config["intermediate_size"] = *inner;
  config["num_attention_heads"] = in.need("attention.head_count");
  config["num_key_value_heads"] = in.integer("attention.head_count_kv").value_or(in.need("attention.head_count"));
  config["rms_norm_eps"] = decimal(in.number("attention.layer_norm_rms_epsilon").value_or(1e-6));
  config["max_position_embeddings"] = in.need("context_length");
  config["tie_word_embeddings"] = gguf.find_tensor("output.weight") == nullptr;
  if (const auto eos = gguf.integer("tokenizer.ggml.eos_token_id")) config["eos_token_id"] = *eos;
  if (const auto eot = gguf.integer("tokenizer.ggml.eot_token_id"); eot && config.find("eos_token_id"))
    config["eos_token_id"] = Json(Json::Array{config.at("eos_token_id"), *eot});
  refuse_effects(in);
  if (in.arch() != "deepseek2") {
    const int64_t heads = std::max<int64_t>(1, in.need("attention.head_count"));
    const int64_t width = in.integer("attention.key_length").value_or(in.need("embedding_length") / heads);
    check_heads(in, width);
    config["head_dim"] = width;
  }
  add_rope(in, config);
  add_experts(in, config);
  if (in.arch() == "deepseek2") add_deepseek(in, config);
  if (in.arch() == "qwen3moe") config["norm_topk_prob"] = true;  // the family's published value; GGUF does not say
  config["jevons_rope_interleaved"] = gguf_interleaves_rope(in.arch()) || in.arch() == "deepseek2";
  return config;
}

}  // namespace

Result<Json> config_from_gguf(const Gguf& gguf) {
  try {
    return build(gguf);
  } catch (const Error& e) {
    return e;
  }
}

}  // namespace jevons
