#include "engine/sampler.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/rng.h"

namespace jevons {
namespace {

bool better(const std::pair<float, int32_t>& a, const std::pair<float, int32_t>& b) {
  return a.first != b.first ? a.first > b.first : a.second < b.second;
}

}  // namespace

int32_t argmax(std::span<const float> logits) {
  size_t best = 0;
  while (best + 1 < logits.size() && std::isnan(logits[best])) ++best;
  if (std::isnan(logits[best])) return 0;
  for (size_t i = best + 1; i < logits.size(); ++i)
    if (logits[i] > logits[best]) best = i;
  return static_cast<int32_t>(best);
}

Sampler::Sampler(Sampling settings, std::span<const int32_t> prompt) : settings_(std::move(settings)) {
  for (int32_t token : prompt) history_[token];
}

void Sampler::accept(int32_t token) { ++history_[token].generated; }

void Sampler::penalise(std::span<float> logits) const {
  const auto at = [&](int32_t id) -> float* {
    return id >= 0 && static_cast<size_t>(id) < logits.size() ? &logits[static_cast<size_t>(id)] : nullptr;
  };
  for (const auto& [id, bias] : settings_.logit_bias)
    if (float* l = at(id)) *l += static_cast<float>(bias);
  if (settings_.repetition_penalty == 1 && settings_.presence_penalty == 0 && settings_.frequency_penalty == 0) return;
  const float repetition = static_cast<float>(settings_.repetition_penalty);
  for (const auto& [id, seen] : history_) {
    float* l = at(id);
    if (!l) continue;
    *l = *l > 0 ? *l / repetition : *l * repetition;
    if (seen.generated > 0)
      *l -= static_cast<float>(settings_.presence_penalty + settings_.frequency_penalty * seen.generated);
  }
}

int32_t Sampler::draw(std::span<float> logits, int64_t position) {
  penalise(logits);
  const int32_t best = argmax(logits);
  if (settings_.temperature <= 0 || settings_.top_k == 1) return best;

  // Softmax at the temperature, unnormalised; what is below e^-40 of the best cannot be drawn with 53 bits.
  const float top = logits[static_cast<size_t>(best)];
  const float inverse = static_cast<float>(1 / settings_.temperature);
  const float floor = static_cast<float>(std::log(settings_.min_p));  // log 0 = -inf keeps all
  candidates_.clear();
  for (size_t i = 0; i < logits.size(); ++i) {
    const float z = (logits[i] - top) * inverse;
    if (z > -40 && z >= floor) candidates_.emplace_back(std::exp(z), static_cast<int32_t>(i));
  }
  if (candidates_.empty()) return best;  // an infinite one, or none that is a number
  if (settings_.top_k > 0) keep_best(static_cast<size_t>(settings_.top_k));
  double mass = 0;
  for (const auto& [p, id] : candidates_) mass += p;
  if (settings_.top_p < 1) mass = keep_nucleus(settings_.top_p * mass);
  double rest = uniform(settings_.seed, static_cast<uint64_t>(position)) * mass;
  for (const auto& [p, id] : candidates_)
    if ((rest -= p) < 0) return id;
  return candidates_.back().second;
}

void Sampler::keep_best(size_t count) {
  if (count < candidates_.size()) {
    std::nth_element(candidates_.begin(), candidates_.begin() + static_cast<int64_t>(count), candidates_.end(), better);
    candidates_.resize(count);
  }
  std::sort(candidates_.begin(), candidates_.end(), better);
}

// Sorts only as far as the mass needs: the best 64, then four times as many, ...
double Sampler::keep_nucleus(double wanted) {
  double kept = 0;
  size_t sorted = 0;
  for (size_t count = 0;; ++count) {
    if (count == candidates_.size()) return kept;
    if (kept >= wanted && count > 0) return candidates_.resize(count), kept;
    if (count == sorted) {
      const size_t end = std::min(candidates_.size(), sorted ? 4 * sorted : 64);
      const auto at = [&](size_t i) { return candidates_.begin() + static_cast<int64_t>(i); };
      if (end < candidates_.size()) std::nth_element(at(sorted), at(end), candidates_.end(), better);
      std::sort(at(sorted), at(end), better);
      sorted = end;
    }
    kept += candidates_[count].first;
  }
}

}  // namespace jevons
