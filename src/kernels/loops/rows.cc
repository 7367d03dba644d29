// Token-wise gradients: embedding, norm, bias, gated unit.
#include <cmath>

#include "kernels/cpu/rows.h"
#include "kernels/loops/functions.h"
#include "kernels/loops/loops.h"

namespace jevons::loops {
namespace {

constexpr int64_t kColumns = 64;  // columns that a thread takes when a sum runs over tokens

// body(first, last) on pieces of the columns [0, width).
template <class Body>
void for_columns(const Env& env, int64_t width, const Body& body) {
  env.exec.parallel_for((width + kColumns - 1) / kColumns,
                        [&](int64_t i) { body(i * kColumns, std::min(width, (i + 1) * kColumns)); });
}

}  // namespace

template <class T>
void embed_grad(const Env& env, const EmbedGradArgs& args) {
  const auto [N, D] = args.d_out.dims<2>();
  const T* from = args.d_out.as<T>().data();
  T* to = args.d_table.as<T>().data();
  for_columns(env, D, [&, n_end = N, d = D](int64_t first, int64_t last) {
    for (int64_t n = 0; n < n_end; ++n)
      for (int64_t i = first; i < last; ++i) to[args.ids[n] * d + i] += from[n * d + i];
  });
}

template <class T>
void rms_norm_grad(const Env& env, const RmsNormGradArgs& args) {
  const auto [N, D] = args.x.dims<2>();
  const T *x = args.x.as<T>().data(), *w = args.weight.as<T>().data(), *dy = args.d_out.as<T>().data();
  T *dx = args.d_x.as<T>().data(), *dw = args.d_weight.as<T>().data();
  const Arena::Mark mark = env.arena.mark();
  T* scale = env.arena.alloc({N}, DTypeOf<T>::value).template as<T>().data();
  for_rows(env, N, D, [&, d = D](int64_t first, int64_t last) {
    for (int64_t n = first; n < last; ++n) {
      double squares = 0, mix = 0;
      for (int64_t i = 0; i < d; ++i) {
        const double v = x[n * d + i];
        squares += v * v, mix += static_cast<double>(w[i] * dy[n * d + i]) * v;
      }
      const double r = 1 / std::sqrt(squares / static_cast<double>(d) + args.eps);
      const T c = static_cast<T>(r), back = static_cast<T>(r * r * r * mix / static_cast<double>(d));
      scale[n] = c;
      for (int64_t i = 0; i < d; ++i) dx[n * d + i] += c * w[i] * dy[n * d + i] - back * x[n * d + i];
    }
  });
  for_columns(env, D, [&, n_end = N, d = D](int64_t first, int64_t last) {
    for (int64_t n = 0; n < n_end; ++n)
      for (int64_t i = first; i < last; ++i) dw[i] += dy[n * d + i] * x[n * d + i] * scale[n];
  });
  env.arena.rewind(mark);
}

template <class T>
void column_sum(const Env& env, const ColumnSumArgs& args) {
  const auto [N, R] = args.x.dims<2>();
  const T* x = args.x.as<T>().data();
  T* out = args.out.as<T>().data();
  for_columns(env, R, [&, n_end = N, r = R](int64_t first, int64_t last) {
    for (int64_t n = 0; n < n_end; ++n)
      for (int64_t i = first; i < last; ++i) out[i] += x[n * r + i];
  });
}

template <class T>
void silu_mul(const Env& env, const SiluMulArgs& args) {
  const T *gate = args.gate.as<T>().data(), *up = args.up.as<T>().data();
  T* out = args.out.as<T>().data();
  for_rows(env, args.out.numel(), 1,
           [&](int64_t first, int64_t last) { silu_mul_row(gate + first, up + first, last - first, out + first); });
}

template <class T>
void silu_mul_grad(const Env& env, const SiluMulGradArgs& args) {
  const T *gate = args.gate.as<T>().data(), *up = args.up.as<T>().data(), *d_out = args.d_out.as<T>().data();
  T *d_gate = args.d_gate.as<T>().data(), *d_up = args.d_up.as<T>().data();
  for_rows(env, args.d_out.numel(), 1, [&](int64_t first, int64_t last) {
    silu_mul_grad_row(gate + first, up + first, d_out + first, last - first, d_gate + first, d_up + first);
  });
}

#define K(name, Args)                                  \
  template void name<double>(const Env&, const Args&); \
  template void name<float>(const Env&, const Args&);
K(embed_grad, EmbedGradArgs)
K(rms_norm_grad, RmsNormGradArgs)
K(column_sum, ColumnSumArgs)
K(silu_mul, SiluMulArgs)
K(silu_mul_grad, SiluMulGradArgs)
#undef K

}  // namespace jevons::loops
