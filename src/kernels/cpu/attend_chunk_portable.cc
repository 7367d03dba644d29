#include <array>
#include <cmath>
#include <cstring>

#include "kernels/cpu/attend_chunk.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/math.h"
#include "kernels/kv_layout.h"
#include "tensor/half.h"

namespace jevons {
namespace {

using Lanes = std::array<float, 8>;

template <class F>
Lanes each(F f) {
  Lanes out;
  for (size_t i = 0; i < 8; ++i) out[i] = f(i);
  return out;
}

Lanes zero() { return {}; }
Lanes splat(float x) {
  return each([&](size_t) { return x; });
}
Lanes load(const float* from) {
  return each([&](size_t i) { return from[i]; });
}
void store(float* to, const Lanes& x) {
  for (size_t i = 0; i < 8; ++i) to[i] = x[i];
}
Lanes add(const Lanes& a, const Lanes& b) {
  return each([&](size_t i) { return a[i] + b[i]; });
}
Lanes sub(const Lanes& a, const Lanes& b) {
  return each([&](size_t i) { return a[i] - b[i]; });
}
float max(float a, float b) { return a > b ? a : b; }  // as vmaxps: the second where either is NaN
Lanes max(const Lanes& a, const Lanes& b) {
  return each([&](size_t i) { return max(a[i], b[i]); });
}
Lanes mul(const Lanes& a, const Lanes& b) {
  return each([&](size_t i) { return a[i] * b[i]; });
}
Lanes fma(const Lanes& a, const Lanes& b, const Lanes& c) {
  return each([&](size_t i) { return std::fma(a[i], b[i], c[i]); });
}
Lanes exp(const Lanes& x) {
  return each([&](size_t i) { return exp_f32(x[i]); });
}

float lane_sum(const Lanes& x) { return ((x[0] + x[1]) + (x[2] + x[3])) + ((x[4] + x[5]) + (x[6] + x[7])); }
float lane_max(const Lanes& x) {
  const float a = max(max(x[0], x[4]), max(x[2], x[6])), b = max(max(x[1], x[5]), max(x[3], x[7]));
  return max(a, b);
}
void store_sums(const Lanes* x, float* to) {
  for (int t = 0; t < 4; ++t) to[t] = lane_sum(x[t]);
}

Lanes widen_f16(const std::byte* from) {
  return each([&](size_t i) { return f16_to_f32(reinterpret_cast<const uint16_t*>(from)[i]); });
}
Lanes widen_bf16(const std::byte* from) {
  return each([&](size_t i) { return bf16_to_f32(reinterpret_cast<const uint16_t*>(from)[i]); });
}

Lanes widen_i8(const std::byte* from) {
  return each([&](size_t i) { return static_cast<float>(static_cast<int8_t>(from[i])); });
}
Lanes splat_f16(const std::byte* from) {
  uint16_t half;
  std::memcpy(&half, from, 2);
  return splat(f16_to_f32(half));
}

#define JEVONS_TIER
#define JEVONS_TIER_INLINE inline
#include "kernels/cpu/attend_chunk.inc"

}  // namespace

void attend_chunk_portable(const AttendChunk& chunk) { run_chunk(chunk); }

}  // namespace jevons
