// The chosen experts of every token, grouped by expert: one product per expert over the tokens that chose it, no
// padding, nothing for an expert that nobody chose. Slots are sorted stably, so an expert sees its tokens in order.
#include <algorithm>
#include <vector>

#include "kernels/cpu/rows.h"
#include "kernels/loops/functions.h"
#include "kernels/loops/gemm.h"
#include "kernels/loops/loops.h"

namespace jevons::loops {
namespace {

template <class T>
T* scratch(int which, int64_t numbers) {
  static thread_local std::vector<T> buffer[4];
  auto& own = buffer[which];
  if (static_cast<int64_t>(own.size()) < numbers) own.resize(static_cast<size_t>(numbers));
  return own.data();
}

template <class T>
const T* matrix(const Weight& w, int64_t e) {
  JEVONS_CHECK(w.layout == Layout::rows && w.pack == (sizeof(T) == 8 ? Pack::f64 : Pack::f32));
  return reinterpret_cast<const T*>(w.data[static_cast<size_t>(e)]);
}

void sort_slots(const Tensor& ids, int64_t E, int32_t* order, int32_t* offsets) {
  const auto all = ids.as<int32_t>();
  std::vector<int32_t> next(static_cast<size_t>(E) + 1, 0);
  for (int32_t e : all) ++next[static_cast<size_t>(e) + 1];
  for (size_t e = 1; e < next.size(); ++e) next[e] += next[e - 1];
  std::copy(next.begin(), next.end(), offsets);
  for (size_t i = 0; i < all.size(); ++i) order[next[static_cast<size_t>(all[i])]++] = static_cast<int32_t>(i);
}

// to[i] = from[order[i] / A]
template <class T>
void gather(const T* from, int64_t width, const int32_t* order, int64_t count, int64_t A, T* to) {
  for (int64_t i = 0; i < count; ++i) std::copy_n(from + order[i] / A * width, width, to + i * width);
}

// to[n] += sum over its slots a, in order, of factor[n, a] * from[n A + a]; factor null: 1
template <class T>
void sum_slots(const Env& env, const T* from, const T* factor, int64_t N, int64_t A, int64_t D, T* to) {
  for_rows(env, N, A * D, [&](int64_t first, int64_t last) {
    for (int64_t slot = first * A; slot < last * A; ++slot)
      add_row(factor ? factor[slot] : T{1}, from + slot * D, D, to + slot / A * D);
  });
}

}  // namespace

template <class T>
void grouped_experts(const Env& env, const GroupedExpertsArgs& args) {
  const auto [N, D] = args.x.dims<2>();
  const int64_t A = args.ids.shape()[1], E = args.gate->stack(), F = args.gate->rows;
  int32_t *order = args.order.as<int32_t>().data(), *offsets = args.offsets.as<int32_t>().data();
  sort_slots(args.ids, E, order, offsets);
  const Arena::Mark mark = env.arena.mark();
  T* y = env.arena.alloc({N * A, D}, DTypeOf<T>::value).template as<T>().data();  // by slot
  env.exec.parallel_for(E, [&, D = D](int64_t e) {
    const int64_t first = offsets[e], count = offsets[e + 1] - first;
    if (count == 0) return;
    T *x = scratch<T>(0, count * D), *a = scratch<T>(1, count * F), *out = scratch<T>(2, count * D);
    gather(args.x.as<T>().data(), D, order + first, count, A, x);
    T *g = args.inner_gate.as<T>().data() + first * F, *u = args.inner_up.as<T>().data() + first * F;
    gemm_block(count, F, D, {x, D}, {matrix<T>(*args.gate, e), D, true}, g, F, false);
    gemm_block(count, F, D, {x, D}, {matrix<T>(*args.up, e), D, true}, u, F, false);
    silu_mul_row(g, u, count * F, a);
    gemm_block(count, D, F, {a, F}, {matrix<T>(*args.down, e), F, true}, out, D, false);
    for (int64_t i = 0; i < count; ++i) std::copy_n(out + i * D, D, y + order[first + i] * D);
  });
  T* out = args.out.as<T>().data();
  std::fill_n(out, N * D, T{0});
  sum_slots(env, y, args.weights.as<T>().data(), N, A, D, out);
  env.arena.rewind(mark);
}

template <class T>
void grouped_experts_grad(const Env& env, const GroupedExpertsGradArgs& args) {
  const GroupedExpertsArgs& f = args.forward;
  const auto [N, D] = f.x.dims<2>();
  const int64_t A = f.ids.shape()[1], E = f.gate->stack(), F = f.gate->rows;
  const int32_t *order = f.order.as<int32_t>().data(), *offsets = f.offsets.as<int32_t>().data();
  const Arena::Mark mark = env.arena.mark();
  T* d_slot = env.arena.alloc({N * A, D}, DTypeOf<T>::value).template as<T>().data();
  env.exec.parallel_for(E, [&, D = D](int64_t e) {
    const int64_t first = offsets[e], count = offsets[e + 1] - first;
    if (count == 0) return;
    const size_t at = static_cast<size_t>(e);
    const T *g = f.inner_gate.as<T>().data() + first * F, *u = f.inner_up.as<T>().data() + first * F;
    T *rows = scratch<T>(0, count * D), *a = scratch<T>(1, count * F), *d_a = scratch<T>(2, count * F),
      *d_x = scratch<T>(3, count * D);
    gather(args.d_out.as<T>().data(), D, order + first, count, A, rows);
    gemm_block(count, F, D, {rows, D}, {matrix<T>(*f.down, e), F}, d_a, F, false);  // before the slot's weight
    silu_mul_row(g, u, count * F, a);
    for (int64_t i = 0; i < count; ++i) {
      const auto slot = static_cast<size_t>(order[first + i]);
      args.d_weights.as<T>()[slot] = static_cast<T>(dot_row(d_a + i * F, a + i * F, F));
      scale_row(f.weights.as<T>()[slot], F, a + i * F);
      scale_row(f.weights.as<T>()[slot], F, d_a + i * F);
    }
    gemm_block(D, F, count, {rows, D, true}, {a, F}, args.d_down[at].as<T>().data(), F, true);
    gather(f.x.as<T>().data(), D, order + first, count, A, rows);
    T* d_u = a;
    silu_mul_grad_row(g, u, d_a, count * F, d_a, d_u);
    gemm_block(F, D, count, {d_a, F, true}, {rows, D}, args.d_gate[at].as<T>().data(), D, true);
    gemm_block(F, D, count, {d_u, F, true}, {rows, D}, args.d_up[at].as<T>().data(), D, true);
    gemm_block(count, D, F, {d_a, F}, {matrix<T>(*f.gate, e), D}, d_x, D, false);
    gemm_block(count, D, F, {d_u, F}, {matrix<T>(*f.up, e), D}, d_x, D, true);
    for (int64_t i = 0; i < count; ++i) std::copy_n(d_x + i * D, D, d_slot + order[first + i] * D);
  });
  sum_slots<T>(env, d_slot, nullptr, N, A, D, args.d_x.as<T>().data());
  env.arena.rewind(mark);
}

template void grouped_experts<double>(const Env&, const GroupedExpertsArgs&);
template void grouped_experts<float>(const Env&, const GroupedExpertsArgs&);
template void grouped_experts_grad<double>(const Env&, const GroupedExpertsGradArgs&);
template void grouped_experts_grad<float>(const Env&, const GroupedExpertsGradArgs&);

}  // namespace jevons::loops
