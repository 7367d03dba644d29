#include <cmath>

#include "kernels/checks.h"
#include "kernels/cpu/rows.h"

namespace jevons::cpu {
namespace {

constexpr int64_t kLanes = 16;

// Lane i takes the columns c = i (mod 16) in ascending order; then the tree lane[i] += lane[i + w], w = 8, 4, 2, 1.
float sum_of_squares(const float* x, int64_t width) {
  float lane[kLanes] = {};
  int64_t c = 0;
  for (; c + kLanes <= width; c += kLanes)
    for (int64_t i = 0; i < kLanes; ++i) lane[i] += x[c + i] * x[c + i];
  for (int64_t i = 0; c + i < width; ++i) lane[i] += x[c + i] * x[c + i];
  for (int64_t w = kLanes / 2; w > 0; w /= 2)
    for (int64_t i = 0; i < w; ++i) lane[i] += lane[i + w];
  return lane[0];
}

// out may be x. Whole blocks are read before they are written, so that the compiler can use vectors.
void scale_row(const float* x, const float* weight, float factor, int64_t width, float* out) {
  int64_t c = 0;
  for (; c + kLanes <= width; c += kLanes) {
    float block[kLanes];
    for (int64_t i = 0; i < kLanes; ++i) block[i] = x[c + i] * factor * weight[c + i];
    for (int64_t i = 0; i < kLanes; ++i) out[c + i] = block[i];
  }
  for (; c < width; ++c) out[c] = x[c] * factor * weight[c];
}

}  // namespace

void rms_norm(const Env& env, const RmsNormArgs& args) {
  check_rms_norm(args);
  const auto [tokens, width] = args.x.dims<2>();
  const float *x = args.x.as<float>().data(), *weight = args.weight.as<float>().data();
  float* out = args.out.as<float>().data();
  for_rows(env, tokens, width, [&, d = width](int64_t first, int64_t last) {
    for (int64_t n = first; n < last; ++n) {
      const float* row = x + n * d;
      const float mean = sum_of_squares(row, d) / static_cast<float>(d);
      const float factor = 1.0f / std::sqrt(mean + static_cast<float>(args.eps));
      scale_row(row, weight, factor, d, out + n * d);
    }
  });
}

}  // namespace jevons::cpu
