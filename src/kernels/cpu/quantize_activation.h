// Activations in int8 for the packed kernels: q = round(x / d), d = max|x| / 127 over a block of 32 or of 256 columns,
// with the sums of q that minima and offsets of the weights need. Rounding to nearest even; the same bits on every
// tier. A block with an infinity or NaN gets d = NaN, so the outputs it reaches are NaN; a block with max|x| < 1e-30
// counts as 0.
//
// One record per row, so that a kernel needs one pointer per token:
//   block 32:  q i8[cols] | d f32[cols/32] | d * sum(q) f32[cols/32] | sum(q) i32[cols/32] | wide i16[cols] if asked
//   block 256: q i8[cols] | d f32[cols/256] | sums of 32 i16[cols/32] | sums of 16 i16[cols/16]
// wide: columns k..k+3 of every four as (k, k+2, k+1, k+3), for 16-bit dot products.
// cost: reads 4 bytes and writes about 1.4 per number.
#pragma once
#include <cstddef>
#include <cstdint>

#include "tensor/tensor.h"

namespace jevons {

struct QuantizedRows {
  std::byte* data = nullptr;
  int64_t cols = 0, block = 0;
  bool wide = false;

  explicit operator bool() const { return data != nullptr; }
  const std::byte* row(int64_t i) const { return data + i * stride(); }
  int64_t scale_at() const { return cols; }
  int64_t scaled_sum_at() const { return cols + cols / 32 * 4; }     // block 32
  int64_t sum_at() const { return cols + cols / 32 * 8; }            // block 32
  int64_t wide_at() const { return cols + cols / 32 * 12; }          // block 32
  int64_t sum32_at() const { return cols + cols / 256 * 4; }         // block 256
  int64_t sum16_at() const { return sum32_at() + cols / 256 * 16; }  // block 256
  int64_t stride() const {
    const int64_t bytes = block == 32 ? wide_at() + (wide ? 2 * cols : 0) : sum16_at() + cols / 256 * 32;
    return (bytes + 63) / 64 * 64;
  }
};

// Room for `rows` rows; cols must be a multiple of the block, 32 or 256.
QuantizedRows alloc_quantized(Arena& arena, int64_t rows, int64_t cols, int64_t block, bool wide);
// Fills row `i` of `out` from x[cols].
void quantize_row(const float* x, const QuantizedRows& out, int64_t i);

}  // namespace jevons
