// Training kernels whose two columns are the same loops in another number type: ref instantiates them with double, cpu
// with float (where gemm_block and the elementary functions are the fast ones). The oracle for both is outside:
// central differences and PyTorch (ops/grad_test.cc, train/golden_test.cc).
#pragma once
#include "kernels/kernels.h"

namespace jevons::loops {

#define K(name, Args) \
  template <class T>  \
  void name(const Env&, const Args&);
JEVONS_GRAD_KERNELS(K)
#undef K

}  // namespace jevons::loops
