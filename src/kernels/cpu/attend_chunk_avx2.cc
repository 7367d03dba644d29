#include "kernels/cpu/attend_chunk.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/math.h"
#include "kernels/kv_layout.h"
#include "tensor/half.h"

#if defined(__x86_64__)
#include <immintrin.h>

namespace jevons {
namespace {

using Lanes = __m256;

JEVONS_AVX2_INLINE Lanes zero() { return _mm256_setzero_ps(); }
JEVONS_AVX2_INLINE Lanes splat(float x) { return _mm256_set1_ps(x); }
JEVONS_AVX2_INLINE Lanes load(const float* from) { return _mm256_loadu_ps(from); }
JEVONS_AVX2_INLINE void store(float* to, Lanes x) { _mm256_storeu_ps(to, x); }
JEVONS_AVX2_INLINE Lanes add(Lanes a, Lanes b) { return _mm256_add_ps(a, b); }
JEVONS_AVX2_INLINE Lanes sub(Lanes a, Lanes b) { return _mm256_sub_ps(a, b); }
JEVONS_AVX2_INLINE Lanes max(Lanes a, Lanes b) { return _mm256_max_ps(a, b); }
JEVONS_AVX2_INLINE Lanes mul(Lanes a, Lanes b) { return _mm256_mul_ps(a, b); }
JEVONS_AVX2_INLINE Lanes fma(Lanes a, Lanes b, Lanes c) { return _mm256_fmadd_ps(a, b, c); }
JEVONS_AVX2_INLINE Lanes exp(Lanes x) { return exp_f32x8(x); }

JEVONS_AVX2_INLINE void store_sums(const Lanes* x, float* to) {
  const __m256 pairs = _mm256_hadd_ps(_mm256_hadd_ps(x[0], x[1]), _mm256_hadd_ps(x[2], x[3]));
  _mm_storeu_ps(to, _mm_add_ps(_mm256_castps256_ps128(pairs), _mm256_extractf128_ps(pairs, 1)));
}

JEVONS_AVX2_INLINE float lane_sum(Lanes x) {
  const __m256 pairs = _mm256_hadd_ps(x, x), fours = _mm256_hadd_ps(pairs, pairs);
  return _mm_cvtss_f32(_mm_add_ss(_mm256_castps256_ps128(fours), _mm256_extractf128_ps(fours, 1)));
}

JEVONS_AVX2_INLINE float lane_max(Lanes x) {
  __m128 m = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  m = _mm_max_ps(m, _mm_movehl_ps(m, m));
  return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}

JEVONS_AVX2_INLINE Lanes widen_f16(const std::byte* from) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}

JEVONS_AVX2_INLINE Lanes widen_bf16(const std::byte* from) {
  const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}

JEVONS_AVX2_INLINE Lanes widen_i8(const std::byte* from) {
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from))));
}

JEVONS_AVX2_INLINE Lanes splat_f16(const std::byte* from) {
  uint16_t half;
  __builtin_memcpy(&half, from, 2);
  return _mm256_broadcastss_ps(_mm_cvtph_ps(_mm_cvtsi32_si128(half)));
}

#define JEVONS_TIER JEVONS_AVX2
#define JEVONS_TIER_INLINE JEVONS_AVX2_INLINE
#include "kernels/cpu/attend_chunk.inc"

}  // namespace

void attend_chunk_avx2(const AttendChunk& chunk) { run_chunk(chunk); }

}  // namespace jevons
#endif
