#include <algorithm>
#include <cmath>

#include "kernels/loops/functions.h"
#include "kernels/loops/loops.h"

namespace jevons::loops {
namespace {

constexpr int64_t kTokens = 256;  // whose logits exist at a time

// loss = log sum exp(z) - z[target]; z becomes factor (softmax(z) - onehot(target)).
template <class T>
double turn_row(T* z, int64_t V, int32_t target, double factor) {
  const T top = *std::max_element(z, z + V), wanted = z[target];
  const double sum = exp_row(z, V, T{1}, top);
  scale_row(static_cast<T>(factor / sum), V, z);
  z[target] -= static_cast<T>(factor);
  return std::log(sum) + static_cast<double>(top) - static_cast<double>(wanted);
}

}  // namespace

template <class T>
void cross_entropy(const Env& env, const CrossEntropyArgs& args) {
  const auto [N, D] = args.hidden.dims<2>();
  const int64_t V = args.head.shape()[0];
  const Arena::Mark mark = env.arena.mark();
  const Tensor logits = env.arena.alloc({kTokens, V}, DTypeOf<T>::value);
  for (int64_t first = 0; first < N; first += kTokens) {
    const int64_t count = std::min(kTokens, N - first);
    const Tensor x = args.hidden.rows(first, count), z = logits.rows(0, count);
    gemm<T>(env, {x, args.head, z, false, true});
    env.exec.parallel_for(count, [&](int64_t i) {
      args.loss[first + i] = turn_row(z.as<T>().data() + i * V, V, args.target[first + i], args.factor[first + i]);
    });
    if (!args.d_hidden) continue;
    gemm<T>(env, {z, args.head, args.d_hidden.rows(first, count)});
    gemm<T>(env, {z, x, args.d_head, true, false, true});
  }
  env.arena.rewind(mark);
}

template void cross_entropy<double>(const Env&, const CrossEntropyArgs&);
template void cross_entropy<float>(const Env&, const CrossEntropyArgs&);

}  // namespace jevons::loops
