// The matrix product on one thread that the training kernels are built of, in both columns' types.
#pragma once
#include <cstdint>

namespace jevons {

// element(i, j) = data[i * stride + j], or data[j * stride + i] if transposed.
template <class T>
struct MatrixView {
  const T* data;
  int64_t stride;
  bool transposed = false;
};

// c[m, n] (+)= sum_k a(m, k) b(k, n), one chain over k in ascending order: fused multiply-add from 0 or from c.
void gemm_block(int64_t M, int64_t N, int64_t K, MatrixView<double> a, MatrixView<double> b, double* c, int64_t ldc,
                bool accumulate);
void gemm_block(int64_t M, int64_t N, int64_t K, MatrixView<float> a, MatrixView<float> b, float* c, int64_t ldc,
                bool accumulate);

}  // namespace jevons
