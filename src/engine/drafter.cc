#include "engine/drafter.h"

namespace jevons {

std::span<float> as_floats(const Tensor& logits, std::vector<float>& narrow) {
  if (logits.dtype() == DType::f32) return logits.as<float>();
  const auto wide = logits.as<double>();
  narrow.assign(wide.begin(), wide.end());
  return narrow;
}

void Drafter::draw(Job& job, const Tensor& logits) {
  std::vector<float> narrow;
  const auto position = static_cast<int64_t>(job.sequence.tokens.size() + job.guesses.size());
  job.guesses.push_back(job.sampler.draw(as_floats(logits, narrow), position));
}

}  // namespace jevons
