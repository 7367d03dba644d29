#include <cmath>

#include "kernels/kernels.h"

namespace jevons::ref {

void rms_norm(const Env&, const RmsNormArgs& a) {
  auto [N, D] = a.x.dims<2>();
  const auto x = a.x.as<double>(), weight = a.weight.as<double>(), out = a.out.as<double>();
  for (int64_t n = 0; n < N; ++n) {
    double squares = 0;
    for (int64_t i = 0; i < D; ++i) squares += x[n * D + i] * x[n * D + i];
    const double scale = 1 / std::sqrt(squares / static_cast<double>(D) + a.eps);
    for (int64_t i = 0; i < D; ++i) out[n * D + i] = x[n * D + i] * scale * weight[i];
  }
}

}  // namespace jevons::ref
