// The f32 matrix product: b packed into panels that lie in cache (a too where its rows are columns in memory), a
// register tile of accumulators, one fused multiply-add chain per element. After Goto and van de Geijn 2008, "Anatomy
// of high-performance matrix multiplication".
#include "kernels/loops/gemm.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "base/error.h"
#include "kernels/cpu/isa.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace jevons {
namespace {

constexpr int64_t kDepth = 384;      // k of a packed block
constexpr int64_t kBlockRows = 192;  // of a: 288 KiB packed
constexpr int64_t kBlockCols = 192;  // of b: 288 KiB packed; both multiples of every tile

// Where a tile finds its rows of a: element (m, k) = first[min(m, last) * row + k * step].
struct TileRows {
  const float* first;
  int64_t row, step, last;
};

// c tile (+)= a rows times b panel [K][cols]
using Tile = void (*)(int64_t K, const TileRows& a, const float* b, float* c, int64_t ldc, bool accumulate);
struct Tiling {
  int64_t rows, cols;
  Tile packed, direct;  // a packed: row = 1, step = rows; a in place: step = 1
};

void tile_portable(int64_t K, const TileRows& a, const float* b, float* c, int64_t ldc, bool accumulate) {
  float sum[4][16] = {};
  for (int m = 0; m < 4 && accumulate; ++m)
    for (int n = 0; n < 16; ++n) sum[m][n] = c[m * ldc + n];
  for (int64_t k = 0; k < K; ++k)
    for (int m = 0; m < 4; ++m)
      for (int n = 0; n < 16; ++n)
        sum[m][n] = std::fma(a.first[std::min<int64_t>(m, a.last) * a.row + k * a.step], b[k * 16 + n], sum[m][n]);
  for (int m = 0; m < 4; ++m)
    for (int n = 0; n < 16; ++n) c[m * ldc + n] = sum[m][n];
}

#if defined(__x86_64__)
template <bool kPacked>
JEVONS_AVX2 void tile_avx2(int64_t K, const TileRows& a, const float* b, float* c, int64_t ldc, bool accumulate) {
  const float* row[6];
  JEVONS_UNROLL
  for (int m = 0; m < 6; ++m) row[m] = a.first + std::min<int64_t>(m, a.last) * a.row;
  __m256 sum[6][2];
  JEVONS_UNROLL
  for (int m = 0; m < 6; ++m) {
    JEVONS_UNROLL
    for (int n = 0; n < 2; ++n) sum[m][n] = accumulate ? _mm256_loadu_ps(c + m * ldc + 8 * n) : _mm256_setzero_ps();
  }
  for (int64_t k = 0; k < K; ++k) {
    const __m256 b0 = _mm256_loadu_ps(b + k * 16), b1 = _mm256_loadu_ps(b + k * 16 + 8);
    JEVONS_UNROLL
    for (int m = 0; m < 6; ++m) {
      const __m256 x = _mm256_broadcast_ss(kPacked ? row[0] + k * 6 + m : row[m] + k);
      sum[m][0] = _mm256_fmadd_ps(x, b0, sum[m][0]);
      sum[m][1] = _mm256_fmadd_ps(x, b1, sum[m][1]);
    }
  }
  JEVONS_UNROLL
  for (int m = 0; m < 6; ++m) {
    JEVONS_UNROLL
    for (int n = 0; n < 2; ++n) _mm256_storeu_ps(c + m * ldc + 8 * n, sum[m][n]);
  }
}

template <bool kPacked>
JEVONS_AVX512 void tile_avx512(int64_t K, const TileRows& a, const float* b, float* c, int64_t ldc, bool accumulate) {
  const float* row[12];
  JEVONS_UNROLL
  for (int m = 0; m < 12; ++m) row[m] = a.first + std::min<int64_t>(m, a.last) * a.row;
  __m512 sum[12][2];
  JEVONS_UNROLL
  for (int m = 0; m < 12; ++m) {
    JEVONS_UNROLL
    for (int n = 0; n < 2; ++n) sum[m][n] = accumulate ? _mm512_loadu_ps(c + m * ldc + 16 * n) : _mm512_setzero_ps();
  }
  for (int64_t k = 0; k < K; ++k) {
    const __m512 b0 = _mm512_loadu_ps(b + k * 32), b1 = _mm512_loadu_ps(b + k * 32 + 16);
    JEVONS_UNROLL
    for (int m = 0; m < 12; ++m) {
      const __m512 x = _mm512_set1_ps(kPacked ? row[0][k * 12 + m] : row[m][k]);
      sum[m][0] = _mm512_fmadd_ps(x, b0, sum[m][0]);
      sum[m][1] = _mm512_fmadd_ps(x, b1, sum[m][1]);
    }
  }
  JEVONS_UNROLL
  for (int m = 0; m < 12; ++m) {
    JEVONS_UNROLL
    for (int n = 0; n < 2; ++n) _mm512_storeu_ps(c + m * ldc + 16 * n, sum[m][n]);
  }
}
#endif

Tiling tiling() {
#if defined(__x86_64__)
  if (current_isa() == Isa::avx512_vnni) return {12, 32, tile_avx512<true>, tile_avx512<false>};
  if (current_isa() == Isa::avx2) return {6, 16, tile_avx2<true>, tile_avx2<false>};
#endif
  return {4, 16, tile_portable, tile_portable};
}

float* scratch(int which, int64_t floats) {
  struct Free {
    void operator()(float* p) const { std::free(p); }
  };
  static thread_local std::unique_ptr<float, Free> buffer[2];
  static thread_local int64_t size[2] = {};
  if (size[which] < floats) {
    const size_t bytes = (static_cast<size_t>(floats) * sizeof(float) + 63) / 64 * 64;
    buffer[which].reset(static_cast<float*>(std::aligned_alloc(64, bytes)));
    if (!buffer[which]) throw Error(Code::too_large, "out of memory for a matrix product");
    size[which] = floats;
  }
  return buffer[which].get();
}

#if defined(__x86_64__)
// to[k * width + i] = from[i * stride + k], i and k in [0, 8)
JEVONS_AVX2_INLINE void transpose8(const float* from, int64_t stride, int64_t width, float* to) {
  __m256 r[8], pair[8];
  JEVONS_UNROLL
  for (int i = 0; i < 4; ++i) {  // lines 0-3 and 4-7 as the halves of a register
    r[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(from + i * stride)),
                                _mm_loadu_ps(from + (i + 4) * stride), 1);
    r[i + 4] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(from + i * stride + 4)),
                                    _mm_loadu_ps(from + (i + 4) * stride + 4), 1);
  }
  JEVONS_UNROLL
  for (int i = 0; i < 8; i += 4) {
    pair[i] = _mm256_unpacklo_ps(r[i], r[i + 1]), pair[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    pair[i + 2] = _mm256_unpacklo_ps(r[i + 2], r[i + 3]), pair[i + 3] = _mm256_unpackhi_ps(r[i + 2], r[i + 3]);
  }
  JEVONS_UNROLL
  for (int i = 0; i < 8; i += 4) {
    _mm256_storeu_ps(to + i * width, _mm256_shuffle_ps(pair[i], pair[i + 2], 0x44));
    _mm256_storeu_ps(to + (i + 1) * width, _mm256_shuffle_ps(pair[i], pair[i + 2], 0xee));
    _mm256_storeu_ps(to + (i + 2) * width, _mm256_shuffle_ps(pair[i + 1], pair[i + 3], 0x44));
    _mm256_storeu_ps(to + (i + 3) * width, _mm256_shuffle_ps(pair[i + 1], pair[i + 3], 0xee));
  }
}

