#include <cmath>

#include "kernels/kernels.h"
#include "kernels/ref/matvec.h"

namespace jevons::ref {

void glu(const Env&, const GluArgs& a) {
  auto [N, D] = a.x.dims<2>();
  const int64_t F = a.gate->rows;
  std::vector<double> up(static_cast<size_t>(F));
  for (int64_t n = 0; n < N; ++n) {
    const double* x = a.x.as<double>().data() + n * D;
    double* out = a.out.as<double>().data() + n * F;
    matvec(*a.gate, 0, x, out);
    matvec(*a.up, 0, x, up.data());
    for (int64_t i = 0; i < F; ++i) out[i] = out[i] / (1 + std::exp(-out[i])) * up[static_cast<size_t>(i)];
  }
}

}  // namespace jevons::ref
