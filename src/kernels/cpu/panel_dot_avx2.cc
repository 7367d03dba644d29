// The AVX2 tier of the packed kernels (no VNNI). A 64-byte vector of sixteen rows is two ymm (h = 0, 1: eight rows
// each).
//
// Codes of b bits times int8: vpmaddubsw gives pairs in 16 bits; |pair| <= 2 * (2^b - 1) * 127, so 8 steps (b = 4), 4
// (b = 5) or 2 (b = 6) add up in 16 bits without overflow. One vpmaddwd then widens to 32 bits and multiplies by the
// integer scale of the k-quants (or by one). Per 8 rows x 32 columns that is 8 + 1 multiplies for 512 operations.
// 8 bits: few tokens: |w| times (x with w's sign), at most 2 * 128 * 127 < 2^15, widened at once. Many tokens: both
// sides as 16-bit pairs, vpmaddwd, half the multiplies' width but no sign work.
//
// Registers at 6 tokens: 12 sums of 16 bits, 2 weight vectors, 1 broadcast, 1 product; the 32-bit and float sums,
// touched once per 32 columns, live in the first-level cache.
#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/panel.h"
#include "kernels/cpu/panel_dot.h"

#if defined(__x86_64__)
#include <immintrin.h>

namespace jevons {
namespace {

constexpr int kDirectTokens = 5;  // up to here codes are unpacked on the fly, above into scratch once per call

template <Pack>
struct Traits;
template <>
struct Traits<Pack::q8_0> {
  static constexpr int kBits = 8, kBlock = 32, kScales = 32;
  [[maybe_unused]] static constexpr int kOffset = 0;
};
template <>
struct Traits<Pack::q4_0> {
  static constexpr int kBits = 4, kBlock = 32, kScales = 32;
  [[maybe_unused]] static constexpr int kOffset = 8;
};
template <>
struct Traits<Pack::q4_1> {
  static constexpr int kBits = 4, kBlock = 32, kScales = 64;
  [[maybe_unused]] static constexpr int kOffset = 0;
};
template <>
struct Traits<Pack::q5_0> {
  static constexpr int kBits = 5, kBlock = 32, kScales = 32;
  [[maybe_unused]] static constexpr int kOffset = 16;
};
template <>
struct Traits<Pack::q5_1> {
  static constexpr int kBits = 5, kBlock = 32, kScales = 64;
  [[maybe_unused]] static constexpr int kOffset = 0;
};
template <>
struct Traits<Pack::q4_k> {
  static constexpr int kBits = 4, kBlock = 256, kScales = 320;
  [[maybe_unused]] static constexpr int kOffset = 0;
};
template <>
struct Traits<Pack::q5_k> {
  static constexpr int kBits = 5, kBlock = 256, kScales = 320;
  [[maybe_unused]] static constexpr int kOffset = 0;
};
template <>
struct Traits<Pack::q6_k> {
  static constexpr int kBits = 6, kBlock = 256, kScales = 288;
  [[maybe_unused]] static constexpr int kOffset = 32;
};

constexpr int code_bytes(int bits) { return bits == 8 ? 512 : 256 + 64 * (bits - 4); }  // per 32 columns
constexpr int expanded_bytes(int bits) { return bits == 8 ? 1024 : 512; }
constexpr int steps_in_16_bits(int bits) { return bits == 4 ? 8 : bits == 5 ? 4 : 2; }

JEVONS_AVX2_INLINE __m256i load(const std::byte* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
JEVONS_AVX2_INLINE __m128i load128(const std::byte* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
JEVONS_AVX2_INLINE __m256 load_halves(const std::byte* p) { return _mm256_cvtph_ps(load128(p)); }
JEVONS_AVX2_INLINE __m256i broadcast32(const std::byte* p) {
  int32_t value;
  std::memcpy(&value, p, 4);
  return _mm256_set1_epi32(value);
}
JEVONS_AVX2_INLINE __m256 broadcast_float(const std::byte* p) { return _mm256_castsi256_ps(broadcast32(p)); }

// Stops the compiler from regrouping a chain of integer sums into a tree, which would need more registers than there
// are.
JEVONS_AVX2_INLINE void keep(__m256i& v) { asm("" : "+x"(v)); }

template <int kLeft>
JEVONS_AVX2_INLINE __m256i shift(__m256i v) {
  if constexpr (kLeft >= 0)
    return _mm256_slli_epi16(v, kLeft);
  else
    return _mm256_srli_epi16(v, -kLeft);
}

// Eight rows of step j (four columns) as unsigned bytes.
template <int kBits, int j>
JEVONS_AVX2_INLINE __m256i unpack_step(const std::byte* group, int h) {
  const __m256i packed = load(group + 64 * (j / 2) + 32 * h);
  __m256i code = _mm256_and_si256(j % 2 ? _mm256_srli_epi16(packed, 4) : packed, _mm256_set1_epi8(15));
  if constexpr (kBits == 5) {
    const __m256i bit = _mm256_and_si256(shift<4 - j>(load(group + 256 + 32 * h)), _mm256_set1_epi8(16));
    code = _mm256_or_si256(code, bit);
  }
  if constexpr (kBits == 6) {
    const __m256i plane = load(group + 256 + 64 * (j / 4) + 32 * h);
    code = _mm256_or_si256(code, _mm256_and_si256(shift<4 - 2 * (j % 4)>(plane), _mm256_set1_epi8(48)));
  }
  return code;
}

template <int kBits, bool kExpanded, int j>
JEVONS_AVX2_INLINE __m256i step(const std::byte* group, int h) {
  if constexpr (kExpanded)
    return load(group + 64 * j + 32 * h);
  else
    return unpack_step<kBits, j>(group, h);
}

// acc += codes times x for step j of all tokens, pairs in 16 bits.
template <int kBits, bool kExpanded, int kTokens, int j>
JEVONS_AVX2_INLINE void add_step(const std::byte* group, const std::byte* const* x, int64_t k, bool first,
                                 __m256i (&acc)[kTokens][2]) {
  const __m256i w0 = step<kBits, kExpanded, j>(group, 0), w1 = step<kBits, kExpanded, j>(group, 1);
  JEVONS_UNROLL
  for (int t = 0; t < kTokens; ++t) {
    const __m256i b = broadcast32(x[t] + k + 4 * j);
    const __m256i p0 = _mm256_maddubs_epi16(w0, b), p1 = _mm256_maddubs_epi16(w1, b);
    acc[t][0] = first ? p0 : _mm256_add_epi16(acc[t][0], p0);
    acc[t][1] = first ? p1 : _mm256_add_epi16(acc[t][1], p1);
    keep(acc[t][0]), keep(acc[t][1]);
  }
}

// sum += factor * (codes times x) over one run of steps that fits 16 bits; factor: 16-bit pairs per row.
template <int kBits, bool kExpanded, int kTokens, int kRun>
JEVONS_AVX2_INLINE void add_run(const std::byte* group, const std::byte* const* x, int64_t k, const __m256i* factor,
                                bool fresh, __m256i (&sum)[kTokens][2]) {
  constexpr int kSteps = steps_in_16_bits(kBits), kFirst = kRun * kSteps;
  __m256i acc[kTokens][2];
  add_step<kBits, kExpanded, kTokens, kFirst>(group, x, k, true, acc);
  add_step<kBits, kExpanded, kTokens, kFirst + 1>(group, x, k, false, acc);
  if constexpr (kSteps >= 4) {
    add_step<kBits, kExpanded, kTokens, kFirst + 2>(group, x, k, false, acc);
    add_step<kBits, kExpanded, kTokens, kFirst + 3>(group, x, k, false, acc);
  }
  if constexpr (kSteps == 8) {
    add_step<kBits, kExpanded, kTokens, kFirst + 4>(group, x, k, false, acc);
    add_step<kBits, kExpanded, kTokens, kFirst + 5>(group, x, k, false, acc);
    add_step<kBits, kExpanded, kTokens, kFirst + 6>(group, x, k, false, acc);
    add_step<kBits, kExpanded, kTokens, kFirst + 7>(group, x, k, false, acc);
  }
  JEVONS_UNROLL
  for (int t = 0; t < kTokens; ++t) JEVONS_UNROLL
  for (int h = 0; h < 2; ++h) {
    const __m256i wide = _mm256_madd_epi16(acc[t][h], factor[h]);
    sum[t][h] = fresh ? wide : _mm256_add_epi32(sum[t][h], wide);
  }
}

// sum (+)= 32 columns; factor[2 * half + h] for the sixteen columns `half`.
template <int kBits, bool kExpanded, int kTokens>
JEVONS_AVX2_INLINE void add32(const std::byte* group, const std::byte* const* x, int64_t k, const __m256i* factor,
                              bool fresh, __m256i (&sum)[kTokens][2]) {
  add_run<kBits, kExpanded, kTokens, 0>(group, x, k, factor, fresh, sum);
  if constexpr (kBits >= 5) add_run<kBits, kExpanded, kTokens, 1>(group, x, k, factor, false, sum);
  if constexpr (kBits == 6) {
    add_run<kBits, kExpanded, kTokens, 2>(group, x, k, factor + 2, false, sum);
    add_run<kBits, kExpanded, kTokens, 3>(group, x, k, factor + 2, false, sum);
  }
}

// 8 bits, few tokens: |w| * (sign(w) x).
template <int kTokens>
JEVONS_AVX2_INLINE void add32_signed(const std::byte* group, const std::byte* const* x, int64_t k,
                                     __m256i (&sum)[kTokens][2]) {
  const __m256i ones = _mm256_set1_epi16(1);
  JEVONS_UNROLL
  for (int j = 0; j < 8; ++j) {
    const __m256i w0 = load(group + 64 * j), w1 = load(group + 64 * j + 32);
    const __m256i a0 = _mm256_abs_epi8(w0), a1 = _mm256_abs_epi8(w1);
    JEVONS_UNROLL
    for (int t = 0; t < kTokens; ++t) {
      const __m256i b = broadcast32(x[t] + k + 4 * j);
      const __m256i p0 = _mm256_madd_epi16(_mm256_maddubs_epi16(a0, _mm256_sign_epi8(b, w0)), ones);
      const __m256i p1 = _mm256_madd_epi16(_mm256_maddubs_epi16(a1, _mm256_sign_epi8(b, w1)), ones);
      sum[t][0] = j == 0 ? p0 : _mm256_add_epi32(sum[t][0], p0);
      sum[t][1] = j == 0 ? p1 : _mm256_add_epi32(sum[t][1], p1);
      keep(sum[t][0]), keep(sum[t][1]);
    }
  }
}

// 8 bits, many tokens: 16-bit pairs (k, k + 2) and (k + 1, k + 3) on both sides.
template <int kTokens>
JEVONS_AVX2_INLINE void add32_wide(const std::byte* group, const std::byte* const* x, int64_t at,
                                   __m256i (&sum)[kTokens][2]) {
  JEVONS_UNROLL
  for (int j = 0; j < 16; ++j) {
    const __m256i w0 = load(group + 64 * j), w1 = load(group + 64 * j + 32);
    JEVONS_UNROLL
    for (int t = 0; t < kTokens; ++t) {
      const __m256i b = broadcast32(x[t] + at + 4 * j);
      const __m256i p0 = _mm256_madd_epi16(w0, b), p1 = _mm256_madd_epi16(w1, b);
      sum[t][0] = j == 0 ? p0 : _mm256_add_epi32(sum[t][0], p0);
      sum[t][1] = j == 0 ? p1 : _mm256_add_epi32(sum[t][1], p1);
      keep(sum[t][0]), keep(sum[t][1]);
    }
  }
}

// Blocks of 32 columns under one pair of float scales.
template <Pack kPack, bool kExpanded, int kTokens>
JEVONS_AVX2_INLINE void blocks32(const std::byte* scales, const std::byte* codes, const QuantizedRows& layout,
                                 const std::byte* const* x, __m256 (&acc)[kTokens][2]) {
  using T = Traits<kPack>;
  const __m256i ones[2] = {_mm256_set1_epi16(1), _mm256_set1_epi16(1)};
  const int64_t scale_at = layout.scale_at(), scaled_sum_at = layout.scaled_sum_at(), sum_at = layout.sum_at();
  const int64_t wide_at = layout.wide_at(), blocks = layout.cols / 32;
  for (int64_t b = 0; b < blocks; ++b) {
    __m256i sum[kTokens][2];
    if constexpr (T::kBits != 8)
      add32<T::kBits, kExpanded, kTokens>(codes, x, 32 * b, ones, true, sum);
    else if constexpr (kExpanded)
      add32_wide<kTokens>(codes, x, wide_at + 64 * b, sum);
    else
      add32_signed<kTokens>(codes, x, 32 * b, sum);
    const __m256 d[2] = {load_halves(scales), load_halves(scales + 16)};
    JEVONS_UNROLL
    for (int t = 0; t < kTokens; ++t) {
      const __m256 dx = broadcast_float(x[t] + scale_at + 4 * b);
      JEVONS_UNROLL
      for (int h = 0; h < 2; ++h) {
        if constexpr (T::kOffset != 0) {
          const __m256i sums = broadcast32(x[t] + sum_at + 4 * b);
          sum[t][h] = _mm256_sub_epi32(sum[t][h], _mm256_slli_epi32(sums, T::kOffset == 8 ? 3 : 4));
        }
        acc[t][h] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum[t][h]), _mm256_mul_ps(d[h], dx), acc[t][h]);
        if constexpr (T::kScales == 64) {
          const __m256 m = load_halves(scales + 32 + 16 * h);
          acc[t][h] = _mm256_fmadd_ps(m, broadcast_float(x[t] + scaled_sum_at + 4 * b), acc[t][h]);
        }
      }
    }
    scales += T::kScales;
    codes += kExpanded ? expanded_bytes(T::kBits) : code_bytes(T::kBits);
  }
}

// Row scales of 32 columns of q4_k and q5_k as 16-bit pairs (s, s).
JEVONS_AVX2_INLINE void scales_q4k(const std::byte* from, __m256i* factor) {
  const __m256i all = _mm256_broadcastsi128_si256(load128(from));
  const __m256i low = _mm256_setr_epi8(0, -1, 0, -1, 1, -1, 1, -1, 2, -1, 2, -1, 3, -1, 3, -1,  //
                                       4, -1, 4, -1, 5, -1, 5, -1, 6, -1, 6, -1, 7, -1, 7, -1);
  const __m256i high = _mm256_setr_epi8(8, -1, 8, -1, 9, -1, 9, -1, 10, -1, 10, -1, 11, -1, 11, -1,  //
                                        12, -1, 12, -1, 13, -1, 13, -1, 14, -1, 14, -1, 15, -1, 15, -1);
  factor[0] = _mm256_shuffle_epi8(all, low), factor[1] = _mm256_shuffle_epi8(all, high);
}

// Row scales of twice sixteen columns of q6_k: factor[2 * half + h].
JEVONS_AVX2_INLINE void scales_q6k(const std::byte* from, __m256i* factor) {
  const __m256i even = _mm256_setr_epi8(0, 1, 0, 1, 4, 5, 4, 5, 8, 9, 8, 9, 12, 13, 12, 13,  //
                                        0, 1, 0, 1, 4, 5, 4, 5, 8, 9, 8, 9, 12, 13, 12, 13);
  const __m256i odd = _mm256_add_epi8(even, _mm256_set1_epi8(2));
  JEVONS_UNROLL
  for (int h = 0; h < 2; ++h) {
    const __m256i pairs = _mm256_cvtepi8_epi16(load128(from + 16 * h));
    factor[h] = _mm256_shuffle_epi8(pairs, even), factor[2 + h] = _mm256_shuffle_epi8(pairs, odd);
  }
}

// sum of pairs(scale) . pairs(sums of x) over `n` 32-byte rows of byte pairs.
template <bool kSigned>
JEVONS_AVX2_INLINE __m256i correction(const std::byte* pairs, int n, int h, const std::byte* sums) {
  __m256i out = _mm256_setzero_si256();
  JEVONS_UNROLL
  for (int g = 0; g < n; ++g) {
    const __m128i bytes = load128(pairs + 32 * g + 16 * h);
    const __m256i wide = kSigned ? _mm256_cvtepi8_epi16(bytes) : _mm256_cvtepu8_epi16(bytes);
    out = _mm256_add_epi32(out, _mm256_madd_epi16(wide, broadcast32(sums + 4 * g)));
  }
  return out;
}

// Blocks of 256 columns with integer scales inside.
template <Pack kPack, bool kExpanded, int kTokens>
JEVONS_AVX2_INLINE void blocks256(const std::byte* scales, const std::byte* codes, const QuantizedRows& layout,
                                  const std::byte* const* x, __m256 (&acc)[kTokens][2]) {
  using T = Traits<kPack>;
  const int64_t scale_at = layout.scale_at(), sum32_at = layout.sum32_at(), sum16_at = layout.sum16_at();
  const int64_t blocks = layout.cols / 256;
  for (int64_t b = 0; b < blocks; ++b) {
    __m256i sum[kTokens][2];
    JEVONS_UNROLL
    for (int t = 0; t < kTokens; ++t) JEVONS_UNROLL
    for (int h = 0; h < 2; ++h) {
      sum[t][h] = _mm256_setzero_si256();
      if constexpr (T::kBits == 6)
        sum[t][h] = _mm256_sub_epi32(
            sum[t][h], _mm256_slli_epi32(correction<true>(scales + 32, 8, h, x[t] + sum16_at + 32 * b), 5));
    }
    for (int g = 0; g < 8; ++g) {
      __m256i factor[4];
      if constexpr (T::kBits == 6)
        scales_q6k(scales + 32 + 32 * g, factor);
      else
        scales_q4k(scales + 64 + 16 * g, factor);
      add32<T::kBits, kExpanded, kTokens>(codes, x, 256 * b + 32 * g, factor, false, sum);
      codes += kExpanded ? expanded_bytes(T::kBits) : code_bytes(T::kBits);
    }
    JEVONS_UNROLL
    for (int t = 0; t < kTokens; ++t) {
      const __m256 dx = broadcast_float(x[t] + scale_at + 4 * b);
      JEVONS_UNROLL
      for (int h = 0; h < 2; ++h) {
        const __m256 d = _mm256_mul_ps(load_halves(scales + 16 * h), dx);
        acc[t][h] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum[t][h]), d, acc[t][h]);
        if constexpr (T::kBits != 6) {
          const __m256 dmin = _mm256_mul_ps(load_halves(scales + 32 + 16 * h), dx);
          const __m256i minima = correction<false>(scales + 192, 4, h, x[t] + sum32_at + 16 * b);
          acc[t][h] = _mm256_fnmadd_ps(_mm256_cvtepi32_ps(minima), dmin, acc[t][h]);
        }
      }
    }
    scales += T::kScales;
  }
}