// Whole blocks of eight lines; returns how many lines are done.
JEVONS_AVX2 int64_t pack_across_avx2(const float* from, int64_t stride, int64_t live, int64_t K, int64_t width,
                                     float* out) {
  int64_t i = 0;
  for (; i + 8 <= live; i += 8) {
    const float* r = from + i * stride;
    int64_t k = 0;
    for (; k + 8 <= K; k += 8) transpose8(r + k, stride, width, out + k * width + i);
    for (; k < K; ++k)
      for (int64_t j = 0; j < 8; ++j) out[k * width + i + j] = r[j * stride + k];
  }
  return i;
}
#endif

// out[k * width + i] = from[i * stride + k] for i in [0, live), zero up to width.
void pack_across(const float* from, int64_t stride, int64_t live, int64_t K, int64_t width, float* out) {
  int64_t i = 0;
#if defined(__x86_64__)
  if (current_isa() >= Isa::avx2) i = pack_across_avx2(from, stride, live, K, width, out);
#endif
  for (; i < live; ++i)
    for (int64_t k = 0; k < K; ++k) out[k * width + i] = from[i * stride + k];
  for (; i < width; ++i)
    for (int64_t k = 0; k < K; ++k) out[k * width + i] = 0;
}

// out[k * kWidth + i] = from[k * stride + i]
template <int kWidth>
void pack_whole(const float* from, int64_t stride, int64_t K, float* out) {
  for (int64_t k = 0; k < K; ++k) std::memcpy(out + k * kWidth, from + k * stride, kWidth * sizeof(float));
}

