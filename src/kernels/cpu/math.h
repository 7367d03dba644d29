// Elementary functions of the cpu kernels: one sequence of single-precision operations, without fused multiply-add, so
// that every instruction set gives the same bits.
#pragma once
#include <bit>
#include <cstdint>

#include "kernels/cpu/isa.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace jevons {

// exp(x) = 2^n exp(r), n = round(x / ln 2), r = x - n ln 2 in two pieces, exp(r) by its Taylor polynomial of degree 7
// on |r| <= 0.35 (truncation 5e-9). Error at most 2 ulp for x in [-87.3, 88.3]; below 0, above exp(88.3); NaN stays
// NaN.
namespace exp_constants {
inline constexpr float kLow = -87.3f, kHigh = 88.3f, kLog2e = 1.44269504f, kRound = 12582912.0f;  // 1.5 * 2^23
inline constexpr float kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
inline constexpr float kC[] = {1.0f / 5040, 1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f};
}  // namespace exp_constants

inline float exp_f32(float x) {
  using namespace exp_constants;
  if (x < kLow) return 0.0f;
  if (x > kHigh) x = kHigh;
  const float shifted = x * kLog2e + kRound, n = shifted - kRound;
  const float r = (x - n * kLn2High) - n * kLn2Low;
  float p = kC[0];
  for (int i = 1; i < 8; ++i) p = p * r + kC[i];
  const uint32_t two_n = (std::bit_cast<uint32_t>(shifted) + 127) << 23;  // the low bits of `shifted` hold n
  return p * std::bit_cast<float>(two_n);
}

// silu(z) = z / (1 + exp(-z))
inline float silu_f32(float z) { return z / (1.0f + exp_f32(-z)); }

#if defined(__x86_64__)
JEVONS_AVX2_INLINE __m256 exp_f32x8(__m256 x) {
  using namespace exp_constants;
  const __m256 live = _mm256_cmp_ps(x, _mm256_set1_ps(kLow), _CMP_NLT_UQ);  // true for NaN
  x = _mm256_min_ps(_mm256_set1_ps(kHigh), x);                              // NaN stays: the second operand wins
  const __m256 round = _mm256_set1_ps(kRound);
  const __m256 shifted = _mm256_add_ps(_mm256_mul_ps(x, _mm256_set1_ps(kLog2e)), round);
  const __m256 n = _mm256_sub_ps(shifted, round);
  const __m256 r = _mm256_sub_ps(_mm256_sub_ps(x, _mm256_mul_ps(n, _mm256_set1_ps(kLn2High))),
                                 _mm256_mul_ps(n, _mm256_set1_ps(kLn2Low)));
  __m256 p = _mm256_set1_ps(kC[0]);
  JEVONS_UNROLL
  for (int i = 1; i < 8; ++i) p = _mm256_add_ps(_mm256_mul_ps(p, r), _mm256_set1_ps(kC[i]));
  const __m256i two_n = _mm256_slli_epi32(_mm256_add_epi32(_mm256_castps_si256(shifted), _mm256_set1_epi32(127)), 23);
  return _mm256_and_ps(_mm256_mul_ps(p, _mm256_castsi256_ps(two_n)), live);
}

JEVONS_AVX2_INLINE __m256 silu_f32x8(__m256 z) {
  const __m256 e = exp_f32x8(_mm256_xor_ps(z, _mm256_set1_ps(-0.0f)));
  return _mm256_div_ps(z, _mm256_add_ps(_mm256_set1_ps(1.0f), e));
}
#endif

}  // namespace jevons
