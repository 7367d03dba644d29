#include "kernels/kernels.h"

namespace jevons::ref {

void rope(const Env&, const RopeArgs& a) {
  auto [N, heads, width] = a.x.dims<3>();
  const int64_t pairs = a.cos.dims<2>()[1];
  const auto cos = a.cos.as<double>(), sin = a.sin.as<double>();
  for (int64_t n = 0; n < N; ++n)
    for (int64_t h = 0; h < heads; ++h) {
      double* x = a.x.as<double>().data() + (n * heads + h) * width + a.begin;
      for (int64_t i = 0; i < pairs; ++i) {
        double& first = x[a.interleaved ? 2 * i : i];
        double& second = x[a.interleaved ? 2 * i + 1 : i + pairs];
        const double c = cos[n * pairs + i], s = sin[n * pairs + i], u = first, v = second;
        first = u * c - v * s;
        second = u * s + v * c;
      }
    }
}

}  // namespace jevons::ref
