#include "kernels/cpu/quantize_activation.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "kernels/cpu/isa.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace jevons {
namespace {

constexpr uint32_t kTiny = 0x0da24260, kInfinity = 0x7f800000;  // 1e-30f

struct Scale {
  float d, inverse;
};

// From the largest |x| of a block, given by its bits so that NaN is the largest of all.
Scale scale_of(uint32_t largest_bits) {
  if (largest_bits >= kInfinity) return {__builtin_nanf(""), 0.0f};
  if (largest_bits < kTiny) return {0.0f, 0.0f};
  const float largest = std::bit_cast<float>(largest_bits);
  return {largest / 127.0f, 127.0f / largest};
}

// Codes and their sums by sixteen; the returned scale is the block's.
float quantize_block_portable(const float* x, int64_t n, int8_t* q, int16_t* sums16) {
  uint32_t largest = 0;
  for (int64_t i = 0; i < n; ++i) largest = std::max(largest, std::bit_cast<uint32_t>(x[i]) & 0x7fffffff);
  const Scale scale = scale_of(largest);
  for (int64_t i = 0; i < n; ++i)
    q[i] = scale.inverse == 0.0f ? int8_t{0} : static_cast<int8_t>(std::nearbyintf(x[i] * scale.inverse));
  for (int64_t g = 0; g < n / 16; ++g) {
    int sum = 0;
    for (int i = 0; i < 16; ++i) sum += q[16 * g + i];
    sums16[g] = static_cast<int16_t>(sum);
  }
  return scale.d;
}

void widen_quads_portable(const int8_t* q, int64_t n, int16_t* out) {
  for (int64_t k = 0; k < n; k += 4) out[k] = q[k], out[k + 1] = q[k + 2], out[k + 2] = q[k + 1], out[k + 3] = q[k + 3];
}

#if defined(__x86_64__)

JEVONS_AVX2_INLINE uint32_t largest_avx2(const float* x, int64_t n) {
  const __m256i abs_mask = _mm256_set1_epi32(0x7fffffff);
  __m256i largest = _mm256_setzero_si256();
  for (int64_t i = 0; i < n; i += 8)
    largest = _mm256_max_epi32(largest, _mm256_and_si256(abs_mask, _mm256_castps_si256(_mm256_loadu_ps(x + i))));
  __m128i m = _mm_max_epi32(_mm256_castsi256_si128(largest), _mm256_extracti128_si256(largest, 1));
  m = _mm_max_epi32(m, _mm_shuffle_epi32(m, 0x4e));
  m = _mm_max_epi32(m, _mm_shuffle_epi32(m, 0xb1));
  return static_cast<uint32_t>(_mm_cvtsi128_si32(m));
}

// Two sums of sixteen of 32 codes.
JEVONS_AVX2_INLINE void sums_avx2(__m256i codes, int16_t* sums16) {
  __m256i sum = _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_set1_epi8(1), codes), _mm256_set1_epi16(1));
  sum = _mm256_add_epi32(sum, _mm256_shuffle_epi32(sum, 0x4e));
  sum = _mm256_add_epi32(sum, _mm256_shuffle_epi32(sum, 0xb1));
  sums16[0] = static_cast<int16_t>(_mm256_extract_epi16(sum, 0));
  sums16[1] = static_cast<int16_t>(_mm256_extract_epi16(sum, 8));
}

JEVONS_AVX2 float quantize_block_avx2(const float* x, int64_t n, int8_t* q, int16_t* sums16) {
  const Scale scale = scale_of(largest_avx2(x, n));
  const bool live = scale.inverse != 0.0f;  // else x may hold NaN, whose conversion is no number
  const __m256 inverse = _mm256_set1_ps(scale.inverse);
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  for (int64_t i = 0; i < n; i += 32) {
    __m256i v[4];
    JEVONS_UNROLL
    for (int j = 0; j < 4; ++j) v[j] = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i + 8 * j), inverse));
    const __m256i packed = _mm256_packs_epi16(_mm256_packs_epi32(v[0], v[1]), _mm256_packs_epi32(v[2], v[3]));
    const __m256i codes = live ? _mm256_permutevar8x32_epi32(packed, order) : _mm256_setzero_si256();
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(q + i), codes);
    sums_avx2(codes, sums16 + i / 16);
  }
  return scale.d;
}

JEVONS_AVX2 void widen_quads_avx2(const int8_t* q, int64_t n, int16_t* out) {
  for (int64_t k = 0; k < n; k += 32) {
    const __m256i codes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(q + k));
    const __m256i even = _mm256_srai_epi16(_mm256_slli_epi16(codes, 8), 8), odd = _mm256_srai_epi16(codes, 8);
    const __m256i low = _mm256_unpacklo_epi32(even, odd), high = _mm256_unpackhi_epi32(even, odd);
    auto* to = reinterpret_cast<__m256i*>(out + k);
    _mm256_storeu_si256(to, _mm256_permute2x128_si256(low, high, 0x20));
    _mm256_storeu_si256(to + 1, _mm256_permute2x128_si256(low, high, 0x31));
  }
}

#endif

float quantize_block(const float* x, int64_t n, int8_t* q, int16_t* sums16) {
#if defined(__x86_64__)
  if (current_isa() >= Isa::avx2) return quantize_block_avx2(x, n, q, sums16);
#endif
  return quantize_block_portable(x, n, q, sums16);
}

void widen_quads(const int8_t* q, int64_t n, int16_t* out) {
#if defined(__x86_64__)
  if (current_isa() >= Isa::avx2) return widen_quads_avx2(q, n, out);
#endif
  widen_quads_portable(q, n, out);
}

}  // namespace

QuantizedRows alloc_quantized(Arena& arena, int64_t rows, int64_t cols, int64_t block, bool wide) {
  QuantizedRows out{nullptr, cols, block, wide};
  JEVONS_CHECK((block == 32 || block == 256) && cols % block == 0);
  out.data = static_cast<std::byte*>(arena.alloc_bytes(rows * out.stride()));
  return out;
}

void quantize_row(const float* x, const QuantizedRows& out, int64_t row) {
  std::byte* record = out.data + row * out.stride();
  auto* q = reinterpret_cast<int8_t*>(record);
  auto* scale = reinterpret_cast<float*>(record + out.scale_at());
  if (out.block == 32) {
    auto* scaled = reinterpret_cast<float*>(record + out.scaled_sum_at());
    auto* sums = reinterpret_cast<int32_t*>(record + out.sum_at());
    for (int64_t b = 0; b < out.cols / 32; ++b) {
      int16_t halves[2];
      scale[b] = quantize_block(x + b * 32, 32, q + b * 32, halves);
      sums[b] = halves[0] + halves[1];
      scaled[b] = scale[b] * static_cast<float>(sums[b]);
    }
    if (out.wide) widen_quads(q, out.cols, reinterpret_cast<int16_t*>(record + out.wide_at()));
  } else {
    auto* sums32 = reinterpret_cast<int16_t*>(record + out.sum32_at());
    auto* sums16 = reinterpret_cast<int16_t*>(record + out.sum16_at());
    for (int64_t b = 0; b < out.cols / 256; ++b)
      scale[b] = quantize_block(x + b * 256, 256, q + b * 256, sums16 + b * 16);
    for (int64_t b = 0; b < out.cols / 32; ++b) sums32[b] = static_cast<int16_t>(sums16[2 * b] + sums16[2 * b + 1]);
  }
}

}  // namespace jevons
