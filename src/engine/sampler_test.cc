// Each setting of the sampler against a plain computation in double: the exact set of tokens that may come, and their
// frequencies over many draws (chi-square; seeds are fixed, so the outcome is too).
#include "engine/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <random>

namespace jevons {
namespace {

struct Expected {
  std::vector<double> p;  // [V], zero for what may not come
  double margin = 1;      // how near a token was to the border of a rule
};

std::vector<double> penalised(const std::vector<float>& logits, const Sampling& s, const std::vector<int32_t>& prompt,
                              const std::vector<int32_t>& generated) {
  std::vector<double> l(logits.begin(), logits.end());
  for (int32_t id = 0; id < static_cast<int32_t>(l.size()); ++id) {
    const size_t i = static_cast<size_t>(id);
    if (s.logit_bias.contains(id)) l[i] += s.logit_bias.at(id);
    const auto made = static_cast<double>(std::count(generated.begin(), generated.end(), id));
    if (made > 0 || std::count(prompt.begin(), prompt.end(), id) > 0)
      l[i] = l[i] > 0 ? l[i] / s.repetition_penalty : l[i] * s.repetition_penalty;
    if (made > 0) l[i] -= s.presence_penalty + s.frequency_penalty * made;
  }
  return l;
}

Expected expect(const std::vector<float>& logits, const Sampling& s, const std::vector<int32_t>& prompt = {},
                const std::vector<int32_t>& generated = {}) {
  const std::vector<double> l = penalised(logits, s, prompt, generated);
  std::vector<size_t> order(l.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return l[a] > l[b]; });
  Expected out;
  out.p.assign(l.size(), 0);
  const auto weight = [&](size_t i) { return std::exp((l[i] - l[order[0]]) / s.temperature); };
  std::vector<size_t> kept;
  for (size_t i : order) {
    if (s.min_p > 0) out.margin = std::min(out.margin, std::fabs(weight(i) / s.min_p - 1));
    if (weight(i) >= s.min_p) kept.push_back(i);
  }
  if (s.top_k > 0 && kept.size() > static_cast<size_t>(s.top_k)) kept.resize(static_cast<size_t>(s.top_k));
  double all = 0, mass = 0;
  for (size_t i : kept) all += weight(i);
  for (size_t count = 0; count < kept.size(); ++count) {
    mass += weight(kept[count]);
    if (s.top_p < 1) out.margin = std::min(out.margin, std::fabs(mass / all - s.top_p));
    if (s.top_p < 1 && mass >= s.top_p * all) kept.resize(count + 1);
  }
  for (size_t i : kept) out.p[i] = weight(i) / mass;
  return out;
}

std::vector<float> random_logits(std::mt19937& random, size_t count, float spread) {
  std::normal_distribution<float> normal(0, spread);
  std::vector<float> out(count);
  for (float& l : out) l = normal(random);
  return out;
}

// Draws, then looks at the set and at chi-square, bound at four sigma (Wilson and Hilferty 1931).
void check(const std::vector<float>& logits, const Sampling& s, const std::vector<int32_t>& prompt = {},
           const std::vector<int32_t>& generated = {}, int draws = 3000) {
  const Expected expected = expect(logits, s, prompt, generated);
  Sampler sampler(s, prompt);
  for (int32_t id : generated) sampler.accept(id);
  std::vector<double> count(logits.size());
  for (int i = 0; i < draws; ++i) {
    std::vector<float> scratch = logits;
    const int32_t id = sampler.draw(scratch, i);
    ASSERT_GE(id, 0);
    ASSERT_LT(static_cast<size_t>(id), logits.size());
    ASSERT_GT(expected.p[static_cast<size_t>(id)], 0) << "token " << id << " may not come";
    ++count[static_cast<size_t>(id)];
  }
  double chi = 0, rare_count = 0, rare = 0;
  int bins = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    const double mean = expected.p[i] * draws;
    EXPECT_TRUE(mean <= 30 || count[i] > 0) << "token " << i << " must come";
    if (mean < 5) {
      rare += mean, rare_count += count[i];
    } else {
      chi += (count[i] - mean) * (count[i] - mean) / mean, ++bins;
    }
  }
  if (rare >= 5) chi += (rare_count - rare) * (rare_count - rare) / rare, ++bins;
  if (bins < 2) return;
  const double df = bins - 1, root = 1 - 2 / (9 * df) + 4 * std::sqrt(2 / (9 * df));
  EXPECT_LT(chi, df * root * root * root) << df << " degrees of freedom";
}

void check_many(const std::function<void(std::mt19937&, Sampling&)>& vary, size_t vocabulary = 24) {
  std::mt19937 random(11);
  for (int round = 0; round < 12; ++round) {
    Sampling s;
    s.temperature = 1;
    s.seed = static_cast<uint64_t>(round) + 1000;
    const std::vector<float> logits = random_logits(random, vocabulary, 1.5f);
    vary(random, s);
    if (expect(logits, s).margin < 1e-5) continue;  // float32 may decide otherwise on the border
    SCOPED_TRACE(testing::Message() << "round " << round << ": temperature " << s.temperature << ", top_k " << s.top_k
                                    << ", top_p " << s.top_p << ", min_p " << s.min_p);
    check(logits, s);
  }
}

