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

// False if any of the n numbers is infinite or NaN. A quantiser's input must pass this; the caller names the tensor.
bool all_finite(const float* values, int64_t n);

}  // namespace jevons
