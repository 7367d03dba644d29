#include "train/optimizer.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace jevons {
namespace {

constexpr int64_t kBlock = 1 << 15;  // numbers that a thread takes at a time; also the unit of the norm's sums
constexpr int64_t kLanes = 16;

// body(first, last) on pieces of [0, count), in any order.
template <class Body>
void for_blocks(Exec& exec, int64_t count, const Body& body) {
  exec.parallel_for((count + kBlock - 1) / kBlock,
                    [&](int64_t i) { body(i * kBlock, std::min(count, (i + 1) * kBlock)); });
}

template <class T>
double sum_of_squares(Exec& exec, const T* x, int64_t count) {
  std::vector<double> part(static_cast<size_t>((count + kBlock - 1) / kBlock), 0);
  for_blocks(exec, count, [&](int64_t first, int64_t last) {
    double lane[kLanes] = {};
    int64_t i = first;
    for (; i + kLanes <= last; i += kLanes)
      for (int64_t l = 0; l < kLanes; ++l) lane[l] += static_cast<double>(x[i + l]) * static_cast<double>(x[i + l]);
    for (; i < last; ++i) lane[0] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    double& sum = part[static_cast<size_t>(first / kBlock)];
    for (double l : lane) sum += l;
  });
  double sum = 0;
  for (double p : part) sum += p;
  return sum;
}

template <class T>
struct AdamW {
  T keep, b1, b2, eps, rate, root, factor;
  AdamW(const TrainSettings& s, bool decays, int64_t step, double clip) {
    const double t = static_cast<double>(step + 1), lr = s.rate(step);
    keep = static_cast<T>(decays ? 1 - lr * s.weight_decay : 1);
    b1 = static_cast<T>(s.beta1), b2 = static_cast<T>(s.beta2), eps = static_cast<T>(s.eps);
    rate = static_cast<T>(lr / (1 - std::pow(s.beta1, t)));
    root = static_cast<T>(std::sqrt(1 - std::pow(s.beta2, t)));
    factor = static_cast<T>(clip);
  }
  void operator()(T& p, T g, T& m, T& v) const {
    g *= factor;
    p *= keep;
    m = b1 * m + (1 - b1) * g;
    v = b2 * v + (1 - b2) * g * g;
    p -= rate * m / (std::sqrt(v) / root + eps);
  }
};

template <class T>
void adamw(Exec& exec, T* p, const T* g, T* m, T* v, int64_t count, const AdamW<T>& rule) {
  for_blocks(exec, count, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) rule(p[i], g[i], m[i], v[i]);
  });
}

// X X^T-iteration that brings all singular values near 1; x [rows, cols] with rows <= cols is replaced.
template <class T>
void orthogonalize(const Kernels& k, const Env& env, const Tensor& x) {
  const auto [R, C] = x.dims<2>();
  const Tensor a = env.arena.alloc({R, R}, x.dtype()), aa = env.arena.alloc({R, R}, x.dtype());
  const Tensor bx = env.arena.alloc({R, C}, x.dtype());
  for (int round = 0; round < 5; ++round) {
    k.gemm(env, {x, x, a, false, true});
    k.gemm(env, {a, a, aa});
    for (size_t i = 0; i < a.as<T>().size(); ++i)
      a.as<T>()[i] = static_cast<T>(-4.7750) * a.as<T>()[i] + static_cast<T>(2.0315) * aa.as<T>()[i];
    k.gemm(env, {a, x, bx});
    for (size_t i = 0; i < x.as<T>().size(); ++i) x.as<T>()[i] = static_cast<T>(3.4445) * x.as<T>()[i] + bx.as<T>()[i];
  }
}

template <class T>
void muon(const Kernels& k, const Env& env, T* p, const T* g, T* momentum, int64_t rows, int64_t cols,
          const TrainSettings& s, int64_t step, double factor) {
  constexpr T kMomentum = static_cast<T>(0.95);
  const Arena::Mark mark = env.arena.mark();
  const bool turn = rows > cols;
  const Tensor x = env.arena.alloc({std::min(rows, cols), std::max(rows, cols)}, DTypeOf<T>::value);
  T* to = x.as<T>().data();
  const auto place = [&](int64_t i) { return turn ? i % cols * rows + i / cols : i; };
  for (int64_t i = 0; i < rows * cols; ++i) {
    const T gradient = g[i] * static_cast<T>(factor);
    momentum[i] = kMomentum * momentum[i] + gradient;
    to[place(i)] = gradient + kMomentum * momentum[i];
  }
  const T size = static_cast<T>(1 / (std::sqrt(sum_of_squares(env.exec, to, rows * cols)) + 1e-7));
  for (int64_t i = 0; i < rows * cols; ++i) to[i] *= size;
  orthogonalize<T>(k, env, x);
  const double lr = s.rate(step);
  const T keep = static_cast<T>(1 - lr * s.weight_decay);
  const T rate = static_cast<T>(lr * 0.2 * std::sqrt(static_cast<double>(std::max(rows, cols))));
  for (int64_t i = 0; i < rows * cols; ++i) p[i] = keep * p[i] - rate * to[place(i)];
  env.arena.rewind(mark);
}

template <class T>
void optimize_as(const Kernels& k, const Env& env, const Parameters& parameters, const std::byte* gradients,
                 const OptimizerState& state, const std::vector<bool>& trained, const TrainSettings& s, int64_t step,
                 double factor) {
  for (size_t i = 0; i < parameters.list().size(); ++i) {
    if (!trained[i]) continue;
    const Parameter& own = parameters.list()[i];
    T* p = reinterpret_cast<T*>(parameters.bytes().data()) + own.first;
    const T* g = reinterpret_cast<const T*>(gradients) + own.first;
    T *m = reinterpret_cast<T*>(state.first.get()) + own.first,
      *v = reinterpret_cast<T*>(state.second.get()) + own.first;
    if (s.optimizer == "muon" && own.role == Parameter::Role::matrix)
      muon(k, env, p, g, m, own.shape[0], own.shape[1], s, step, factor);
    else
      adamw(env.exec, p, g, m, v, own.count, AdamW<T>(s, own.decays(), step, factor));
  }
}

}  // namespace

std::vector<double> gradient_norms(Exec& exec, const Parameters& parameters, const std::byte* gradients,
                                   const std::vector<bool>& trained) {
  std::vector<double> out;
  for (size_t i = 0; i < parameters.list().size(); ++i) {
    const Parameter& p = parameters.list()[i];
    double sum = 0;
    if (trained[i] && parameters.dtype() == DType::f64)
      sum = sum_of_squares(exec, reinterpret_cast<const double*>(gradients) + p.first, p.count);
    else if (trained[i])
      sum = sum_of_squares(exec, reinterpret_cast<const float*>(gradients) + p.first, p.count);
    out.push_back(std::sqrt(sum));
  }
  return out;
}

void optimize(const Kernels& kernels, const Env& env, const Parameters& parameters, const std::byte* gradients,
              const OptimizerState& state, const std::vector<bool>& trained, const TrainSettings& settings,
              int64_t step, double factor) {
  (parameters.dtype() == DType::f64 ? optimize_as<double> : optimize_as<float>)(kernels, env, parameters, gradients,
                                                                                state, trained, settings, step, factor);
}

}  // namespace jevons
