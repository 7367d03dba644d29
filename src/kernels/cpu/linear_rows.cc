#include "kernels/cpu/linear_rows.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/codec/codec.h"
#include "kernels/cpu/isa.h"
#include "tensor/half.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace jevons {
namespace {

constexpr int64_t kLanes = 16;
[[maybe_unused]] constexpr int64_t kStoredTokens = 3;  // one tile; more would widen the same numbers again

float sum_lanes(float* lane) {
  for (int w = 8; w > 0; w /= 2)
    for (int i = 0; i < w; ++i) lane[i] += lane[i + w];
  return lane[0];
}

void dot_portable(const float* w, int64_t rows, int64_t cols, const float* const* x, int64_t count, float* out) {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t t = 0; t < count; ++t) {
      float lane[kLanes] = {};
      const float* a = w + r * cols;
      const float* b = x[t];
      for (int64_t c = 0; c < cols; c += kLanes)
        for (int64_t i = 0; i < kLanes; ++i) {
          const bool live = c + i < cols;
          lane[i] = std::fma(live ? a[c + i] : 0.0f, live ? b[c + i] : 0.0f, lane[i]);
        }
      out[t * kLanes + r] = sum_lanes(lane);
    }
}

#if defined(__x86_64__)

JEVONS_AVX2_INLINE float sum_lanes_avx2(__m256 low, __m256 high) {
  const __m256 a = _mm256_add_ps(low, high);
  __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  b = _mm_add_ps(b, _mm_movehl_ps(b, b));
  return _mm_cvtss_f32(_mm_add_ss(b, _mm_movehdup_ps(b)));
}

JEVONS_AVX2_INLINE __m256i tail_mask(int64_t live) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(live)), lane);
}

// Eight weights from column c on as floats, straight from memory.
struct FromF32 {
  using Element = float;
  JEVONS_AVX2_INLINE __m256 load(const Element* p, int64_t) const { return _mm256_loadu_ps(p); }
};
struct FromF16 {
  using Element = uint16_t;
  JEVONS_AVX2_INLINE __m256 load(const Element* p, int64_t) const {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
};
struct FromBf16 {
  using Element = uint16_t;
  JEVONS_AVX2_INLINE __m256 load(const Element* p, int64_t) const {
    const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
  }
};

// E4M3 to f16 by a shift: sign | exponent and mantissa << 7 is code * 2^-8, subnormals included, exact in f32; the NaN
// code 0x7f, and only it, carries into bit 14 when 0x80 is added, which makes it an f16 NaN. The factor 2^8 joins the
// block's scale, so the one rounding is that of code * scale.
struct FromFp8 {
  using Element = uint8_t;
  const float* scale;  // of the row, one per 128 columns
  JEVONS_AVX2_INLINE __m256 load(const Element* p, int64_t c) const {
    const __m128i code = _mm_cvtepi8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
    const __m128i half = _mm_and_si128(_mm_slli_epi16(code, 7), _mm_set1_epi16(static_cast<int16_t>(0xbf80)));
    const __m128i nan = _mm_and_si128(_mm_add_epi16(half, _mm_set1_epi16(0x80)), _mm_set1_epi16(0x4000));
    return _mm256_mul_ps(_mm256_cvtph_ps(_mm_or_si128(half, nan)), _mm256_set1_ps(scale[c / 128] * 256.0f));
  }
};

// The last `live` weights of a row, then zeros.
template <class Source>
JEVONS_AVX2_INLINE __m256 load_tail(const Source& source, const typename Source::Element* p, int64_t c, int64_t live) {
  typename Source::Element last[8] = {};
  if (live > 0) std::memcpy(last, p, static_cast<size_t>(std::min<int64_t>(live, 8)) * sizeof(last[0]));
  return source.load(last, live > 0 ? c : 0);
}

// R rows x T tokens. Registers at 2 x 3: 12 sums, 2 halves of a row, 1 of a token.
template <class Source, int R, int T>
JEVONS_AVX2 void dot_tile_avx2(const Source& source, const typename Source::Element* w, int64_t cols,
                               const float* const* x, float* out) {
  __m256 sum[R][T][2];
  JEVONS_UNROLL
  for (int r = 0; r < R; ++r) JEVONS_UNROLL
  for (int t = 0; t < T; ++t) sum[r][t][0] = sum[r][t][1] = _mm256_setzero_ps();
  int64_t c = 0;
  for (; c + kLanes <= cols; c += kLanes) JEVONS_UNROLL
  for (int h = 0; h < 2; ++h) {
    __m256 b[T];
    JEVONS_UNROLL
    for (int t = 0; t < T; ++t) b[t] = _mm256_loadu_ps(x[t] + c + 8 * h);
    JEVONS_UNROLL
    for (int r = 0; r < R; ++r) {
      const __m256 a = source.load(w + r * cols + c + 8 * h, c);
      JEVONS_UNROLL
      for (int t = 0; t < T; ++t) sum[r][t][h] = _mm256_fmadd_ps(a, b[t], sum[r][t][h]);
    }
  }
  for (int h = 0; h < 2 && c < cols; ++h)
    for (int r = 0; r < R; ++r) {
      const int64_t at = c + 8 * h;
      const __m256 a = load_tail(source, w + r * cols + at, at, cols - at);
      for (int t = 0; t < T; ++t)
        sum[r][t][h] = _mm256_fmadd_ps(a, _mm256_maskload_ps(x[t] + at, tail_mask(cols - at)), sum[r][t][h]);
    }
  JEVONS_UNROLL
  for (int r = 0; r < R; ++r) JEVONS_UNROLL
  for (int t = 0; t < T; ++t) out[t * kLanes + r] = sum_lanes_avx2(sum[r][t][0], sum[r][t][1]);
}

template <class Source, int R>
JEVONS_AVX2 int64_t dot_tokens_avx2(const Source& source, const typename Source::Element* w, int64_t cols,
                                    const float* const* x, int64_t count, float* out) {
  int64_t t = 0;
  if constexpr (R <= 2) {
    for (; t + 3 <= count; t += 3) dot_tile_avx2<Source, R, 3>(source, w, cols, x + t, out + t * kLanes);
    if (t + 2 <= count) dot_tile_avx2<Source, R, 2>(source, w, cols, x + t, out + t * kLanes), t += 2;
  }
  for (; t < count; ++t) dot_tile_avx2<Source, R, 1>(source, w, cols, x + t, out + t * kLanes);
  return R;
}

template <class Source>
JEVONS_AVX2 void dot_avx2(const Source& source, const std::byte* bytes, int64_t rows, int64_t cols,
                          const float* const* x, int64_t count, float* out) {
  const auto* w = reinterpret_cast<const typename Source::Element*>(bytes);
  for (int64_t r = 0; r < rows;) {
    const auto* from = w + r * cols;
    if (count == 1 && r + 4 <= rows)
      r += dot_tokens_avx2<Source, 4>(source, from, cols, x, count, out + r);
    else if (r + 2 <= rows)
      r += dot_tokens_avx2<Source, 2>(source, from, cols, x, count, out + r);
    else
      r += dot_tokens_avx2<Source, 1>(source, from, cols, x, count, out + r);
  }
}

template <class Source>
JEVONS_AVX2 int64_t widen_avx2(const Source& source, const std::byte* bytes, int64_t n, float* out) {
  const auto* in = reinterpret_cast<const typename Source::Element*>(bytes);
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) _mm256_storeu_ps(out + i, source.load(in + i, i));
  return i;
}

