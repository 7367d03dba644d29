#include "kernels/loops/loops.h"

namespace jevons::cpu {

#define K(name, Args) \
  void name(const Env& env, const Args& args) { loops::name<float>(env, args); }
JEVONS_GRAD_KERNELS(K)
#undef K

}  // namespace jevons::cpu
