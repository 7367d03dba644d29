// Speculation: guesses of the next tokens, checked by the model in one step. A step of a few rows reads the weights
// once, so a right guess is nearly free. Guesses never change the text: a row's bits do not depend on its neighbours,
// and a token is drawn from its own row with its own random numbers, so what is kept is what would have come anyway,
// under greedy decoding and under sampling alike (stronger than the equal distribution of Leviathan et al. 2023).
//
// Guesses come from the sequence itself (prompt lookup, Saxena 2023): what followed the last three tokens, or the last
// two, when they stood there before. How many are worth a step is decided from measured acceptance and measured step
// times.
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

// How often guesses of one sequence are right: P(next | all before were right), as a moving average.
class Acceptance {
 public:
  void checked(int64_t drafted, int64_t accepted);
  void skipped() { rate_ += 0.005 * (0.5 - rate_); }  // an old judgement fades
  double rate() const { return rate_; }

 private:
  double rate_ = 0.6;
};

// The number of guesses, 0 to `most`, that gives the most tokens a second, in a step that has `rows` rows without them.
int64_t worthwhile_drafts(const StepCosts& costs, double acceptance, int64_t rows, int64_t most);

}  // namespace jevons
