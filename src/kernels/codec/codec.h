// Rows of weights between their stored form (Pack) and plain numbers.
//
// dequantize_row: value[i] = scale[g] * code[i] - minimum[g], g = i / group (block_layouts.h). Source: the block
// formats of
//   GGUF as ggml publishes them. float: every product and difference rounded once to f32, the numbers that ggml's own
//   reference and the `gguf` Python package give, bit for bit. double: the same formula without any rounding, for the
//   reference backend. f64 rows given as float are rounded to nearest.
// Shapes: n numbers, a multiple of the pack's block; src holds row_bytes(pack, n) bytes at any alignment.
// cost: about n additions and multiplications; each byte of src read once.
#pragma once
#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"
#include "tensor/weight.h"

namespace jevons {

// Any pack but fp8_block128, whose scales lie elsewhere. T: float or double.
template <class T>
void dequantize_row(Pack pack, const std::byte* src, int64_t n, T* dst);

// dst[i] = E4M3(src[i]) * scale[i / 128]; `scale` is the row's line of the [ceil(rows/128), ceil(cols/128)] scale
// matrix
// (`weight_scale_inv` of DeepSeek-V3; report section 3.3). n need not be a multiple of 128. NaN codes stay NaN.
template <class T>
void dequantize_fp8_block128(const std::byte* src, int64_t n, const float* scale, T* dst);

// Row `row` of matrix `index` of a weight in Layout::rows, whatever its pack.
template <class T>
void dequantize_row(const Weight& weight, int64_t index, int64_t row, T* dst);

// Stores n numbers in `pack`, choosing scales, minima and codes that make sum_i importance[i] (x[i] - stored[i])^2
// small: a search over starting scales with closed-form least squares for scale and minimum (fit.h). f16, bf16: nearest
// even. `importance` (one positive number per value; null: all 1) weighs the columns. Every number must pass
// all_within(src, n, quantize_limit(pack)); the caller refuses others by the tensor's name. One function of the input:
// same bytes on every machine and thread count. cost: 30 to 80 ns a number on one AVX2 core.
void quantize_row(Pack pack, const float* src, int64_t n, std::byte* dst, const float* importance);

// Whether quantize_row knows `pack`.
bool can_quantize_to(Pack pack);

// The largest magnitude a row may hold: 65504 where scales or values are f16, the largest f32 for f32 and bf16.
float quantize_limit(Pack pack);

// False if any of the n numbers is NaN or exceeds `limit` in magnitude.
bool all_within(const float* values, int64_t n, float limit);

// False if any of the n numbers is infinite or NaN.
bool all_finite(const float* values, int64_t n);

}  // namespace jevons
