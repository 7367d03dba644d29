// quantize_row: see codec.h. Each block is fitted by itself (fit.h), the fitted scales are rounded to what the format
// can store, and the codes are chosen for the rounded scales.
#include <algorithm>
#include <array>
#include <cfloat>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "kernels/codec/codec.h"
#include "kernels/codec/fit.h"
#include "kernels/codec/pack_codes.h"
#include "kernels/codec/unpack.h"

namespace jevons {
namespace {

using namespace codec;

constexpr float kHalfMax = 65504;

// A scale as the block will hold it.
float to_half(float value, uint8_t* bytes) {
  put_le16(bytes, f32_to_f16(std::clamp(value, -kHalfMax, kHalfMax)));
  return le16(bytes);
}

template <int N>
void store_codes(const float* q, int8_t* code) {
  for (int i = 0; i < N; ++i) code[i] = static_cast<int8_t>(q[i]);
}

template <class Block, int kLow, int kHigh, int kSteps>
void symmetric_block(const float* x, const float* w, float step, Block& block) {
  const float d = to_half(fit_symmetric<32, kLow, kHigh, kSteps>(x, w, step), block.d);
  float q[32];
  int8_t code[32];
  nearest_codes<32>(x, d, 0, kLow, kHigh, q);
  store_codes<32>(q, code);
  put_codes(code, block);
}

void quantize_block(const float* x, const float* w, BlockQ8_0& b) {
  symmetric_block<BlockQ8_0, -127, 127, 6>(x, w, 0.5f, b);
}
void quantize_block(const float* x, const float* w, BlockQ4_0& b) {
  symmetric_block<BlockQ4_0, -8, 7, 8>(x, w, 0.125f, b);
}
void quantize_block(const float* x, const float* w, BlockQ5_0& b) {
  symmetric_block<BlockQ5_0, -16, 15, 8>(x, w, 0.2f, b);
}

// q4_1 and q5_1. Rounding the scale to f16 (coarse for tiny numbers) moves the best minimum, so that is fitted again.
template <class Block, int kHigh>
void affine_block(const float* x, const float* w, Block& block) {
  const Affine fit = fit_affine<32, kHigh, 10>(x, w, 0.2f, true);
  const float scale = to_half(fit.scale, block.d);
  float q[32], best = INFINITY, minimum = fit.minimum;
  for (int round = 0; round < 3; ++round) {
    uint8_t m[2];
    const float rounded = -to_half(-minimum, m);
    if (const float e = grid_error<32>(x, w, scale, rounded, 0, kHigh, q); e < best) {
      best = e, std::memcpy(block.m, m, 2);
    }
    minimum = best_minimum<32>(x, w, q, scale);
  }
  int8_t code[32];
  nearest_codes<32>(x, scale, -le16(block.m), 0, kHigh, q);
  store_codes<32>(q, code);
  put_codes(code, block);
}

void quantize_block(const float* x, const float* w, BlockQ4_1& b) { affine_block<BlockQ4_1, 15>(x, w, b); }
void quantize_block(const float* x, const float* w, BlockQ5_1& b) { affine_block<BlockQ5_1, 31>(x, w, b); }

uint8_t six_bits(float value) { return static_cast<uint8_t>(std::clamp(nearest_int(value), 0.0f, 63.0f)); }

// q4_k and q5_k: each group of 32 is fitted freely; then scales and minima are rounded to six bits of a common f16
// unit, and each group takes the pair of neighbouring integers that serves its numbers best.
template <class Block, int kHigh>
void super_affine_block(const float* x, const float* w, Block& block) {
  Affine fit[8];
  float top_scale = 0, top_minimum = 0;
  for (int g = 0; g < 8; ++g) {
    fit[g] = fit_affine<32, kHigh, 10>(x + 32 * g, w + 32 * g, 0.15f, false);
    top_scale = std::max(top_scale, fit[g].scale), top_minimum = std::max(top_minimum, fit[g].minimum);
  }
  const float d = to_half(top_scale / 63, block.d), dmin = to_half(top_minimum / 63, block.dmin);
  uint8_t scale[8], minimum[8];
  int8_t code[256];
  float q[32];
  for (int g = 0; g < 8; ++g) {
    const float *xg = x + 32 * g, *wg = w + 32 * g;
    const float s = d > 0 ? fit[g].scale / d : 0, m = dmin > 0 ? fit[g].minimum / dmin : 0;
    float best = INFINITY;
    for (int ds = -1; ds <= 1; ++ds)
      for (int dm = -1; dm <= 1; ++dm) {
        const uint8_t si = six_bits(s + static_cast<float>(ds)), mi = six_bits(m + static_cast<float>(dm));
        const float error = grid_error<32>(xg, wg, d * si, dmin * mi, 0, kHigh, q);
        if (error < best) best = error, scale[g] = si, minimum[g] = mi;
      }
    nearest_codes<32>(xg, d * scale[g], dmin * minimum[g], 0, kHigh, q);
    store_codes<32>(q, code + 32 * g);
  }
  put_scales_q4k(scale, minimum, block.scales);
  put_codes(code, block);
}

void quantize_block(const float* x, const float* w, BlockQ4K& b) { super_affine_block<BlockQ4K, 15>(x, w, b); }
void quantize_block(const float* x, const float* w, BlockQ5K& b) { super_affine_block<BlockQ5K, 31>(x, w, b); }

// q6_k: sixteen signed scales of eight bits; the unit's sign lets the largest one use -128.
void quantize_block(const float* x, const float* w, BlockQ6K& block) {
  float fit[16];
  for (int g = 0; g < 16; ++g) fit[g] = fit_symmetric<16, -32, 31, 6>(x + 16 * g, w + 16 * g, 0.25f);
  const float d = to_half(extreme<16>(fit) / -128, block.d);
  int8_t code[256];
  float q[16];
  for (int g = 0; g < 16; ++g) {
    const float *xg = x + 16 * g, *wg = w + 16 * g;
    const float s = d != 0 ? fit[g] / d : 0;
    float best = INFINITY;
    for (int ds = -1; ds <= 1; ++ds) {
      const float si = std::clamp(nearest_int(s + static_cast<float>(ds)), -128.0f, 127.0f);
      const float error = grid_error<16>(xg, wg, d * si, 0, -32, 31, q);
      if (error < best) best = error, block.scales[g] = static_cast<int8_t>(si);
    }
    nearest_codes<16>(xg, d * block.scales[g], 0, -32, 31, q);
    store_codes<16>(q, code + 16 * g);
  }
  put_codes(code, block);
}

template <class Block>
void quantize_blocks(const float* src, int64_t n, std::byte* dst, const float* importance) {
  std::array<float, Block::kValues> ones;
  ones.fill(1);
  auto* blocks = reinterpret_cast<Block*>(dst);
  for (int64_t i = 0; i < n; i += Block::kValues)
    quantize_block(src + i, importance ? importance + i : ones.data(), blocks[i / Block::kValues]);
}

template <class Narrow>
void narrow_row(const float* src, int64_t n, std::byte* dst, Narrow narrow) {
  for (int64_t i = 0; i < n; ++i) {
    const uint16_t value = narrow(src[i]);
    std::memcpy(dst + 2 * i, &value, 2);
  }
}

}  // namespace

void quantize_row(Pack pack, const float* src, int64_t n, std::byte* dst, const float* importance) {
  JEVONS_CHECK(n % pack_info(pack).block_values == 0);
  switch (pack) {
    case Pack::f32:
      std::memcpy(dst, src, static_cast<size_t>(n) * 4);
      return;
    case Pack::f16:
      return narrow_row(src, n, dst, f32_to_f16);
    case Pack::bf16:
      return narrow_row(src, n, dst, f32_to_bf16);
    case Pack::q8_0:
      return quantize_blocks<BlockQ8_0>(src, n, dst, importance);
    case Pack::q4_0:
      return quantize_blocks<BlockQ4_0>(src, n, dst, importance);
    case Pack::q4_1:
      return quantize_blocks<BlockQ4_1>(src, n, dst, importance);
    case Pack::q5_0:
      return quantize_blocks<BlockQ5_0>(src, n, dst, importance);
    case Pack::q5_1:
      return quantize_blocks<BlockQ5_1>(src, n, dst, importance);
    case Pack::q4_k:
      return quantize_blocks<BlockQ4K>(src, n, dst, importance);
    case Pack::q5_k:
      return quantize_blocks<BlockQ5K>(src, n, dst, importance);
    case Pack::q6_k:
      return quantize_blocks<BlockQ6K>(src, n, dst, importance);
    default:
      JEVONS_CHECK(false, "nothing quantises to this pack; see can_quantize_to");
  }
}

bool can_quantize_to(Pack pack) {
  switch (pack) {
    case Pack::f32:
    case Pack::f16:
    case Pack::bf16:
    case Pack::q8_0:
    case Pack::q4_0:
    case Pack::q4_1:
    case Pack::q5_0:
    case Pack::q5_1:
    case Pack::q4_k:
    case Pack::q5_k:
    case Pack::q6_k:
      return true;
    default:
      return false;
  }
}

float quantize_limit(Pack pack) { return pack == Pack::f32 || pack == Pack::bf16 ? FLT_MAX : kHalfMax; }

}  // namespace jevons
