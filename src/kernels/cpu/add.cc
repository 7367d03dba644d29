#include "kernels/checks.h"
#include "kernels/cpu/rows.h"

namespace jevons::cpu {

void add(const Env& env, const AddArgs& args) {
  check_add(args);
  const float *a = args.a.as<float>().data(), *b = args.b.as<float>().data();
  float* out = args.out.as<float>().data();
  for_rows(env, args.out.numel(), 1, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) out[i] = a[i] + b[i];
  });
}

}  // namespace jevons::cpu
