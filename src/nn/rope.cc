#include "nn/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"

namespace jevons {
namespace {

using std::numbers::pi;

double yarn_mscale(double factor, double mscale) { return factor <= 1 ? 1 : 0.1 * mscale * std::log(factor) + 1; }

void scale_llama3(const RopeConfig& config, std::vector<double>& inv_freq) {
  const double original = static_cast<double>(config.original_max_position_embeddings);
  for (double& f : inv_freq) {
    const double wavelength = 2 * pi / f;
    if (wavelength > original / config.low_freq_factor) {
      f /= config.factor;
    } else if (wavelength > original / config.high_freq_factor) {
      const double smooth =
          (original / wavelength - config.low_freq_factor) / (config.high_freq_factor - config.low_freq_factor);
      f = (1 - smooth) * f / config.factor + smooth * f;
    }
  }
}

void scale_yarn(const RopeConfig& config, int64_t dim, std::vector<double>& inv_freq) {
  const double original = static_cast<double>(config.original_max_position_embeddings);
  const auto dimension_of = [&](double rotations) {
    return static_cast<double>(dim) * std::log(original / (rotations * 2 * pi)) / (2 * std::log(config.theta));
  };
  const double low = std::max(std::floor(dimension_of(config.beta_fast)), 0.0);
  double high = std::min(std::ceil(dimension_of(config.beta_slow)), static_cast<double>(dim - 1));
  if (low == high) high += 0.001;
  for (size_t i = 0; i < inv_freq.size(); ++i) {
    const double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    inv_freq[i] = inv_freq[i] / config.factor * ramp + inv_freq[i] * (1 - ramp);
  }
}

}  // namespace

Rope make_rope(const RopeConfig& config, int64_t dim, bool latent) {
  Rope rope;
  for (int64_t i = 0; i < dim / 2; ++i)
    rope.inv_freq.push_back(std::pow(config.theta, -2.0 * static_cast<double>(i) / static_cast<double>(dim)));
  if (config.type == "linear") {
    for (double& f : rope.inv_freq) f /= config.factor;
  } else if (config.type == "llama3") {
    scale_llama3(config, rope.inv_freq);
  } else if (config.type == "yarn") {
    scale_yarn(config, dim, rope.inv_freq);
    if (config.attention_factor > 0) {
      rope.magnitude = config.attention_factor;
    } else if (latent) {
      rope.magnitude = yarn_mscale(config.factor, config.mscale) / yarn_mscale(config.factor, config.mscale_all_dim);
    } else if (config.mscale > 0 && config.mscale_all_dim > 0) {
      rope.magnitude = yarn_mscale(config.factor, config.mscale) / yarn_mscale(config.factor, config.mscale_all_dim);
    } else {
      rope.magnitude = yarn_mscale(config.factor, 1);
    }
    if (latent && config.mscale_all_dim > 0) {
      const double m = yarn_mscale(config.factor, config.mscale_all_dim);
      rope.score_factor = m * m;
    }
  } else {
    JEVONS_CHECK(config.type == "default", config.type);
  }
  return rope;
}

}  // namespace jevons
