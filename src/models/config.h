// Config: the facts of a checkpoint's config.json that change what is computed, with the published field names.
//
// A family (llama, qwen2, qwen3, deepseek: one file each) says which fields it has and which values it implements; a
// value with an effect that is not implemented is refused by name, an unknown field is reported.
#pragma once
#include <string>
#include <vector>

#include "base/json.h"
#include "nn/rope.h"

namespace jevons {

struct Config {
  std::string model_type;
  int64_t vocab_size = 0, hidden_size = 0, num_hidden_layers = 0, intermediate_size = 0;
  int64_t num_attention_heads = 0, num_key_value_heads = 0, head_dim = 0;
  double rms_norm_eps = 1e-6;
  bool tie_word_embeddings = false;
  int64_t max_position_embeddings = 0;
  RopeConfig rope;
  bool attention_bias = false, qk_norm = false;

  // Multi-head latent attention; kv_lora_rank 0: grouped-query attention.
  int64_t q_lora_rank = 0, kv_lora_rank = 0, qk_nope_head_dim = 0, qk_rope_head_dim = 0, v_head_dim = 0;

  // Mixture of experts; n_routed_experts 0: dense.
  int64_t n_routed_experts = 0, n_shared_experts = 0, num_experts_per_tok = 0, moe_intermediate_size = 0;
  int64_t first_k_dense_replace = 0, moe_layer_freq = 1, n_group = 1, topk_group = 1;
  std::vector<int64_t> mlp_only_layers;
  std::string topk_method = "greedy", scoring_func = "softmax";
  bool norm_topk_prob = false;
  double routed_scaling_factor = 1;

  int64_t num_nextn_predict_layers = 0;  // multi-token prediction
  std::vector<int64_t> eos_token_ids;

  bool latent() const { return kv_lora_rank > 0; }
  bool layer_is_moe(int64_t layer) const;
  int64_t rope_dim() const { return latent() ? qk_rope_head_dim : head_dim; }
  // Numbers that one token leaves in the cache of one layer: keys, and values (0 if latent).
  int64_t key_numbers() const { return latent() ? kv_lora_rank + qk_rope_head_dim : num_key_value_heads * head_dim; }
  int64_t value_numbers() const { return latent() ? 0 : num_key_value_heads * head_dim; }
};

// From the object of config.json (or formats/gguf_config.h's rendering of a GGUF's metadata). Unknown fields go to
// `unknown`.
Result<Config> parse_config(const Json& json, std::vector<std::string>* unknown = nullptr);

// Reads fields of a JSON object and remembers which were looked at. Used by the families.
class FieldReader {
 public:
  FieldReader(const Json& json, Config& config) : json_(json), config_(config) {}
  Config& config() { return config_; }
  const Json* find(const std::string& name);  // null if absent or JSON null
  bool has(const std::string& name) { return find(name) != nullptr; }
  int64_t integer(const std::string& name, int64_t low, int64_t high);  // required
  int64_t integer(const std::string& name, int64_t low, int64_t high, int64_t otherwise);
  double number(const std::string& name, double otherwise);
  bool boolean(const std::string& name, bool otherwise);
  std::string text(const std::string& name, const std::string& otherwise);
  // The field must be absent or have this value: another has an effect that is not implemented.
  void only(const std::string& name, const Json& value);
  void ignore(std::initializer_list<const char*> names);  // known to have no effect on the result
  std::vector<std::string> unread() const;

 private:
  const Json& json_;
  Config& config_;
  std::vector<std::string> seen_;
};

// One entry per architecture family; each is defined in its own file.
struct Family {
  std::vector<std::string> model_types;
  void (*read)(FieldReader& fields);
};
extern const Family kLlama, kQwen2, kQwen3, kDeepseek;

}  // namespace jevons