// The same for i in [0, live), zero up to width.
void pack_along(const float* from, int64_t stride, int64_t live, int64_t K, int64_t width, float* out) {
  if (live == width && width == 6) return pack_whole<6>(from, stride, K, out);
  if (live == width && width == 12) return pack_whole<12>(from, stride, K, out);
  if (live == width && width == 16) return pack_whole<16>(from, stride, K, out);
  if (live == width && width == 32) return pack_whole<32>(from, stride, K, out);
  for (int64_t k = 0; k < K; ++k) {
    std::copy_n(from + k * stride, live, out + k * width);
    std::fill(out + k * width + live, out + (k + 1) * width, 0.0f);
  }
}

// Panels of `width` of the lines [first, first + count) for k in [k0, k0 + K). `k_is_minor`: a line is contiguous.
void pack(MatrixView<float> m, bool k_is_minor, int64_t first, int64_t count, int64_t k0, int64_t K, int64_t width,
          float* out) {
  for (int64_t i = 0; i < count; i += width, out += width * K) {
    const int64_t live = std::min(width, count - i);
    if (k_is_minor)
      pack_across(m.data + (first + i) * m.stride + k0, m.stride, live, K, width, out);
    else
      pack_along(m.data + k0 * m.stride + first + i, m.stride, live, K, width, out);
  }
}

void edge_tile(const Tiling& t, Tile run, int64_t K, const TileRows& a, const float* b, float* c, int64_t ldc,
               int64_t rows, int64_t cols, bool accumulate) {
  alignas(64) float tile[12 * 32] = {};
  for (int64_t m = 0; m < rows && accumulate; ++m) std::copy_n(c + m * ldc, cols, tile + m * t.cols);
  run(K, a, b, tile, t.cols, accumulate);
  for (int64_t m = 0; m < rows; ++m) std::copy_n(tile + m * t.cols, cols, c + m * ldc);
}

}  // namespace

void gemm_block(int64_t M, int64_t N, int64_t K, MatrixView<float> a, MatrixView<float> b, float* c, int64_t ldc,
                bool accumulate) {
  if (K == 0 && !accumulate)
    for (int64_t m = 0; m < M; ++m) std::fill_n(c + m * ldc, N, 0.0f);
  const Tiling t = tiling();
  const Tile run = a.transposed ? t.packed : t.direct;
  for (int64_t k0 = 0; k0 < K; k0 += kDepth) {
    const int64_t depth = std::min(kDepth, K - k0);
    const bool add = accumulate || k0 > 0;
    for (int64_t n0 = 0; n0 < N; n0 += kBlockCols) {
      const int64_t cols = std::min(kBlockCols, N - n0);
      float* packed_b = scratch(1, kDepth * kBlockCols);
      pack(b, b.transposed, n0, cols, k0, depth, t.cols, packed_b);
      for (int64_t m0 = 0; m0 < M; m0 += kBlockRows) {
        const int64_t rows = std::min(kBlockRows, M - m0);
        float* packed_a = scratch(0, kDepth * kBlockRows);
        if (a.transposed) pack(a, false, m0, rows, k0, depth, t.rows, packed_a);
        for (int64_t n = 0; n < cols; n += t.cols)
          for (int64_t m = 0; m < rows; m += t.rows) {
            const int64_t live_rows = std::min(t.rows, rows - m), live_cols = std::min(t.cols, cols - n);
            const TileRows from = a.transposed
                                      ? TileRows{packed_a + m * depth, 1, t.rows, t.rows - 1}
                                      : TileRows{a.data + (m0 + m) * a.stride + k0, a.stride, 1, live_rows - 1};
            float* to = c + (m0 + m) * ldc + n0 + n;
            const float* panel = packed_b + n * depth;
            if (live_rows == t.rows && live_cols == t.cols)
              run(depth, from, panel, to, ldc, add);
            else
              edge_tile(t, run, depth, from, panel, to, ldc, live_rows, live_cols, add);
          }
      }
    }
  }
}

}  // namespace jevons
