#include "kernels/cpu/peak.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace jevons {
namespace {

volatile float float_sink;
volatile int int_sink;

__attribute__((noinline)) void run_clock(int64_t rounds) {
  uint64_t x = 0;
  for (int64_t i = 0; i < rounds; ++i)
    for (int j = 0; j < 20; ++j) {
#if defined(__x86_64__)
      asm volatile("add $1, %0" : "+r"(x));
#elif defined(__aarch64__)
      asm volatile("add %0, %0, #1" : "+r"(x));
#else
      asm volatile("" : "+r"(++x));
#endif
    }
  int_sink = static_cast<int>(x);
}

__attribute__((noinline)) void run_int8_portable(int64_t rounds) {
  int sum[16] = {};
  uint8_t a[16];
  int8_t b[16];
  for (int i = 0; i < 16; ++i) a[i] = static_cast<uint8_t>(i), b[i] = static_cast<int8_t>(i - 8);
  for (int64_t r = 0; r < rounds; ++r) {
    asm volatile("" ::"r"(a), "r"(b) : "memory");
    for (int i = 0; i < 16; ++i) sum[i] += a[i] * b[i];
  }
  for (const int s : sum) int_sink = int_sink + s;
}

__attribute__((noinline)) void run_f32_portable(int64_t rounds) {
  float sum[16] = {}, a[16];
  for (int i = 0; i < 16; ++i) a[i] = static_cast<float>(i) * 1e-3f;
  for (int64_t r = 0; r < rounds; ++r) {
    asm volatile("" ::"r"(a) : "memory");
    for (int i = 0; i < 16; ++i) sum[i] += a[i] * a[i];
  }
  for (const float s : sum) float_sink = float_sink + s;
}

#if defined(__x86_64__)

constexpr int kSums = 12;  // independent chains, enough for four cycles of latency on two or three pipes

JEVONS_AVX2 __attribute__((noinline)) void run_int8_avx2(int64_t rounds) {
  const __m256i w = _mm256_set1_epi8(3);
  __m256i x = _mm256_set1_epi8(5), sum[kSums];
  for (auto& s : sum) s = _mm256_setzero_si256();
  for (int64_t r = 0; r < rounds; ++r) JEVONS_UNROLL
  for (int i = 0; i < kSums; ++i) {
    asm("" : "+x"(x));
    sum[i] = _mm256_add_epi16(sum[i], _mm256_maddubs_epi16(w, x));
    asm("" : "+x"(sum[i]));
  }
  for (const auto& s : sum) int_sink = int_sink + _mm256_extract_epi16(s, 0);
}

JEVONS_AVX2 __attribute__((noinline)) void run_f32_avx2(int64_t rounds) {
  const __m256 w = _mm256_set1_ps(1e-3f);
  __m256 sum[kSums];
  for (auto& s : sum) s = _mm256_setzero_ps();
  for (int64_t r = 0; r < rounds; ++r) JEVONS_UNROLL
  for (int i = 0; i < kSums; ++i) {
    sum[i] = _mm256_fmadd_ps(w, w, sum[i]);
    asm("" : "+x"(sum[i]));
  }
  for (const auto& s : sum) float_sink = float_sink + _mm256_cvtss_f32(s);
}

JEVONS_AVX512 __attribute__((noinline)) void run_int8_avx512(int64_t rounds) {
  const __m512i w = _mm512_set1_epi8(3), x = _mm512_set1_epi8(5);
  __m512i sum[kSums];
  for (auto& s : sum) s = _mm512_setzero_si512();
  for (int64_t r = 0; r < rounds; ++r) JEVONS_UNROLL
  for (int i = 0; i < kSums; ++i) {
    sum[i] = _mm512_dpbusd_epi32(sum[i], w, x);
    asm("" : "+v"(sum[i]));
  }
  int lanes[16];
  for (const auto& s : sum) {
    _mm512_storeu_si512(lanes, s);
    int_sink = int_sink + lanes[0];
  }
}

JEVONS_AVX512 __attribute__((noinline)) void run_f32_avx512(int64_t rounds) {
  const __m512 w = _mm512_set1_ps(1e-3f);
  __m512 sum[kSums];
  for (auto& s : sum) s = _mm512_setzero_ps();
  for (int64_t r = 0; r < rounds; ++r) JEVONS_UNROLL
  for (int i = 0; i < kSums; ++i) {
    sum[i] = _mm512_fmadd_ps(w, w, sum[i]);
    asm("" : "+v"(sum[i]));
  }
  float lanes[16];
  for (const auto& s : sum) {
    _mm512_storeu_ps(lanes, s);
    float_sink = float_sink + lanes[0];
  }
}

#endif

}  // namespace

PeakLoop clock_loop() { return {"dependent additions", 20, run_clock}; }

PeakLoop int8_loop(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::avx512_vnni) return {"vpdpbusd, 512 bit", kSums * 128.0, run_int8_avx512};
  if (isa == Isa::avx2) return {"vpmaddubsw + vpaddw, 256 bit", kSums * 64.0, run_int8_avx2};
#endif
  (void)isa;
  return {"compiled C++", 32, run_int8_portable};
}

PeakLoop f32_loop(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::avx512_vnni) return {"vfmadd231ps, 512 bit", kSums * 32.0, run_f32_avx512};
  if (isa == Isa::avx2) return {"vfmadd231ps, 256 bit", kSums * 16.0, run_f32_avx2};
#endif
  (void)isa;
  return {"compiled C++", 32, run_f32_portable};
}

}  // namespace jevons
