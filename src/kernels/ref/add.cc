#include "kernels/kernels.h"

namespace jevons::ref {

void add(const Env&, const AddArgs& args) {
  const auto a = args.a.as<double>(), b = args.b.as<double>(), out = args.out.as<double>();
  for (size_t i = 0; i < out.size(); ++i) out[i] = a[i] + b[i];
}

}  // namespace jevons::ref
