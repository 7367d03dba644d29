// Rotary frequencies with the published scalings. Sources: Su et al. 2021 (RoPE); Llama 3.1 `rope_type: llama3`;
// Peng et al. 2023 (YaRN) as in DeepSeek's `precompute_freqs_cis`.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace jevons {

struct RopeConfig {
  std::string type = "default";  // default, linear, llama3, yarn
  double theta = 10000;
  double factor = 1;
  int64_t original_max_position_embeddings = 0;
  double low_freq_factor = 1, high_freq_factor = 4;  // llama3
  double beta_fast = 32, beta_slow = 1;              // yarn
  double mscale = 0, mscale_all_dim = 0;             // yarn, 0 = absent
  double attention_factor = 0;                       // yarn, 0 = derived
  bool interleaved = false;
};

struct Rope {
  std::vector<double> inv_freq;  // [dim / 2], radians per position
  double magnitude = 1;          // factor of the cos and sin tables
  double score_factor = 1;       // factor of the softmax scale (mscale^2 of MLA)
};

// `latent`: MLA's conventions for mscale (tables mscale / mscale_all_dim, scores mscale_all_dim^2).
Rope make_rope(const RopeConfig& config, int64_t dim, bool latent);

}  // namespace jevons
