#include "train/row_plan.h"

#include <algorithm>
#include <numeric>

#include "base/rng.h"
#include "base/strings.h"

namespace jevons {

RowPlan::RowPlan(int64_t tokens, const TrainSettings& settings)
    : settings_(settings), rows_(std::max<int64_t>(0, (tokens - 1) / settings.seq)) {
  if (settings.order == "shuffled" && (rows_ < 1 || rows_ > UINT32_MAX))
    throw Error(Code::invalid, cat("the stream has ", tokens, " tokens, which are ", rows_, " rows of ", settings.seq,
                                   " tokens and one more target; expected 1 to 4294967295 rows"));
}

int64_t RowPlan::batch(int64_t step) const {
  if (step >= settings_.ramp_steps) return settings_.batch;
  return settings_.ramp_from + (settings_.batch - settings_.ramp_from) * step / settings_.ramp_steps;
}

int64_t RowPlan::rows_before(int64_t step) const {
  int64_t sum = 0;
  for (int64_t k = 0; k < std::min(step, settings_.ramp_steps); ++k) sum += batch(k);
  return sum + std::max<int64_t>(0, step - settings_.ramp_steps) * settings_.batch;
}

int64_t RowPlan::steps_for(int64_t rows) const {
  int64_t step = 0, sum = 0;
  for (; sum < rows && step < settings_.ramp_steps; ++step) sum += batch(step);
  return step + std::max<int64_t>(0, (rows - sum + settings_.batch - 1) / settings_.batch);
}

std::vector<int64_t> RowPlan::firsts(int64_t step) {
  std::vector<int64_t> out(static_cast<size_t>(batch(step)));
  const int64_t before = rows_before(step);
  for (size_t b = 0; b < out.size(); ++b) {
    const int64_t n = before + static_cast<int64_t>(b);
    if (settings_.order == "shuffled") {
      shuffle(n / rows_);
      out[b] = order_[static_cast<size_t>(n % rows_)] * settings_.seq;
    } else {
      out[b] = n * settings_.seq;
    }
  }
  return out;
}

void RowPlan::shuffle(int64_t pass) {
  if (pass == pass_) return;
  constexpr uint64_t kStream = uint64_t{0x726f7773} << 32;  // apart from the draws of the weights
  pass_ = pass;
  order_.resize(static_cast<size_t>(rows_));
  std::iota(order_.begin(), order_.end(), 0u);
  for (size_t i = order_.size(); i-- > 1;) {
    const auto r = philox(settings_.seed, i, kStream + static_cast<uint64_t>(pass));
    std::swap(order_[i], order_[(uint64_t{r[0]} << 32 | r[1]) % (i + 1)]);  // at most 4e9 of 2^64: no bias to see
  }
}

}  // namespace jevons
