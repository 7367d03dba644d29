// Qwen2/2.5 (R1-Distill-Qwen) and Qwen3 (R1-0528-Qwen3), dense and mixture of experts. Qwen2 adds biases to q, k, v;
// Qwen3 drops them and normalises every query and key head. Source: Qwen2 and Qwen3 technical reports, published
// config.json.
#include "base/strings.h"
#include "models/config.h"

namespace jevons {
namespace {

void common(FieldReader& fields) {
  Config& config = fields.config();
  config.head_dim = fields.integer("head_dim", 1, 65536, config.hidden_size / config.num_attention_heads);
  fields.only("use_sliding_window", false);
  fields.ignore(
      {"sliding_window", "max_window_layers", "use_mrope"});  // without effect while use_sliding_window is false
  if (const Json* types = fields.find("layer_types"))
    for (const Json& type : types->as_array())
      if (type.as_string() != "full_attention")
        throw Error(Code::unsupported,
                    cat("layer_types holds ", quote(type.as_string()), "; only full_attention is implemented"));
}

}  // namespace

const Family kQwen2 = {{"qwen2"}, [](FieldReader& fields) {
                         common(fields);
                         fields.config().attention_bias = true;
                       }};

const Family kQwen3 = {{"qwen3", "qwen3_moe"}, [](FieldReader& fields) {
                         common(fields);
                         Config& config = fields.config();
                         config.qk_norm = true;
                         fields.only("attention_bias", false);
                         if (config.model_type == "qwen3") return;
                         config.n_routed_experts =
                             fields.integer(fields.has("num_experts") ? "num_experts" : "num_local_experts", 1, 65536);
                         config.num_experts_per_tok = fields.integer("num_experts_per_tok", 1, 1024);
                         config.moe_intermediate_size = fields.integer("moe_intermediate_size", 1, int64_t{1} << 24);
                         config.norm_topk_prob = fields.boolean("norm_topk_prob", false);
                         if (const Json* layers = fields.find("mlp_only_layers"))
                           for (const Json& layer : layers->as_array())
                             config.mlp_only_layers.push_back(layer.as_int());
                         fields.only("decoder_sparse_step", 1);
                         fields.ignore({"router_aux_loss_coef", "output_router_logits"});
                       }};

}  // namespace jevons
