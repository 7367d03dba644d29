// Llama 2/3.x and what shares its block: SmolLM2, R1-Distill-Llama. Grouped-query attention without biases,
// half-rotated rotary pairs, gated SiLU network. Source: Touvron et al. 2023; Llama 3.1 model card for rope_type
// llama3.
#include "models/config.h"

namespace jevons {

const Family kLlama = {{"llama"}, [](FieldReader& fields) {
                         Config& config = fields.config();
                         config.head_dim =
                             fields.integer("head_dim", 1, 65536, config.hidden_size / config.num_attention_heads);
                         fields.only("attention_bias", false);
                         fields.only("mlp_bias", false);
                         fields.only("sliding_window", Json());
                       }};

}  // namespace jevons
