// DeepSeek-V2 (Lite and full) and V3/R1: multi-head latent attention and a mixture of fine-grained experts.
// Sources: V2 paper section 2 and appendix B, V3 report section 2.1, the released inference code and config.json.
#include "base/strings.h"
#include "models/config.h"

namespace jevons {
namespace {

constexpr int64_t kMax = int64_t{1} << 24;

void one_of(const std::string& field, const std::string& value, std::initializer_list<const char*> known) {
  std::string list;
  for (const char* name : known) {
    if (value == name) return;
    list += cat(list.empty() ? "" : ", ", name);
  }
  throw Error(Code::unsupported,
              cat("the field ", quote(field), " has the value ", quote(value), "; implemented are ", list));
}

}  // namespace

const Family kDeepseek = {
    {"deepseek_v2", "deepseek_v3"}, [](FieldReader& fields) {
      Config& config = fields.config();
      const bool v3 = config.model_type == "deepseek_v3";
      config.q_lora_rank = fields.integer("q_lora_rank", 1, kMax, 0);
      config.kv_lora_rank = fields.integer("kv_lora_rank", 1, kMax);
      config.qk_nope_head_dim = fields.integer("qk_nope_head_dim", 1, kMax);
      config.qk_rope_head_dim = fields.integer("qk_rope_head_dim", 2, kMax);
      config.v_head_dim = fields.integer("v_head_dim", 1, kMax);
      config.head_dim = config.qk_nope_head_dim + config.qk_rope_head_dim;
      config.rope.interleaved = fields.boolean("rope_interleave", true);
      fields.only("attention_bias", false);
      fields.only("mlp_bias", false);
      fields.only("sliding_window", Json());
      fields.only("index_topk", Json());  // sparse attention of V3.2

      config.n_routed_experts = fields.integer("n_routed_experts", 1, 65536, 0);
      config.n_shared_experts = fields.integer("n_shared_experts", 0, 1024, 0);
      config.num_experts_per_tok = fields.integer("num_experts_per_tok", 1, 1024, 0);
      config.moe_intermediate_size = fields.integer("moe_intermediate_size", 1, kMax, 0);
      config.first_k_dense_replace = fields.integer("first_k_dense_replace", 0, 100000, 0);
      config.moe_layer_freq = fields.integer("moe_layer_freq", 1, 100000, 1);
      config.topk_method = fields.text("topk_method", v3 ? "noaux_tc" : "greedy");
      config.scoring_func = fields.text("scoring_func", v3 ? "sigmoid" : "softmax");
      config.norm_topk_prob = fields.boolean("norm_topk_prob", v3);
      config.routed_scaling_factor = fields.number("routed_scaling_factor", 1);
      one_of("topk_method", config.topk_method, {"greedy", "group_limited_greedy", "noaux_tc"});
      one_of("scoring_func", config.scoring_func, {"softmax", "sigmoid"});
      config.n_group = fields.integer("n_group", 1, 65536, 1);
      config.topk_group = fields.integer("topk_group", 1, 65536, 1);
      if (config.topk_method == "greedy") config.n_group = config.topk_group = 1;  // greedy looks at no groups
      if (config.n_routed_experts > 0 && (config.num_experts_per_tok == 0 || config.moe_intermediate_size == 0))
        throw Error(Code::invalid, "a model with n_routed_experts needs num_experts_per_tok and moe_intermediate_size");

      config.num_nextn_predict_layers = fields.integer("num_nextn_predict_layers", 0, 16, 0);
      fields.ignore(
          {"aux_loss_alpha", "seq_aux", "ep_size", "num_key_value_heads", "qk_head_dim", "output_router_logits"});
    }};

}  // namespace jevons