double between(std::mt19937& random, double low, double high) {
  return std::uniform_real_distribution<double>(low, high)(random);
}

TEST(Sampler, Temperature) {
  check_many([](std::mt19937& r, Sampling& s) { s.temperature = between(r, 0.2, 3); });
}
TEST(Sampler, TopK) {
  check_many([](std::mt19937& r, Sampling& s) { s.top_k = static_cast<int64_t>(between(r, 2, 30)); });
}
TEST(Sampler, TopP) {
  check_many([](std::mt19937& r, Sampling& s) { s.top_p = between(r, 0, 1); });
}
TEST(Sampler, TopPOverManyTokens) {  // more than are sorted at first
  check_many([](std::mt19937& r, Sampling& s) { s.temperature = 4, s.top_p = between(r, 0.5, 1); }, 700);
}
TEST(Sampler, MinP) {
  check_many([](std::mt19937& r, Sampling& s) { s.min_p = between(r, 0.01, 0.9); });
}
TEST(Sampler, AllTogether) {
  check_many([](std::mt19937& r, Sampling& s) {
    s.temperature = between(r, 0.5, 2), s.top_k = static_cast<int64_t>(between(r, 2, 20));
    s.top_p = between(r, 0.4, 1), s.min_p = between(r, 0, 0.1);
  });
}

TEST(Sampler, PenaltiesAndBias) {
  std::mt19937 random(5);
  for (int round = 0; round < 8; ++round) {
    Sampling s;
    s.temperature = 1, s.seed = static_cast<uint64_t>(round);
    s.repetition_penalty = between(random, 0.7, 1.6);
    s.presence_penalty = between(random, -1, 1), s.frequency_penalty = between(random, -0.5, 0.5);
    s.logit_bias = {{2, 1.5}, {3, -100}, {7, -0.5}, {-1, 50}, {5000, 50}};  // the last two are in no vocabulary
    SCOPED_TRACE(round);
    check(random_logits(random, 16, 1.5f), s, {1, 2, 2, 9}, {2, 4, 4, 4, 15});
  }
}

TEST(Sampler, GreedyTakesTheSmallestOfEqualLogits) {
  std::vector<float> logits = {1, 3, 2, 3, 3};
  EXPECT_EQ(argmax(logits), 1);
  Sampling s;
  EXPECT_EQ(Sampler(s, {}).draw(logits, 0), 1);
  s.temperature = 1, s.top_k = 1;
  EXPECT_EQ(Sampler(s, {}).draw(logits, 0), 1);
  s.top_k = 0, s.top_p = 0;  // the smallest set is one token
  for (int i = 0; i < 50; ++i) EXPECT_EQ(Sampler(s, {}).draw(logits, i), 1);
  s.top_p = 1, s.top_k = 2;  // of three equals the smaller two ids
  for (int i = 0; i < 50; ++i) EXPECT_LT(Sampler(s, {}).draw(logits, i), 4);
  s.top_k = 0, s.temperature = 1e-30;  // only the equals are left
  EXPECT_EQ(logits[static_cast<size_t>(Sampler(s, {}).draw(logits, 0))], 3);
}

TEST(Sampler, ADrawDependsOnSeedAndPositionOnly) {
  std::mt19937 random(3);
  const std::vector<float> logits = random_logits(random, 50, 1);
  Sampling s;
  s.temperature = 1, s.seed = 9;
  Sampler used(s, {});
  std::vector<int32_t> first, again, other;
  for (int i = 0; i < 40; ++i) {
    std::vector<float> a = logits, b = logits, c = logits;
    first.push_back(used.draw(a, i));
    Sampler fresh(s, {});
    again.push_back(fresh.draw(b, i));
    Sampling t = s;
    t.seed = 10;
    other.push_back(Sampler(t, {}).draw(c, i));
  }
  EXPECT_EQ(first, again);
  EXPECT_NE(first, other);
}

TEST(Sampler, LogitsThatAreNoNumbersAreNeverDrawn) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  for (double temperature : {0.0, 1.0}) {
    Sampling s;
    s.temperature = temperature;
    for (int i = 0; i < 100; ++i) {
      std::vector<float> first = {nan, 1, 2, 1}, last = {1, 2, 1, nan}, bound = {-inf, 1, -inf, 2};
      EXPECT_NE(Sampler(s, {}).draw(first, i), 0);
      EXPECT_NE(Sampler(s, {}).draw(last, i), 3);
      EXPECT_EQ(Sampler(s, {}).draw(bound, i) % 2, 1);
      std::vector<float> none = {nan, nan}, sure = {1, inf, 2};
      EXPECT_EQ(Sampler(s, {}).draw(none, i), 0);
      EXPECT_EQ(Sampler(s, {}).draw(sure, i), 1);
    }
  }
}

}  // namespace
}  // namespace jevons
