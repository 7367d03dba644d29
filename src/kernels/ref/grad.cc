#include "kernels/loops/loops.h"

namespace jevons::ref {

#define K(name, Args) \
  void name(const Env& env, const Args& args) { loops::name<double>(env, args); }
JEVONS_GRAD_KERNELS(K)
#undef K

}  // namespace jevons::ref
