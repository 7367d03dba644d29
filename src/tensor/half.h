// Scalar conversions between float and the small float types. Exact in the widening direction; narrowing rounds to
// nearest even. bf16 keeps subnormals, E4M3 (OCP FP8, no infinities) saturates at 448 and keeps NaN.
#pragma once
#include <bit>
#include <cstdint>

namespace jevons {

inline float bf16_to_f32(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

inline uint16_t f32_to_bf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<uint16_t>((bits >> 16) | 0x40);  // NaN stays NaN
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

inline float f16_to_f32(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16, rest = half & 0x7fff;
  if (rest >= 0x7c00) return std::bit_cast<float>(sign | 0x7f800000 | (rest & 0x3ff) << 13);
  if (rest >= 0x400) return std::bit_cast<float>(sign | ((rest << 13) + 0x38000000));
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(static_cast<float>(rest) * 0x1p-24f));
}

inline uint16_t f32_to_f16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value), sign = bits >> 16 & 0x8000, rest = bits & 0x7fffffff;
  if (rest > 0x7f800000) return static_cast<uint16_t>(sign | 0x7e00);
  if (rest >= 0x47800000) return static_cast<uint16_t>(sign | 0x7c00);
  if (rest >= 0x38800000) return static_cast<uint16_t>(sign | ((rest - 0x38000000 + 0xfff + (rest >> 13 & 1)) >> 13));
  // Subnormal: adding 0.5 puts the half's bits at the bottom of the sum, rounded to nearest even by the adder.
  const float sum = std::bit_cast<float>(rest) + 0.5f;
  return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(sum) - 0x3f000000));
}

inline float f8e4m3_to_f32(uint8_t code) {
  const uint32_t exponent = code >> 3 & 15, mantissa = code & 7;
  float value = exponent == 0                       ? static_cast<float>(mantissa) * 0x1p-9f
                : (exponent == 15 && mantissa == 7) ? __builtin_nanf("")
                                                    : std::bit_cast<float>(((exponent + 120) << 23) | mantissa << 20);
  return code & 0x80 ? -value : value;
}

inline uint8_t f32_to_f8e4m3(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value), rest = bits & 0x7fffffff;
  const uint8_t sign = static_cast<uint8_t>(bits >> 24 & 0x80);
  if (rest > 0x7f800000) return static_cast<uint8_t>(sign | 0x7f);
  if (rest >= 0x43e00000) return static_cast<uint8_t>(sign | 0x7e);  // 448 and more
  if (rest >= 0x3c800000) {                                          // 2^-6 and more: normal
    const uint32_t rounded = rest + 0x7ffff + (rest >> 20 & 1);
    return static_cast<uint8_t>(sign | ((rounded >> 20) - (120 << 3)));
  }
  // Subnormal: ulp 2^-9. Adding 2^14 rounds to a multiple of 2^-9 by the adder (24-bit significand).
  const float sum = std::bit_cast<float>(rest) + 0x1p14f;
  return static_cast<uint8_t>(sign | (std::bit_cast<uint32_t>(sum) - std::bit_cast<uint32_t>(0x1p14f)));
}

}  // namespace jevons
