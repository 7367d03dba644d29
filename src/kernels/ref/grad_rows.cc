#include "kernels/loops/functions.h"

namespace jevons {

double exp_row(double* x, int64_t n, double scale, double shift) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += x[i] = std::exp(scale * x[i] - shift);
  return sum;
}

double dot_row(const double* a, const double* b, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

void add_row(double factor, const double* from, int64_t n, double* to) {
  for (int64_t i = 0; i < n; ++i) to[i] += factor * from[i];
}

void scale_row(double factor, int64_t n, double* x) {
  for (int64_t i = 0; i < n; ++i) x[i] *= factor;
}

void softmax_grad_row(const double* p, int64_t n, double dot, double scale, double* d_p) {
  for (int64_t i = 0; i < n; ++i) d_p[i] = p[i] * (d_p[i] - dot) * scale;
}

void silu_mul_row(const double* gate, const double* up, int64_t n, double* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = gate[i] / (1 + std::exp(-gate[i])) * up[i];
}

void silu_mul_grad_row(const double* gate, const double* up, const double* d_out, int64_t n, double* d_gate,
                       double* d_up) {
  for (int64_t i = 0; i < n; ++i) {
    const double g = gate[i], u = up[i], d = d_out[i], s = 1 / (1 + std::exp(-g));
    d_gate[i] = d * u * s * (1 + g * (1 - s));
    d_up[i] = d * g * s;
  }
}

}  // namespace jevons