template <Pack kPack, bool kExpanded, int kTokens>
JEVONS_AVX2 void tile(const std::byte* scales, const std::byte* codes, const QuantizedRows& layout,
                      const std::byte* const* rows, float* out) {
  const std::byte* x[kTokens];
  __m256 acc[kTokens][2];
  JEVONS_UNROLL
  for (int t = 0; t < kTokens; ++t) x[t] = rows[t], acc[t][0] = acc[t][1] = _mm256_setzero_ps();
  if constexpr (Traits<kPack>::kBlock == 32)
    blocks32<kPack, kExpanded, kTokens>(scales, codes, layout, x, acc);
  else
    blocks256<kPack, kExpanded, kTokens>(scales, codes, layout, x, acc);
  JEVONS_UNROLL
  for (int t = 0; t < kTokens; ++t) JEVONS_UNROLL
  for (int h = 0; h < 2; ++h) _mm256_storeu_ps(out + kPanelRows * t + 8 * h, acc[t][h]);
}

template <int kBits, int j = 0>
JEVONS_AVX2_INLINE void expand_group(const std::byte* group, std::byte* to) {
  if constexpr (j < 8) {
    for (int h = 0; h < 2; ++h) {
      if constexpr (kBits == 8) {
        const __m256i w = load(group + 64 * j + 32 * h);
        const __m256i even = _mm256_srai_epi16(_mm256_slli_epi16(w, 8), 8), odd = _mm256_srai_epi16(w, 8);
        _mm256_store_si256(reinterpret_cast<__m256i*>(to + 128 * j + 32 * h), even);
        _mm256_store_si256(reinterpret_cast<__m256i*>(to + 128 * j + 64 + 32 * h), odd);
      } else {
        _mm256_store_si256(reinterpret_cast<__m256i*>(to + 64 * j + 32 * h), unpack_step<kBits, j>(group, h));
      }
    }
    expand_group<kBits, j + 1>(group, to);
  }
}

