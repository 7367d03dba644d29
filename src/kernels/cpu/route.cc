#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/checks.h"
#include "kernels/cpu/math.h"
#include "kernels/cpu/rows.h"

namespace jevons::cpu {
namespace {

constexpr float kLowest = -std::numeric_limits<float>::infinity();  // taken, or in a group that is out
constexpr float kHopeless = -1e30f;                                 // NaN and worse count as this

void score(RouteArgs::Scoring scoring, const float* logits, int64_t n, float* s) {
  if (scoring == RouteArgs::Scoring::sigmoid) {
    for (int64_t e = 0; e < n; ++e) s[e] = 1.0f / (1.0f + exp_f32(-logits[e]));
    return;
  }
  const float top = *std::max_element(logits, logits + n);
  float sum = 0;
  for (int64_t e = 0; e < n; ++e) sum += s[e] = exp_f32(logits[e] - top);
  for (int64_t e = 0; e < n; ++e) s[e] /= sum;
}

// Takes the largest value (the first of equals) out of `values` and returns its index.
int64_t take_best(float* values, int64_t n) {
  const int64_t at = std::max_element(values, values + n) - values;
  values[at] = kLowest;
  return at;
}

float group_score(RouteArgs::GroupScore kind, const float* members, int64_t n) {
  float first = kLowest, second = kLowest;
  for (int64_t i = 0; i < n; ++i) {
    second = std::max(second, std::min(first, members[i]));
    first = std::max(first, members[i]);
  }
  return kind == RouteArgs::GroupScore::max || n == 1 ? first : first + second;
}

// The experts outside the best groups become -inf.
void drop_groups(const RouteArgs& args, float* selection, int64_t experts) {
  const int64_t size = experts / args.groups;
  std::vector<float> scores(static_cast<size_t>(args.groups));
  std::vector<bool> kept(static_cast<size_t>(args.groups));
  for (int64_t g = 0; g < args.groups; ++g)
    scores[static_cast<size_t>(g)] = group_score(args.group_score, selection + g * size, size);
  for (int64_t i = 0; i < args.top_groups; ++i) kept[static_cast<size_t>(take_best(scores.data(), args.groups))] = true;
  for (int64_t g = 0; g < args.groups; ++g)
    if (!kept[static_cast<size_t>(g)]) std::fill_n(selection + g * size, size, kLowest);
}

void route_token(const RouteArgs& args, const float* logits, int64_t experts, int64_t slots, int32_t* ids,
                 float* weights) {
  std::vector<float> s(static_cast<size_t>(experts)), selection;
  score(args.scoring, logits, experts, s.data());
  selection = s;
  if (args.bias)
    for (size_t e = 0; e < s.size(); ++e) selection[e] += args.bias.as<float>()[e];
  for (float& v : selection)
    if (!(v > kHopeless)) v = kHopeless;
  if (args.groups > 1) drop_groups(args, selection.data(), experts);
  float sum = 0;
  for (int64_t a = 0; a < slots; ++a) {
    ids[a] = static_cast<int32_t>(take_best(selection.data(), experts));
    sum += weights[a] = s[static_cast<size_t>(ids[a])];
  }
  const float factor = static_cast<float>(args.scale) / (args.normalize ? sum + 1e-20f : 1.0f);
  for (int64_t a = 0; a < slots; ++a) weights[a] *= factor;
}

}  // namespace

void route(const Env& env, const RouteArgs& args) {
  check_route(args);
  const auto [tokens, experts] = args.logits.dims<2>();
  const int64_t slots = args.ids.dims<2>()[1];
  const float* logits = args.logits.as<float>().data();
  for_rows(env, tokens, 8 * experts, [&, e = experts](int64_t first, int64_t last) {
    for (int64_t n = first; n < last; ++n)
      route_token(args, logits + n * e, e, slots, args.ids.as<int32_t>().data() + n * slots,
                  args.weights.as<float>().data() + n * slots);
  });
}

}  // namespace jevons::cpu
