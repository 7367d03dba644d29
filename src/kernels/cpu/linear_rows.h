// The float32 path of the linear maps: rows of any pack, widened to f32 in scratch, against f32 activations. Used for
// f32, f16, bf16 and fp8_block128 weights, for packs without a panel form, and for everything when `Env::exact`.
//
// dot: sixteen lane sums, lane i taking the columns c = i (mod 16) in ascending order by fused multiply-add; then the
// tree lane[i] += lane[i + w] for w = 8, 4, 2, 1. The same for every tile shape and instruction set.
#pragma once
#include <cstddef>
#include <cstdint>

#include "tensor/weight.h"

namespace jevons {

// out[c] = W[row, c] for c in [0, cols), of matrix `matrix` of the stack, Layout::rows. Exact for all packs but
// fp8_block128, where code * scale is rounded to f32.
void widen_row(const Weight& weight, int64_t matrix, int64_t row, float* out);

// out[t * 16 + r] = sum_c w[r * cols + c] * x[t][c] for r in [0, rows), t in [0, count).
// cost: 2 rows count cols flops.
void dot_rows(const float* w, int64_t rows, int64_t cols, const float* const* x, int64_t count, float* out);

// The same for rows [row, row + rows) of a weight in Layout::rows, without widening into scratch first: f32, and f16
// and bf16 for up to three tokens, on instruction sets that can. False: not done, widen them. The same bits either way.
bool dot_stored_rows(const Weight& weight, int64_t matrix, int64_t row, int64_t rows, const float* const* x,
                     int64_t count, float* out);

}  // namespace jevons
