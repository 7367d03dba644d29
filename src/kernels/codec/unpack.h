// The reading side of every quantised block: codes, scales and minima, so that with g = i / Block::kGroup
//     value[i] = scale[g] * code[i] - minimum[g]
// holds exactly (a scale is an f16 times a small integer and fits an f32; minimum is written only where
// Block::kMinimum). `code` gets Block::kValues entries, `scale` and `minimum` kValues / kGroup each. Codes are centred
// (q4_0: -8..7).
#pragma once
#include <cstdint>

#include "kernels/codec/block_layouts.h"
#include "tensor/half.h"

namespace jevons {

inline float le16(const uint8_t* bytes) { return f16_to_f32(static_cast<uint16_t>(bytes[0] | bytes[1] << 8)); }

namespace codec {

// 16 bytes of nibbles: values j and j + 16, minus `offset`.
inline void nibbles32(const uint8_t* bytes, int offset, int8_t* code) {
  for (int j = 0; j < 16; ++j) {
    code[j] = static_cast<int8_t>((bytes[j] & 15) - offset);
    code[j + 16] = static_cast<int8_t>((bytes[j] >> 4) - offset);
  }
}

// The same with a fifth bit per value.
inline void fives32(const uint8_t* bytes, const uint8_t* fifth, int offset, int8_t* code) {
  nibbles32(bytes, offset, code);
  for (int j = 0; j < 32; ++j) code[j] = static_cast<int8_t>(code[j] + ((fifth[j / 8] >> j % 8 & 1) << 4));
}

// 128 bytes of nibbles, 32 at a time: 64 c + l (lo) and 64 c + 32 + l (hi).
inline void nibbles256(const uint8_t* bytes, int8_t* code) {
  for (int c = 0; c < 4; ++c)
    for (int l = 0; l < 32; ++l) {
      code[64 * c + l] = static_cast<int8_t>(bytes[32 * c + l] & 15);
      code[64 * c + 32 + l] = static_cast<int8_t>(bytes[32 * c + l] >> 4);
    }
}

// 64 bytes of 2-bit codes.
inline void pairs256(const uint8_t* bytes, int8_t* code) {
  for (int half = 0; half < 2; ++half)
    for (int k = 0; k < 4; ++k)
      for (int l = 0; l < 32; ++l)
        code[128 * half + 32 * k + l] = static_cast<int8_t>(bytes[32 * half + l] >> 2 * k & 3);
}

inline void grid32(const uint8_t* bytes, int8_t* code) {
  for (int j = 0; j < 16; ++j) code[j] = kIq4Values[bytes[j] & 15], code[j + 16] = kIq4Values[bytes[j] >> 4];
}

}  // namespace codec

// The 8 six-bit scales and minima of q4_k and q5_k.
inline void unpack_scales_q4k(const uint8_t* bytes, uint8_t* scale, uint8_t* minimum) {
  for (int g = 0; g < 4; ++g) {
    scale[g] = bytes[g] & 63, minimum[g] = bytes[4 + g] & 63;
    scale[4 + g] = static_cast<uint8_t>((bytes[8 + g] & 15) | bytes[g] >> 6 << 4);
    minimum[4 + g] = static_cast<uint8_t>(bytes[8 + g] >> 4 | bytes[4 + g] >> 6 << 4);
  }
}

inline void unpack(const BlockQ8_0& b, int8_t* code, float* scale, float*) {
  for (int i = 0; i < 32; ++i) code[i] = b.codes[i];
  scale[0] = le16(b.d);
}

inline void unpack(const BlockQ4_0& b, int8_t* code, float* scale, float*) {
  codec::nibbles32(b.nibbles, 8, code);
  scale[0] = le16(b.d);
}

inline void unpack(const BlockQ4_1& b, int8_t* code, float* scale, float* minimum) {
  codec::nibbles32(b.nibbles, 0, code);
  scale[0] = le16(b.d), minimum[0] = -le16(b.m);
}

inline void unpack(const BlockQ5_0& b, int8_t* code, float* scale, float*) {
  codec::fives32(b.nibbles, b.fifth, 16, code);
  scale[0] = le16(b.d);
}

inline void unpack(const BlockQ5_1& b, int8_t* code, float* scale, float* minimum) {
  codec::fives32(b.nibbles, b.fifth, 0, code);
  scale[0] = le16(b.d), minimum[0] = -le16(b.m);
}

inline void unpack(const BlockQ2K& b, int8_t* code, float* scale, float* minimum) {
  codec::pairs256(b.codes, code);
  const float d = le16(b.d), dmin = le16(b.dmin);
  for (int g = 0; g < 16; ++g) {
    scale[g] = d * static_cast<float>(b.scales[g] & 15);
    minimum[g] = dmin * static_cast<float>(b.scales[g] >> 4);
  }
}

inline void unpack(const BlockQ3K& b, int8_t* code, float* scale, float*) {
  codec::pairs256(b.codes, code);
  for (int k = 0; k < 8; ++k)
    for (int l = 0; l < 32; ++l)
      code[32 * k + l] = static_cast<int8_t>(code[32 * k + l] + ((b.third[l] >> k & 1) << 2) - 4);
  const float d = le16(b.d);
  for (int g = 0; g < 16; ++g) {
    const int low = b.scales[g % 8] >> 4 * (g / 8) & 15, high = b.scales[8 + g % 4] >> 2 * (g / 4) & 3;
    scale[g] = d * static_cast<float>((low | high << 4) - 32);
  }
}

namespace codec {
template <class Block>
void scales_q4k(const Block& b, float* scale, float* minimum) {
  uint8_t s[8], m[8];
  unpack_scales_q4k(b.scales, s, m);
  const float d = le16(b.d), dmin = le16(b.dmin);
  for (int g = 0; g < 8; ++g) scale[g] = d * s[g], minimum[g] = dmin * m[g];
}
}  // namespace codec

inline void unpack(const BlockQ4K& b, int8_t* code, float* scale, float* minimum) {
  codec::nibbles256(b.nibbles, code);
  codec::scales_q4k(b, scale, minimum);
}

inline void unpack(const BlockQ5K& b, int8_t* code, float* scale, float* minimum) {
  codec::nibbles256(b.nibbles, code);
  for (int g = 0; g < 8; ++g)
    for (int l = 0; l < 32; ++l) code[32 * g + l] = static_cast<int8_t>(code[32 * g + l] | (b.fifth[l] >> g & 1) << 4);
  codec::scales_q4k(b, scale, minimum);
}

inline void unpack(const BlockQ6K& b, int8_t* code, float* scale, float*) {
  for (int half = 0; half < 2; ++half)
    for (int k = 0; k < 4; ++k)
      for (int l = 0; l < 32; ++l) {
        const int low = b.nibbles[64 * half + 32 * (k % 2) + l] >> 4 * (k / 2) & 15;
        const int high = b.high[32 * half + l] >> 2 * k & 3;
        code[128 * half + 32 * k + l] = static_cast<int8_t>((low | high << 4) - 32);
      }
  const float d = le16(b.d);
  for (int g = 0; g < 16; ++g) scale[g] = d * b.scales[g];
}

inline void unpack(const BlockIq4Nl& b, int8_t* code, float* scale, float*) {
  codec::grid32(b.nibbles, code);
  scale[0] = le16(b.d);
}

inline void unpack(const BlockIq4Xs& b, int8_t* code, float* scale, float*) {
  const float d = le16(b.d);
  for (int g = 0; g < 8; ++g) {
    codec::grid32(b.nibbles + 16 * g, code + 32 * g);
    const int low = b.scales_low[g / 2] >> 4 * (g % 2) & 15;
    const int high = (b.scales_high[0] | b.scales_high[1] << 8) >> 2 * g & 3;
    scale[g] = d * static_cast<float>((low | high << 4) - 32);
  }
}

// Calls body(BlockX{}) for the block struct of a quantised pack; false for the others (f64, f32, f16, bf16, fp8).
template <class Body>
bool with_block(Pack pack, const Body& body) {
  switch (pack) {
    case Pack::q8_0:
      return body(BlockQ8_0{}), true;
    case Pack::q4_0:
      return body(BlockQ4_0{}), true;
    case Pack::q4_1:
      return body(BlockQ4_1{}), true;
    case Pack::q5_0:
      return body(BlockQ5_0{}), true;
    case Pack::q5_1:
      return body(BlockQ5_1{}), true;
    case Pack::q2_k:
      return body(BlockQ2K{}), true;
    case Pack::q3_k:
      return body(BlockQ3K{}), true;
    case Pack::q4_k:
      return body(BlockQ4K{}), true;
    case Pack::q5_k:
      return body(BlockQ5K{}), true;
    case Pack::q6_k:
      return body(BlockQ6K{}), true;
    case Pack::iq4_nl:
      return body(BlockIq4Nl{}), true;
    case Pack::iq4_xs:
      return body(BlockIq4Xs{}), true;
    default:
      return false;
  }
}

}  // namespace jevons
