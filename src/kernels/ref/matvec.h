// y = W[index] x in float64, weights dequantised row by row.
#pragma once
#include <vector>

#include "kernels/codec/codec.h"

namespace jevons::ref {

inline void matvec(const Weight& w, int64_t index, const double* x, double* y) {
  JEVONS_CHECK(w.layout == Layout::rows);
  std::vector<double> row(static_cast<size_t>(w.cols));
  for (int64_t r = 0; r < w.rows; ++r) {
    dequantize_row(w, index, r, row.data());
    double sum = 0;
    for (int64_t c = 0; c < w.cols; ++c) sum += row[static_cast<size_t>(c)] * x[c];
    y[r] = sum;
  }
}

}  // namespace jevons::ref
