#include "kernels/kernels.h"
#include "kernels/ref/matvec.h"

namespace jevons::ref {

void linear(const Env&, const LinearArgs& a) {
  auto [N, D] = a.x.dims<2>();
  for (const LinearArgs::Map& map : a.maps) {
    const int64_t rows = map.weight->rows;
    std::vector<double> y(static_cast<size_t>(rows));
    for (int64_t n = 0; n < N; ++n) {
      matvec(*map.weight, 0, a.x.as<double>().data() + n * D, y.data());
      double* out = map.out.as<double>().data() + n * rows;
      for (int64_t r = 0; r < rows; ++r) {
        double value = y[static_cast<size_t>(r)];
        if (map.bias) value += map.bias.as<double>()[static_cast<size_t>(r)];
        if (map.residual) value += map.residual.as<double>()[static_cast<size_t>(n * rows + r)];
        out[r] = value;
      }
    }
  }
}

}  // namespace jevons::ref
