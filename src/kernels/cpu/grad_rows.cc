// The float row loops of training. A vector form handles whole blocks of eight and returns how far it came; the plain
// form does the rest with the same operations per element.
#include "kernels/cpu/glu.h"
#include "kernels/cpu/math.h"
#include "kernels/loops/functions.h"

namespace jevons {
namespace {

struct Lanes {
  alignas(32) double lane[8] = {};
  double sum() const {
    const double a = lane[0] + lane[4], b = lane[1] + lane[5], c = lane[2] + lane[6], d = lane[3] + lane[7];
    return (a + c) + (b + d);
  }
};

#if defined(__x86_64__)
JEVONS_AVX2_INLINE void store_lanes(__m256d low, __m256d high, Lanes& lanes) {
  _mm256_store_pd(lanes.lane, low), _mm256_store_pd(lanes.lane + 4, high);
}

JEVONS_AVX2 int64_t exp_avx2(float* x, int64_t n, float scale, float shift, Lanes& lanes) {
  const __m256 factor = _mm256_set1_ps(scale), less = _mm256_set1_ps(shift);
  __m256d low = _mm256_setzero_pd(), high = _mm256_setzero_pd();
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m256 e = exp_f32x8(_mm256_sub_ps(_mm256_mul_ps(factor, _mm256_loadu_ps(x + i)), less));
    _mm256_storeu_ps(x + i, e);
    low = _mm256_add_pd(low, _mm256_cvtps_pd(_mm256_castps256_ps128(e)));
    high = _mm256_add_pd(high, _mm256_cvtps_pd(_mm256_extractf128_ps(e, 1)));
  }
  store_lanes(low, high, lanes);
  return i;
}

JEVONS_AVX2 int64_t dot_avx2(const float* a, const float* b, int64_t n, Lanes& lanes) {
  __m256d low = _mm256_setzero_pd(), high = _mm256_setzero_pd();
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    low = _mm256_add_pd(low, _mm256_mul_pd(_mm256_cvtps_pd(_mm_loadu_ps(a + i)), _mm256_cvtps_pd(_mm_loadu_ps(b + i))));
    high = _mm256_add_pd(
        high, _mm256_mul_pd(_mm256_cvtps_pd(_mm_loadu_ps(a + i + 4)), _mm256_cvtps_pd(_mm_loadu_ps(b + i + 4))));
  }
  store_lanes(low, high, lanes);
  return i;
}

JEVONS_AVX2 int64_t add_avx2(float factor, const float* from, int64_t n, float* to) {
  const __m256 f = _mm256_set1_ps(factor);
  int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    _mm256_storeu_ps(to + i, _mm256_add_ps(_mm256_loadu_ps(to + i), _mm256_mul_ps(f, _mm256_loadu_ps(from + i))));
  return i;
}

JEVONS_AVX2 int64_t scale_avx2(float factor, int64_t n, float* x) {
  const __m256 f = _mm256_set1_ps(factor);
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) _mm256_storeu_ps(x + i, _mm256_mul_ps(_mm256_loadu_ps(x + i), f));
  return i;
}

JEVONS_AVX2 int64_t softmax_grad_avx2(const float* p, int64_t n, float dot, float scale, float* d_p) {
  const __m256 less = _mm256_set1_ps(dot), factor = _mm256_set1_ps(scale);
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m256 d = _mm256_sub_ps(_mm256_loadu_ps(d_p + i), less);
    _mm256_storeu_ps(d_p + i, _mm256_mul_ps(_mm256_mul_ps(_mm256_loadu_ps(p + i), d), factor));
  }
  return i;
}

JEVONS_AVX2 int64_t silu_mul_grad_avx2(const float* gate, const float* up, const float* d_out, int64_t n, float* d_gate,
                                       float* d_up) {
  const __m256 one = _mm256_set1_ps(1.0f), minus = _mm256_set1_ps(-0.0f);
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m256 g = _mm256_loadu_ps(gate + i), u = _mm256_loadu_ps(up + i), d = _mm256_loadu_ps(d_out + i);
    const __m256 s = _mm256_div_ps(one, _mm256_add_ps(one, exp_f32x8(_mm256_xor_ps(g, minus))));
    const __m256 slope = _mm256_add_ps(one, _mm256_mul_ps(g, _mm256_sub_ps(one, s)));
    _mm256_storeu_ps(d_gate + i, _mm256_mul_ps(_mm256_mul_ps(_mm256_mul_ps(d, u), s), slope));
    _mm256_storeu_ps(d_up + i, _mm256_mul_ps(_mm256_mul_ps(d, g), s));
  }
  return i;
}

bool vectors() { return current_isa() >= Isa::avx2; }
#define JEVONS_VECTOR(call) \
  if (vectors()) i = call
#else
#define JEVONS_VECTOR(call)
#endif

}  // namespace

double exp_row(float* x, int64_t n, float scale, float shift) {
  Lanes lanes;
  int64_t i = 0;
  JEVONS_VECTOR(exp_avx2(x, n, scale, shift, lanes));
  for (; i < n; ++i) lanes.lane[i % 8] += x[i] = exp_f32(scale * x[i] - shift);
  return lanes.sum();
}

double dot_row(const float* a, const float* b, int64_t n) {
  Lanes lanes;
  int64_t i = 0;
  JEVONS_VECTOR(dot_avx2(a, b, n, lanes));
  for (; i < n; ++i) lanes.lane[i % 8] += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return lanes.sum();
}

void add_row(float factor, const float* from, int64_t n, float* to) {
  int64_t i = 0;
  JEVONS_VECTOR(add_avx2(factor, from, n, to));
  for (; i < n; ++i) to[i] += factor * from[i];
}

void scale_row(float factor, int64_t n, float* x) {
  int64_t i = 0;
  JEVONS_VECTOR(scale_avx2(factor, n, x));
  for (; i < n; ++i) x[i] *= factor;
}

void softmax_grad_row(const float* p, int64_t n, float dot, float scale, float* d_p) {
  int64_t i = 0;
  JEVONS_VECTOR(softmax_grad_avx2(p, n, dot, scale, d_p));
  for (; i < n; ++i) d_p[i] = p[i] * (d_p[i] - dot) * scale;
}

void silu_mul_row(const float* gate, const float* up, int64_t n, float* out) { silu_mul(gate, up, n, out); }

void silu_mul_grad_row(const float* gate, const float* up, const float* d_out, int64_t n, float* d_gate, float* d_up) {
  int64_t i = 0;
  JEVONS_VECTOR(silu_mul_grad_avx2(gate, up, d_out, n, d_gate, d_up));
  for (; i < n; ++i) {
    const float g = gate[i], u = up[i], d = d_out[i], s = 1.0f / (1.0f + exp_f32(-g));
    d_gate[i] = d * u * s * (1.0f + g * (1.0f - s));
    d_up[i] = d * g * s;
  }
}

}  // namespace jevons
