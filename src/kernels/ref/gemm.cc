#include <cmath>

#include "kernels/loops/gemm.h"

namespace jevons {

void gemm_block(int64_t M, int64_t N, int64_t K, MatrixView<double> a, MatrixView<double> b, double* c, int64_t ldc,
                bool accumulate) {
  for (int64_t m = 0; m < M; ++m)
    for (int64_t n = 0; n < N; ++n) {
      double sum = accumulate ? c[m * ldc + n] : 0;
      for (int64_t k = 0; k < K; ++k)
        sum += (a.transposed ? a.data[k * a.stride + m] : a.data[m * a.stride + k]) *
               (b.transposed ? b.data[n * b.stride + k] : b.data[k * b.stride + n]);
      c[m * ldc + n] = sum;
    }
}

}  // namespace jevons
