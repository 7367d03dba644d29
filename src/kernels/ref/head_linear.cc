#include "kernels/kernels.h"
#include "kernels/ref/matvec.h"

namespace jevons::ref {

void head_linear(const Env&, const HeadLinearArgs& a) {
  auto [N, H, cols] = a.x.dims<3>();
  for (int64_t n = 0; n < N; ++n)
    for (int64_t h = 0; h < H; ++h)
      matvec(*a.weight, h, a.x.as<double>().data() + (n * H + h) * cols,
             a.out.as<double>().data() + (n * H + h) * a.weight->rows);
}

}  // namespace jevons::ref
