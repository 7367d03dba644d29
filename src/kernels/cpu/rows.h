// Spreading cheap work on rows over the threads: only when there is enough of it to pay for waking them.
#pragma once
#include <algorithm>
#include <cstdint>

#include "kernels/kernels.h"

namespace jevons {

// Calls body(first, last) on consecutive ranges that cover [0, rows). `row_numbers`: numbers touched per row.
// A range holds about 16k numbers (a few us), so a decode step stays on the calling thread.
template <class Body>
void for_rows(const Env& env, int64_t rows, int64_t row_numbers, const Body& body) {
  const int64_t step = std::max<int64_t>(1, 16384 / std::max<int64_t>(row_numbers, 1));
  env.exec.parallel_for((rows + step - 1) / step, [&](int64_t i) { body(i * step, std::min(rows, (i + 1) * step)); });
}

}  // namespace jevons
