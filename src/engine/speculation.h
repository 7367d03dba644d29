// Speculation: guesses of the next tokens, checked by the model in one step. A step of a few rows reads the weights
// once, so a right guess is nearly free. Guesses never change the text: a row's bits do not depend on its neighbours,
// and a token is drawn from its own row with its own random numbers, so what is kept is what would have come anyway,
// under greedy decoding and under sampling alike (stronger than the equal distribution of Leviathan et al. 2023).
//
// Guesses come from the sequence itself (prompt lookup, Saxena 2023: what followed the last three tokens, or the last
// two, when they stood there before) or from a network (engine/drafter.h). Which source and how many guesses are worth
// a step is decided from measured acceptance and measured times.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace jevons {

enum class Speculation { off, measured, always };

inline constexpr int64_t kMostDrafts = 8;

// Cost: O(1) per token, about 40 bytes.
class PromptLookup {
 public:
  void push(int32_t token);
  // At most `most` tokens that may follow; empty if the last two are new.
  std::vector<int32_t> draft(int64_t most) const;

 private:
  uint64_t key(size_t end, size_t length) const;  // of tokens [end - length, end)
  std::vector<int32_t> tokens_;
  std::unordered_map<uint64_t, size_t> after_;  // where the newest continuation of a pair or triple begins
};

// Seconds of a step by its rows, from those that were made. What was not tried is taken to cost as much as the next
// smaller one, so that it is tried; what was not tried for long is forgotten.
class StepCosts {
 public:
  void measured(int64_t rows, double seconds);
  double at(int64_t rows) const;

 private:
  static constexpr int64_t kRows = 64, kForget = 256;
  std::array<double, kRows + 1> seconds_{};
  std::array<int64_t, kRows + 1> step_{};
  int64_t steps_ = 0;
};

// How often guesses of one source are right in one sequence, as moving averages.
class Acceptance {
 public:
  Acceptance() { rate_.fill(0.6); }
  void checked(int64_t drafted, int64_t accepted);
  void skipped() { fade(0); }
  // P(guess number `depth` of a step is right | all before it were), depth from 0.
  double rate(int64_t depth = 0) const { return rate_[static_cast<size_t>(depth)]; }

 private:
  void fade(int64_t from);  // an old judgement is worth less and less
  std::array<double, kMostDrafts> rate_;
};

// What a source can give a sequence now, and seconds per guess.
struct Offer {
  const Acceptance& acceptance;
  int64_t most;
  double seconds = 0;
};

// A step as planned so far: its rows, the tokens that it should give, and seconds of making its guesses.
struct StepPlan {
  int64_t rows = 0;
  double tokens = 0, drafting = 0;
};

struct Choice {
  size_t offer = 0;
  int64_t guesses = 0;
};
// The offer and the number of guesses that give the most tokens a second; 0 guesses if none pays.
Choice best_offer(const StepCosts& costs, const StepPlan& plan, std::span<const Offer> offers);
// The offer that is right most often, and all it has, whatever it costs.
Choice likeliest_offer(std::span<const Offer> offers);
void add_guesses(StepPlan& plan, const Offer& offer, int64_t guesses);

}  // namespace jevons
