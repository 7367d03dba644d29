// Sampler: from the logits of one position to one token. A draw is a function of (logits, history, settings, seed,
// position) alone, so a request gives the same text whatever runs beside it.
//
// Order: logit bias; repetition, presence and frequency penalties; then greedy (temperature 0) or: temperature, min-p,
// top-k, top-p, draw. Ties go to the smaller id.
//   repetition (Keskar et al. 2019): l > 0 ? l / r : l * r for tokens in the history
//   presence, frequency (OpenAI API): l - presence * [count > 0] - frequency * count, counting generated tokens
//   top-p (Holtzman et al. 2020): the smallest set of most likely tokens with mass >= p;  min-p: p_i >= min_p * p_max
#pragma once
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace jevons {

struct Sampling {
  double temperature = 0;  // 0: greedy
  double top_p = 1, min_p = 0;
  int64_t top_k = 0;  // 0: all
  double repetition_penalty = 1, presence_penalty = 0, frequency_penalty = 0;
  std::unordered_map<int32_t, double> logit_bias;
  uint64_t seed = 0;
};

class Sampler {
 public:
  Sampler(Sampling settings, std::span<const int32_t> prompt);
  // Draws token number `position` of the sequence. `logits` [V] is scratch afterwards.
  int32_t draw(std::span<float> logits, int64_t position);
  // Tells the history of a token that came (drawn or forced).
  void accept(int32_t token);

 private:
  void penalise(std::span<float> logits) const;
  void keep_best(size_t count);
  double keep_nucleus(double wanted);
  Sampling settings_;
  struct Seen {
    int32_t generated = 0;
  };
  std::unordered_map<int32_t, Seen> history_;
  std::vector<std::pair<float, int32_t>> candidates_;
};

// The id of the greatest logit, the smallest of equals. A NaN is never the greatest; 0 if all are NaN.
int32_t argmax(std::span<const float> logits);

}  // namespace jevons
