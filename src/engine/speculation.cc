#include "engine/speculation.h"

#include <algorithm>

namespace jevons {

uint64_t PromptLookup::key(size_t end, size_t length) const {
  uint64_t h = length;
  for (size_t i = end - length; i < end; ++i) {
    h = (h ^ static_cast<uint32_t>(tokens_[i])) * 0x9E3779B97F4A7C15u;
    h ^= h >> 29;
  }
  return h;
}

void PromptLookup::push(int32_t token) {
  const size_t n = tokens_.size();
  for (size_t length : {2, 3})
    if (n >= length) after_[key(n, length)] = n;
  tokens_.push_back(token);
}

std::vector<int32_t> PromptLookup::draft(int64_t most) const {
  for (size_t length : {3, 2}) {
    if (tokens_.size() < length) continue;
    const auto found = after_.find(key(tokens_.size(), length));
    if (found == after_.end()) continue;
    std::vector<int32_t> out;
    for (size_t i = found->second; i < tokens_.size() && static_cast<int64_t>(out.size()) < most; ++i)
      out.push_back(tokens_[i]);
    return out;
  }
  return {};
}

void StepCosts::measured(int64_t rows, double seconds) {
  if (rows < 1 || rows > kRows) return;
  double& known = seconds_[static_cast<size_t>(rows)];
  // A disturbed step is slow, none is too fast: trust falls more than rises.
  known = known == 0 ? seconds : known + (seconds < known ? 0.5 : 0.1) * (seconds - known);
  step_[static_cast<size_t>(rows)] = ++steps_;
  for (size_t r = 2; r <= kRows; ++r)
    if (step_[r] + kForget < steps_) seconds_[r] = 0;
}

double StepCosts::at(int64_t rows) const {
  rows = std::min(rows, kRows);
  for (int64_t r = rows; r >= 1; --r)
    if (seconds_[static_cast<size_t>(r)] > 0) return seconds_[static_cast<size_t>(r)];
  for (int64_t r = rows; r <= kRows; ++r)
    if (seconds_[static_cast<size_t>(r)] > 0) return seconds_[static_cast<size_t>(r)];
  return 0;
}

void Acceptance::checked(int64_t drafted, int64_t accepted) {
  for (int64_t i = 0; i < std::min(drafted, accepted + 1); ++i) {
    double& rate = rate_[static_cast<size_t>(i)];
    rate += 0.1 * ((i < accepted ? 1 : 0) - rate);
  }
  fade(drafted);
}

void Acceptance::fade(int64_t from) {
  for (size_t i = static_cast<size_t>(from); i < rate_.size(); ++i) rate_[i] += 0.005 * (0.5 - rate_[i]);
}

void add_guesses(StepPlan& plan, const Offer& offer, int64_t guesses) {
  double chance = 1;
  for (int64_t i = 0; i < guesses; ++i) plan.tokens += chance *= offer.acceptance.rate(i);
  plan.rows += guesses;
  plan.drafting += static_cast<double>(guesses) * offer.seconds;
}

Choice best_offer(const StepCosts& costs, const StepPlan& plan, std::span<const Offer> offers) {
  if (costs.at(plan.rows) <= 0) return {};
  double best = 1.02 * plan.tokens / (costs.at(plan.rows) + plan.drafting);
  Choice out;
  for (size_t o = 0; o < offers.size(); ++o)
    for (int64_t k = 1; k <= std::min(offers[o].most, kMostDrafts); ++k) {
      StepPlan with = plan;
      add_guesses(with, offers[o], k);
      const double rate = with.tokens / (costs.at(with.rows) + with.drafting);
      if (rate > best) best = rate, out = {o, k};
    }
  return out;
}

Choice likeliest_offer(std::span<const Offer> offers) {
  Choice out;
  for (size_t o = 0; o < offers.size(); ++o)
    if (offers[o].most > 0 && (out.guesses == 0 || offers[o].acceptance.rate() > offers[out.offer].acceptance.rate()))
      out = {o, offers[o].most};
  return out;
}

}  // namespace jevons
