// RowPlan: which rows of the token stream each step reads, and how many: a function of the settings and the step alone,
// so a run resumes anywhere.
//   sequential: step k takes the next B(k) rows of the stream, in order.
//   shuffled:   the R = (tokens - 1) / seq rows of the stream are taken in an order drawn anew for every pass (Fisher
//               and Yates 1938, draws from Philox at (seed, pass)).
//   B(k) = ramp_from + (batch - ramp_from) k / ramp_steps for k < ramp_steps, then batch.
#pragma once
#include <cstdint>
#include <vector>

#include "train/settings.h"

namespace jevons {

class RowPlan {
 public:
  RowPlan(int64_t tokens, const TrainSettings& settings);
  int64_t rows() const { return rows_; }  // of one pass
  int64_t batch(int64_t step) const;
  int64_t rows_before(int64_t step) const;  // read by the steps before
  // First token of every row of the step. One pass's order is kept: 4 bytes a row.
  std::vector<int64_t> firsts(int64_t step);
  // Steps after which `rows` rows or more were read.
  int64_t steps_for(int64_t rows) const;

 private:
  void shuffle(int64_t pass);
  TrainSettings settings_;
  int64_t rows_;
  int64_t pass_ = -1;
  std::vector<uint32_t> order_;
};

}  // namespace jevons