template <int kBits>
JEVONS_AVX2 const std::byte* expand(const std::byte* codes, int64_t cols) {
  std::byte* to = panel_scratch(cols / 32 * expanded_bytes(kBits));
  for (int64_t g = 0; g < cols / 32; ++g)
    expand_group<kBits>(codes + g * code_bytes(kBits), to + g * expanded_bytes(kBits));
  return to;
}

constexpr int kTile = 6;

template <Pack kPack, bool kExpanded, int kTokens = kExpanded ? kTile : kDirectTokens>
void tail(int64_t count, const std::byte* scales, const std::byte* codes, const QuantizedRows& layout,
          const std::byte* const* x, float* out) {
  if constexpr (kTokens > 0) {
    if (count == kTokens)
      tile<kPack, kExpanded, kTokens>(scales, codes, layout, x, out);
    else
      tail<kPack, kExpanded, kTokens - 1>(count, scales, codes, layout, x, out);
  }
}

template <Pack kPack>
void run(const std::byte* panel, const QuantizedRows& layout, const std::byte* const* x, int64_t count, float* out) {
  constexpr int kBits = Traits<kPack>::kBits;
  const std::byte* codes = panel + panel_codes_at(kPack, layout.cols);
  const bool direct = count <= kDirectTokens || (kBits == 8 && !layout.wide);
  if (direct) {
    for (int64_t t = 0; t < count; t += kDirectTokens)
      tail<kPack, false>(std::min<int64_t>(kDirectTokens, count - t), panel, codes, layout, x + t,
                         out + t * kPanelRows);
    return;
  }
  codes = expand<kBits>(codes, layout.cols);
  for (int64_t t = 0; t < count; t += kTile)
    tail<kPack, true>(std::min<int64_t>(kTile, count - t), panel, codes, layout, x + t, out + t * kPanelRows);
}

}  // namespace

void panel_dot_avx2(Pack pack, const std::byte* panel, const QuantizedRows& layout, const std::byte* const* x,
                    int64_t count, float* out) {
  switch (pack) {
    case Pack::q8_0:
      return run<Pack::q8_0>(panel, layout, x, count, out);
    case Pack::q4_0:
      return run<Pack::q4_0>(panel, layout, x, count, out);
    case Pack::q4_1:
      return run<Pack::q4_1>(panel, layout, x, count, out);
    case Pack::q5_0:
      return run<Pack::q5_0>(panel, layout, x, count, out);
    case Pack::q5_1:
      return run<Pack::q5_1>(panel, layout, x, count, out);
    case Pack::q4_k:
      return run<Pack::q4_k>(panel, layout, x, count, out);
    case Pack::q5_k:
      return run<Pack::q5_k>(panel, layout, x, count, out);
    case Pack::q6_k:
      return run<Pack::q6_k>(panel, layout, x, count, out);
    default:
      JEVONS_CHECK(false, "this pack has no panel form");
  }
}

}  // namespace jevons
#endif
