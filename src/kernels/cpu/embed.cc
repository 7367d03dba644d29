#include "kernels/checks.h"
#include "kernels/cpu/linear_rows.h"
#include "kernels/cpu/rows.h"

namespace jevons::cpu {

void embed(const Env& env, const EmbedArgs& args) {
  check_embed(args);
  const auto [tokens, width] = args.out.dims<2>();
  float* out = args.out.as<float>().data();
  for_rows(env, tokens, width, [&, d = width](int64_t first, int64_t last) {
    for (int64_t n = first; n < last; ++n) widen_row(*args.table, 0, args.ids[n], out + n * d);
  });
}

}  // namespace jevons::cpu
