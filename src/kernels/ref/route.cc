#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/kernels.h"

namespace jevons::ref {
namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();

std::vector<double> affinities(const RouteArgs& a, const double* logits, int64_t E) {
  std::vector<double> s(logits, logits + E);
  if (a.scoring == RouteArgs::Scoring::sigmoid) {
    for (double& v : s) v = 1 / (1 + std::exp(-v));
    return s;
  }
  const double top = *std::max_element(s.begin(), s.end());
  double sum = 0;
  for (double& v : s) sum += v = std::exp(v - top);
  for (double& v : s) v /= sum;
  return s;
}

// Index of the greatest value, the first of equals.
int64_t best(const std::vector<double>& v) { return std::max_element(v.begin(), v.end()) - v.begin(); }

void mask_groups(const RouteArgs& a, std::vector<double>& select) {
  const int64_t size = static_cast<int64_t>(select.size()) / a.groups;
  std::vector<double> score;
  for (int64_t g = 0; g < a.groups; ++g) {
    std::vector<double> members(select.begin() + g * size, select.begin() + (g + 1) * size);
    std::sort(members.rbegin(), members.rend());
    score.push_back(a.group_score == RouteArgs::GroupScore::max || size == 1 ? members[0] : members[0] + members[1]);
  }
  std::vector<bool> kept(score.size(), false);
  for (int64_t i = 0; i < a.top_groups; ++i) {
    const int64_t g = best(score);
    kept[static_cast<size_t>(g)] = true;
    score[static_cast<size_t>(g)] = kNever;
  }
  for (size_t e = 0; e < select.size(); ++e)
    if (!kept[e / static_cast<size_t>(size)]) select[e] = kNever;
}

}  // namespace

void route(const Env&, const RouteArgs& a) {
  auto [N, E] = a.logits.dims<2>();
  const int64_t A = a.ids.dims<2>()[1];
  for (int64_t n = 0; n < N; ++n) {
    const std::vector<double> s = affinities(a, a.logits.as<double>().data() + n * E, E);
    std::vector<double> select = s;
    if (a.bias)
      for (int64_t e = 0; e < E; ++e) select[static_cast<size_t>(e)] += a.bias.as<double>()[static_cast<size_t>(e)];
    if (a.groups > 1) mask_groups(a, select);
    int32_t* ids = a.ids.as<int32_t>().data() + n * A;
    double* weights = a.weights.as<double>().data() + n * A;
    double sum = 0;
    for (int64_t i = 0; i < A; ++i) {
      const int64_t e = best(select);
      select[static_cast<size_t>(e)] = kNever;
      ids[i] = static_cast<int32_t>(e);
      sum += weights[i] = s[static_cast<size_t>(e)];
    }
    for (int64_t i = 0; i < A; ++i) weights[i] = weights[i] / (a.normalize ? sum + 1e-20 : 1) * a.scale;
  }
}

}  // namespace jevons::ref
