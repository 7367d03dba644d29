// Gradients of the router and the sequence-wise balance loss.
#include <numeric>

#include "kernels/cpu/rows.h"
#include "kernels/loops/functions.h"
#include "kernels/loops/loops.h"

namespace jevons::loops {
namespace {

// s = sigmoid(z) or softmax(z)
template <class T>
void affinities(const T* z, int64_t E, bool use_sigmoid, double* s) {
  if (use_sigmoid) {
    for (int64_t e = 0; e < E; ++e) s[e] = 1 / (1 + std::exp(-static_cast<double>(z[e])));
    return;
  }
  const double top = *std::max_element(z, z + E);
  double sum = 0;
  for (int64_t e = 0; e < E; ++e) sum += s[e] = std::exp(z[e] - top);
  for (int64_t e = 0; e < E; ++e) s[e] /= sum;
}

// d_z += (ds / dz)^T d_s
template <class T>
void affinities_grad(const double* s, const double* d_s, int64_t E, bool use_sigmoid, T* d_z) {
  double mean = 0;
  for (int64_t e = 0; e < E && !use_sigmoid; ++e) mean += s[e] * d_s[e];
  for (int64_t e = 0; e < E; ++e)
    d_z[e] += static_cast<T>(use_sigmoid ? d_s[e] * s[e] * (1 - s[e]) : s[e] * (d_s[e] - mean));
}

}  // namespace

template <class T>
void route_grad(const Env& env, const RouteGradArgs& args) {
  const auto [N, E] = args.logits.dims<2>();
  const int64_t A = args.ids.shape()[1];
  for_rows(env, N, 8 * E, [&, E = E](int64_t first, int64_t last) {
    std::vector<double> s(static_cast<size_t>(E)), d_s(s.size());
    for (int64_t n = first; n < last; ++n) {
      affinities(args.logits.as<T>().data() + n * E, E, args.sigmoid, s.data());
      const int32_t* ids = args.ids.as<int32_t>().data() + n * A;
      const T* d_w = args.d_weights.as<T>().data() + n * A;
      double sum = 1, mix = 0;
      if (args.normalize) {
        sum = 1e-20;
        for (int64_t a = 0; a < A; ++a)
          sum += s[static_cast<size_t>(ids[a])], mix += d_w[a] * s[static_cast<size_t>(ids[a])];
      }
      std::fill(d_s.begin(), d_s.end(), 0.0);
      for (int64_t a = 0; a < A; ++a) d_s[static_cast<size_t>(ids[a])] = args.scale * (d_w[a] - mix / sum) / sum;
      affinities_grad(s.data(), d_s.data(), E, args.sigmoid, args.d_logits.as<T>().data() + n * E);
    }
  });
}

template <class T>
void balance_loss(const Env& env, const BalanceLossArgs& args) {
  const auto [N, E] = args.logits.dims<2>();
  const int64_t tokens = args.sequence_tokens, A = args.top_k;
  JEVONS_CHECK(N % tokens == 0 && A <= E);
  env.exec.parallel_for(N / tokens, [&, E = E](int64_t b) {
    const size_t experts = static_cast<size_t>(E);
    std::vector<double> s(experts * static_cast<size_t>(tokens)), f(experts, 0), p(experts, 0), d_s(experts);
    std::vector<int64_t> order(experts);
    const T* z = args.logits.as<T>().data() + b * tokens * E;
    for (int64_t t = 0; t < tokens; ++t) {
      double* own = &s[static_cast<size_t>(t) * experts];
      affinities(z + t * E, E, args.sigmoid, own);
      std::iota(order.begin(), order.end(), 0);
      std::partial_sort(order.begin(), order.begin() + A, order.end(),
                        [&](int64_t i, int64_t j) { return own[i] != own[j] ? own[i] > own[j] : i < j; });
      for (int64_t a = 0; a < A; ++a) f[static_cast<size_t>(order[static_cast<size_t>(a)])] += 1;
      const double sum = std::accumulate(own, own + E, 0.0);
      for (size_t e = 0; e < experts; ++e) p[e] += own[e] / sum;
    }
    const double T_tokens = static_cast<double>(tokens);
    double loss = 0;
    for (size_t e = 0; e < experts; ++e) {
      f[e] *= static_cast<double>(E) / (static_cast<double>(A) * T_tokens);
      loss += f[e] * p[e] / T_tokens;
    }
    args.loss[b] = args.factor * loss;
    for (int64_t t = 0; t < tokens; ++t) {
      const double* own = &s[static_cast<size_t>(t) * experts];
      const double sum = std::accumulate(own, own + E, 0.0);
      double mix = 0;
      for (size_t e = 0; e < experts; ++e) mix += f[e] * own[e];
      for (size_t e = 0; e < experts; ++e) d_s[e] = args.factor / T_tokens * (f[e] - mix / sum) / sum;
      affinities_grad(own, d_s.data(), E, args.sigmoid, args.d_logits.as<T>().data() + (b * tokens + t) * E);
    }
  });
}

template void route_grad<double>(const Env&, const RouteGradArgs&);
template void route_grad<float>(const Env&, const RouteGradArgs&);
template void balance_loss<double>(const Env&, const BalanceLossArgs&);
template void balance_loss<float>(const Env&, const BalanceLossArgs&);

}  // namespace jevons::loops
