// Elementary functions and the row loops of the training kernels, by number type. The double forms are the plain loops;
// the float forms (kernels/cpu/grad_rows.cc) use vectors and give the same bits on every instruction set: sums run in
// float64 over eight lanes (element i in lane i mod 8), then the tree lane[i] += lane[i + w], w = 4, 2, 1.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>

namespace jevons {

// x[i] = exp(scale x[i] - shift); returns their sum.
double exp_row(double* x, int64_t n, double scale, double shift);
double exp_row(float* x, int64_t n, float scale, float shift);

// sum_i a[i] b[i]
double dot_row(const double* a, const double* b, int64_t n);
double dot_row(const float* a, const float* b, int64_t n);

// to[i] += factor from[i]
void add_row(double factor, const double* from, int64_t n, double* to);
void add_row(float factor, const float* from, int64_t n, float* to);

void scale_row(double factor, int64_t n, double* x);
void scale_row(float factor, int64_t n, float* x);

// d_p[i] = p[i] (d_p[i] - dot) scale: through a softmax whose values are p.
void softmax_grad_row(const double* p, int64_t n, double dot, double scale, double* d_p);
void softmax_grad_row(const float* p, int64_t n, float dot, float scale, float* d_p);

// out[i] = silu(gate[i]) up[i]
void silu_mul_row(const double* gate, const double* up, int64_t n, double* out);
void silu_mul_row(const float* gate, const float* up, int64_t n, float* out);

// d_gate[i] = d_out[i] up[i] silu'(gate[i]), d_up[i] = d_out[i] silu(gate[i]). Outputs may be inputs.
void silu_mul_grad_row(const double* gate, const double* up, const double* d_out, int64_t n, double* d_gate,
                       double* d_up);
void silu_mul_grad_row(const float* gate, const float* up, const float* d_out, int64_t n, float* d_gate, float* d_up);

}  // namespace jevons