#endif

void widen_half(const std::byte* in, int64_t n, bool is_bf16, float* out) {
  int64_t i = 0;
#if defined(__x86_64__)
  if (current_isa() >= Isa::avx2) i = is_bf16 ? widen_avx2(FromBf16{}, in, n, out) : widen_avx2(FromF16{}, in, n, out);
#endif
  for (; i < n; ++i) {
    uint16_t bits;
    std::memcpy(&bits, in + 2 * i, 2);
    out[i] = is_bf16 ? bf16_to_f32(bits) : f16_to_f32(bits);
  }
}

// One row; `scale` per 128 columns.
void widen_fp8(const std::byte* in, int64_t n, const float* scale, float* out) {
  int64_t i = 0;
#if defined(__x86_64__)
  if (current_isa() >= Isa::avx2) i = widen_avx2(FromFp8{scale}, in, n, out);
#endif
  for (; i < n; ++i) out[i] = f8e4m3_to_f32(std::to_integer<uint8_t>(in[i])) * scale[i / 128];
}

const float* fp8_scales(const Weight& weight, int64_t matrix, int64_t row) {
  return weight.block_scale[static_cast<size_t>(matrix)] + row / 128 * ((weight.cols + 127) / 128);
}

}  // namespace

void widen_row(const Weight& weight, int64_t matrix, int64_t row, float* out) {
  const int64_t cols = weight.cols;
  const std::byte* bytes = weight.data[static_cast<size_t>(matrix)] + row * row_bytes(weight.pack, cols);
  switch (weight.pack) {
    case Pack::f32:
      std::memcpy(out, bytes, static_cast<size_t>(cols) * 4);
      return;
    case Pack::f16:
    case Pack::bf16:
      return widen_half(bytes, cols, weight.pack == Pack::bf16, out);
    case Pack::fp8_block128:
      return widen_fp8(bytes, cols, fp8_scales(weight, matrix, row), out);
    default:
      dequantize_row(weight.pack, bytes, cols, out);
  }
}

void dot_rows(const float* w, int64_t rows, int64_t cols, const float* const* x, int64_t count, float* out) {
#if defined(__x86_64__)
  if (current_isa() >= Isa::avx2)
    return dot_avx2(FromF32{}, reinterpret_cast<const std::byte*>(w), rows, cols, x, count, out);
#endif
  dot_portable(w, rows, cols, x, count, out);
}

bool dot_stored_rows([[maybe_unused]] const Weight& weight, [[maybe_unused]] int64_t matrix,
                     [[maybe_unused]] int64_t row, [[maybe_unused]] int64_t rows,
                     [[maybe_unused]] const float* const* x, [[maybe_unused]] int64_t count,
                     [[maybe_unused]] float* out) {
#if defined(__x86_64__)
  const std::byte* bytes = weight.data[static_cast<size_t>(matrix)] + row * row_bytes(weight.pack, weight.cols);
  if (current_isa() < Isa::avx2) return false;
  if (weight.pack == Pack::f32) return dot_avx2(FromF32{}, bytes, rows, weight.cols, x, count, out), true;
  if (count > kStoredTokens) return false;
  if (weight.pack == Pack::f16) return dot_avx2(FromF16{}, bytes, rows, weight.cols, x, count, out), true;
  if (weight.pack == Pack::bf16) return dot_avx2(FromBf16{}, bytes, rows, weight.cols, x, count, out), true;
  if (weight.pack == Pack::fp8_block128)
    return dot_avx2(FromFp8{fp8_scales(weight, matrix, row)}, bytes, rows, weight.cols, x, count, out), true;
#endif
  return false;
}

}  // namespace jevons
