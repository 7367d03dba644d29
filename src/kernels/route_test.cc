// Routing: cpu against ref, and ref against exhaustive search over all allowed sets of experts.
#include <gtest/gtest.h>

#include <bit>

#include "testing/op_case.h"

namespace jevons {
namespace {

struct Rule {
  std::string name;
  int64_t experts, slots;
  RouteArgs args;
  bool bias = false;
};

using Scoring = RouteArgs::Scoring;
using GroupScore = RouteArgs::GroupScore;

RouteArgs rule(Scoring scoring, int64_t groups, int64_t top_groups, GroupScore score, bool normalize, double scale) {
  RouteArgs args;
  args.scoring = scoring, args.groups = groups, args.top_groups = top_groups, args.group_score = score;
  args.normalize = normalize, args.scale = scale;
  return args;
}

std::vector<Rule> published() {
  return {{"v2-lite", 64, 6, rule(Scoring::softmax, 1, 1, GroupScore::max, false, 1)},
          {"v2", 160, 6, rule(Scoring::softmax, 8, 3, GroupScore::max, false, 16)},
          {"v3", 256, 8, rule(Scoring::sigmoid, 8, 4, GroupScore::top2_sum, true, 2.5), true},
          {"qwen3-moe", 128, 8, rule(Scoring::softmax, 1, 1, GroupScore::max, true, 1)},
          {"odd", 21, 5, rule(Scoring::sigmoid, 7, 3, GroupScore::top2_sum, true, 0.7), true},
          {"groups of one", 6, 2, rule(Scoring::sigmoid, 6, 4, GroupScore::top2_sum, false, 1), true}};
}

TEST(Route, Cases) {
  for (const Rule& r : published()) {
    OpCase test;
    test.name = cat("route ", r.name), test.tokens = 41;
    test.inputs = {{random_values(7, 41 * r.experts, 2), r.experts},
                   {random_values(8, r.experts, 0.2), r.experts, true}};
    test.outputs = {{r.slots}, {r.slots, true}};
    test.factor = 16;
    test.run = [=](const OpCase::Step& s) {
      RouteArgs args = r.args;
      args.logits = s.in[0], args.weights = s.out[0], args.ids = s.out[1];
      if (r.bias) args.bias = s.in[1];
      s.kernels.route(s.env, args);
    };
    EXPECT_EQ("", check(test));
  }
}

struct Routed {
  std::vector<int32_t> ids;
  std::vector<double> weights;
};

template <class T>
Routed route_once(const Kernels& kernels, const Rule& r, std::vector<T> logits, std::vector<T> bias) {
  Exec exec(1);
  Arena arena;
  Routed out{std::vector<int32_t>(static_cast<size_t>(r.slots)), {}};
  std::vector<T> weights(static_cast<size_t>(r.slots));
  RouteArgs args = r.args;
  args.logits = Tensor(logits.data(), Shape{1, r.experts}, DTypeOf<T>::value);
  if (r.bias) args.bias = Tensor(bias.data(), Shape{r.experts}, DTypeOf<T>::value);
  args.ids = Tensor(out.ids.data(), Shape{1, r.slots}, DType::i32);
  args.weights = Tensor(weights.data(), Shape{1, r.slots}, DTypeOf<T>::value);
  kernels.route({exec, arena}, args);
  out.weights.assign(weights.begin(), weights.end());
  return out;
}

std::vector<double> scores(const Rule& r, const std::vector<double>& logits) {
  std::vector<double> s;
  double sum = 0;
  for (const double z : logits) sum += std::exp(z);
  for (const double z : logits)
    s.push_back(r.args.scoring == Scoring::softmax ? std::exp(z) / sum : std::exp(z) / (std::exp(z) + 1));
  return s;
}

// The set of `count` indices, as bits, with the largest sum of values.
uint32_t best_set(const std::vector<double>& values, int64_t count, uint32_t allowed) {
  uint32_t best = 0;
  double most = -1e300;
  for (uint32_t set = 0; set < uint32_t{1} << values.size(); ++set) {
    if (std::popcount(set) != count || (set & ~allowed)) continue;
    double sum = 0;
    for (size_t i = 0; i < values.size(); ++i) sum += set >> i & 1 ? values[i] : 0;
    if (sum > most) most = sum, best = set;
  }
  return best;
}

TEST(Route, RefFindsTheBestSet) {
  for (uint64_t seed = 0; seed < 12; ++seed) {
    const int64_t groups = seed % 3 == 0 ? 1 : 4, top_groups = groups == 1 ? 1 : 2;
    Rule r{"", 12, 3,
           rule(seed % 2 ? Scoring::softmax : Scoring::sigmoid, groups, top_groups,
                seed % 4 < 2 ? GroupScore::max : GroupScore::top2_sum, seed % 2 == 0, 1.5),
           true};
    const std::vector<double> logits = random_values(seed, 12, 2), bias = random_values(seed + 50, 12, 0.3);
    const Routed got = route_once(kernels(DeviceKind::ref), r, logits, bias);
    const std::vector<double> s = scores(r, logits);
    std::vector<double> selection, group_scores;
    for (size_t i = 0; i < 12; ++i) selection.push_back(s[i] + bias[i]);
    for (int64_t g = 0; g < groups; ++g) {
      const int64_t size = 12 / groups;
      const std::vector<double> members(selection.begin() + g * size, selection.begin() + (g + 1) * size);
      const uint32_t set = best_set(members, r.args.group_score == GroupScore::max ? 1 : 2, 0xfff);
      group_scores.push_back(0);
      for (int64_t i = 0; i < size; ++i) group_scores.back() += set >> i & 1 ? members[i] : 0;
    }
    uint32_t allowed = 0, kept = best_set(group_scores, top_groups, 0xf);
    for (int64_t i = 0; i < 12; ++i) allowed |= (kept >> (i * groups / 12) & 1) << i;
    const uint32_t want = best_set(selection, 3, allowed);
    uint32_t chosen = 0;
    double sum = 0;
    for (const int32_t id : got.ids) chosen |= uint32_t{1} << id, sum += s[id];
    EXPECT_EQ(chosen, want) << seed;
    for (size_t a = 0; a < 3; ++a) {
      EXPECT_NEAR(got.weights[a], 1.5 * s[got.ids[a]] / (r.args.normalize ? sum : 1), 1e-14);
      EXPECT_GE(selection[got.ids[a ? a - 1 : 0]], selection[got.ids[a]]);
    }
  }
}

TEST(Route, TiesGoToTheSmallerIndex) {
  Rule r{"", 8, 3, rule(Scoring::sigmoid, 4, 2, GroupScore::top2_sum, true, 1)};
  const std::vector<int32_t> want = {0, 1, 2};
  EXPECT_EQ(route_once(kernels(DeviceKind::ref), r, std::vector<double>(8, 0.5), {}).ids, want);
  EXPECT_EQ(route_once(kernels(DeviceKind::cpu), r, std::vector<float>(8, 0.5f), {}).ids, want);
}

TEST(Route, ChoosesDistinctExpertsWhateverTheNumbers) {
  Rule r{"", 8, 4, rule(Scoring::softmax, 4, 2, GroupScore::max, true, 1)};
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    const std::vector<int32_t> ids = route_once(kernels(DeviceKind::cpu), r, std::vector<float>(8, bad), {}).ids;
    uint32_t set = 0;
    for (const int32_t id : ids) {
      ASSERT_TRUE(id >= 0 && id < 8);
      set |= uint32_t{1} << id;
    }
    EXPECT_EQ(std::popcount(set), 4) << bad;
  }
}

TEST(Route, RefusesImpossibleRules) {
  for (const Rule& r : {Rule{"", 8, 9, rule(Scoring::softmax, 1, 1, GroupScore::max, false, 1)},
                        Rule{"", 8, 5, rule(Scoring::softmax, 4, 2, GroupScore::max, false, 1)},
                        Rule{"", 8, 2, rule(Scoring::softmax, 3, 2, GroupScore::max, false, 1)},
                        Rule{"", 8, 2, rule(Scoring::softmax, 4, 5, GroupScore::max, false, 1)}})
    EXPECT_THROW(route_once(kernels(DeviceKind::cpu), r, std::vector<float>(8), {}), Error);
}

}  // namespace
}  // namespace jevons
