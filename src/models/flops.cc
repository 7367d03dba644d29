#include "models/flops.h"

#include "models/loader.h"

namespace jevons {

double training_flops_per_token(const Config& config, int64_t context) {
  const int64_t value = config.latent() ? config.v_head_dim : config.head_dim;
  const double pair = 2.0 * static_cast<double>((config.head_dim + value) * config.num_attention_heads);
  return 6.0 * static_cast<double>(count_parameters(config).active) +
         3.0 * pair * static_cast<double>(context) / 2 * static_cast<double>(config.num_hidden_layers);
}

}  // namespace jevons
