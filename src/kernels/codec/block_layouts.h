// The bytes of quantised blocks, as GGUF files hold them (ggml's published layouts). Every struct has alignment 1 and
// only byte members, so a pointer into a mapped file may be viewed as one. `le16` reads the little-endian f16 fields.
//
// One formula covers all of them: with g = i / kGroup,
//     value[i] = scale[g] * code[i] - minimum[g]          (minimum only where kMinimum)
// The blocks differ in how codes, scales and minima are squeezed into bytes; see unpack.h for the reading side.
// Diagrams: byte offset | content. "lo/hi" are the low and high four bits of a byte.
#pragma once
#include <cstdint>

#include "tensor/dtype.h"

namespace jevons {

// 0 | d f16 | 2 | 32 codes i8                                                        value = d * code
struct BlockQ8_0 {
  static constexpr Pack kPack = Pack::q8_0;
  static constexpr int kValues = 32, kGroup = 32;
  static constexpr bool kMinimum = false;
  uint8_t d[2];
  int8_t codes[32];
};

// 0 | d f16 | 2 | 16 bytes: byte j = lo: value j, hi: value j + 16                    value = d * (code - 8)
struct BlockQ4_0 {
  static constexpr Pack kPack = Pack::q4_0;
  static constexpr int kValues = 32, kGroup = 32;
  static constexpr bool kMinimum = false;
  uint8_t d[2];
  uint8_t nibbles[16];
};

// 0 | d f16 | 2 | m f16 | 4 | 16 bytes as q4_0                                        value = d * code + m
struct BlockQ4_1 {
  static constexpr Pack kPack = Pack::q4_1;
  static constexpr int kValues = 32, kGroup = 32;
  static constexpr bool kMinimum = true;
  uint8_t d[2], m[2];
  uint8_t nibbles[16];
};

// 0 | d f16 | 2 | 32 fifth bits, bit i of the word belongs to value i | 6 | 16 bytes as q4_0   value = d * (code - 16)
struct BlockQ5_0 {
  static constexpr Pack kPack = Pack::q5_0;
  static constexpr int kValues = 32, kGroup = 32;
  static constexpr bool kMinimum = false;
  uint8_t d[2];
  uint8_t fifth[4];
  uint8_t nibbles[16];
};

// 0 | d f16 | 2 | m f16 | 4 | fifth bits as q5_0 | 8 | 16 bytes as q4_0               value = d * code + m
struct BlockQ5_1 {
  static constexpr Pack kPack = Pack::q5_1;
  static constexpr int kValues = 32, kGroup = 32;
  static constexpr bool kMinimum = true;
  uint8_t d[2], m[2];
  uint8_t fifth[4];
  uint8_t nibbles[16];
};

// 0 | 16 bytes: byte g = lo: scale g, hi: minimum g | 16 | 64 bytes of 2-bit codes | 80 | d f16 | 82 | dmin f16
// Codes: the first 32 bytes hold values 0..127, the others 128..255; bits 2k, 2k+1 of byte l hold value 32 k + l of the
// half.
//                                                                 value = d * scale * code - dmin * minimum
struct BlockQ2K {
  static constexpr Pack kPack = Pack::q2_k;
  static constexpr int kValues = 256, kGroup = 16;
  static constexpr bool kMinimum = true;
  uint8_t scales[16];
  uint8_t codes[64];
  uint8_t d[2], dmin[2];
};

// 0 | 32 bytes: bit k of byte l is the third bit of value 32 k + l | 32 | 64 bytes of 2-bit codes as q2_k
// 96 | 12 bytes: 16 six-bit scales; low four bits of scale g in nibble (g / 8) of byte g % 8, high two bits in bits
// 2 (g / 4).. of byte 8 + g % 4 | 108 | d f16                       value = d * (scale - 32) * (code - 4)
struct BlockQ3K {
  static constexpr Pack kPack = Pack::q3_k;
  static constexpr int kValues = 256, kGroup = 16;
  static constexpr bool kMinimum = false;
  uint8_t third[32];
  uint8_t codes[64];
  uint8_t scales[12];
  uint8_t d[2];
};

// 0 | d f16 | 2 | dmin f16 | 4 | 12 bytes: 8 six-bit scales and 8 six-bit minima | 16 | 128 bytes of nibbles
// Scales: for g < 4, byte g = scale g (low six bits) and the two high bits of scale g + 4; byte 4 + g likewise for the
// minima; byte 8 + g = lo: low four bits of scale g + 4, hi: low four bits of minimum g + 4.
// Nibbles: 32 bytes c hold values 64 c + l (lo) and 64 c + 32 + l (hi).
//                                                                 value = d * scale * code - dmin * minimum
struct BlockQ4K {
  static constexpr Pack kPack = Pack::q4_k;
  static constexpr int kValues = 256, kGroup = 32;
  static constexpr bool kMinimum = true;
  uint8_t d[2], dmin[2];
  uint8_t scales[12];
  uint8_t nibbles[128];
};

// 0 | d f16 | 2 | dmin f16 | 4 | scales as q4_k | 16 | 32 bytes: bit g of byte l is the fifth bit of value 32 g + l
// 48 | 128 bytes of nibbles as q4_k                               value = d * scale * code - dmin * minimum
struct BlockQ5K {
  static constexpr Pack kPack = Pack::q5_k;
  static constexpr int kValues = 256, kGroup = 32;
  static constexpr bool kMinimum = true;
  uint8_t d[2], dmin[2];
  uint8_t scales[12];
  uint8_t fifth[32];
  uint8_t nibbles[128];
};

// 0 | 128 bytes of nibbles | 128 | 64 bytes of high bit pairs | 192 | 16 scales i8 | 208 | d f16
// Each half of 128 values has 64 nibble bytes and 32 pair bytes: quarter k (values 32 k + l) has its nibbles in bytes
// 32 (k % 2) + l (lo for k < 2, hi else) and its high bits in bits 2k, 2k+1 of pair byte l.
//                                                                 value = d * scale * (code - 32)
struct BlockQ6K {
  static constexpr Pack kPack = Pack::q6_k;
  static constexpr int kValues = 256, kGroup = 16;
  static constexpr bool kMinimum = false;
  uint8_t nibbles[128];
  uint8_t high[64];
  int8_t scales[16];
  uint8_t d[2];
};

// As q4_0, but the four bits index kIq4Values                     value = d * kIq4Values[code]
struct BlockIq4Nl {
  static constexpr Pack kPack = Pack::iq4_nl;
  static constexpr int kValues = 32, kGroup = 32;
  static constexpr bool kMinimum = false;
  uint8_t d[2];
  uint8_t nibbles[16];
};

// 0 | d f16 | 2 | 16 bits: high pairs of the 8 scales | 4 | 4 bytes: low nibbles of the 8 scales (lo: even, hi: odd)
// 8 | 8 times 16 bytes as q4_0                                    value = d * (scale - 32) * kIq4Values[code]
struct BlockIq4Xs {
  static constexpr Pack kPack = Pack::iq4_xs;
  static constexpr int kValues = 256, kGroup = 32;
  static constexpr bool kMinimum = false;
  uint8_t d[2];
  uint8_t scales_high[2];
  uint8_t scales_low[4];
  uint8_t nibbles[128];
};

// The non-uniform grid of iq4_nl and iq4_xs.
inline constexpr int8_t kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

static_assert(sizeof(BlockQ8_0) == 34 && sizeof(BlockQ4_0) == 18 && sizeof(BlockQ4_1) == 20 && sizeof(BlockQ5_0) == 22);
static_assert(sizeof(BlockQ5_1) == 24 && sizeof(BlockQ2K) == 84 && sizeof(BlockQ3K) == 110 && sizeof(BlockQ4K) == 144);
static_assert(sizeof(BlockQ5K) == 176 && sizeof(BlockQ6K) == 210 && sizeof(BlockIq4Nl) == 18 &&
              sizeof(BlockIq4Xs) == 136);
static_assert(alignof(BlockQ6K) == 1 && alignof(BlockQ8_0) == 1);

}  // namespace jevons
