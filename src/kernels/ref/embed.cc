#include "kernels/codec/codec.h"
#include "kernels/kernels.h"

namespace jevons::ref {

void embed(const Env&, const EmbedArgs& a) {
  auto [N, D] = a.out.dims<2>();
  double* out = a.out.as<double>().data();
  for (int64_t n = 0; n < N; ++n) dequantize_row(*a.table, 0, a.ids[n], out + n * D);
}

}  // namespace jevons::ref
