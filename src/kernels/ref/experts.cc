#include <algorithm>
#include <cmath>

#include "kernels/kernels.h"
#include "kernels/ref/matvec.h"

namespace jevons::ref {

void experts(const Env&, const ExpertsArgs& a) {
  auto [N, D] = a.x.dims<2>();
  const int64_t A = a.ids.dims<2>()[1], F = a.gate->rows;
  std::vector<double> gate(static_cast<size_t>(F)), up(gate.size()), y(static_cast<size_t>(D));
  for (int64_t n = 0; n < N; ++n) {
    double* out = a.out.as<double>().data() + n * D;
    std::fill_n(out, D, 0.0);
    for (int64_t slot = n * A; slot < (n + 1) * A; ++slot) {
      const int64_t e = a.ids.as<int32_t>()[static_cast<size_t>(slot)];
      const double* x = a.x.as<double>().data() + n * D;
      matvec(*a.gate, e, x, gate.data());
      matvec(*a.up, e, x, up.data());
      for (size_t i = 0; i < gate.size(); ++i) gate[i] = gate[i] / (1 + std::exp(-gate[i])) * up[i];
      matvec(*a.down, e, gate.data(), y.data());
      for (int64_t i = 0; i < D; ++i)
        out[i] += a.weights.as<double>()[static_cast<size_t>(slot)] * y[static_cast<size_t>(i)];
    }
  }
}

}  // namespace jevons::ref
