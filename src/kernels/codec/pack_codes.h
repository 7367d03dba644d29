// The writing side of the blocks that the quantiser produces: puts centred codes (as unpack.h gives them) and the
// integer scales into a block. Private to the quantiser.
#pragma once
#include <cstdint>

#include "kernels/codec/block_layouts.h"
#include "tensor/half.h"

namespace jevons {

inline void put_le16(uint8_t* bytes, uint16_t value) {
  bytes[0] = static_cast<uint8_t>(value), bytes[1] = static_cast<uint8_t>(value >> 8);
}

namespace codec {

inline void put_nibbles32(const int8_t* code, int offset, uint8_t* bytes) {
  for (int j = 0; j < 16; ++j)
    bytes[j] = static_cast<uint8_t>(((code[j] + offset) & 15) | ((code[j + 16] + offset) & 15) << 4);
}

inline void put_fives32(const int8_t* code, int offset, uint8_t* bytes, uint8_t* fifth) {
  put_nibbles32(code, offset, bytes);
  for (int b = 0; b < 4; ++b) {
    int bits = 0;
    for (int j = 0; j < 8; ++j) bits |= ((code[8 * b + j] + offset) >> 4 & 1) << j;
    fifth[b] = static_cast<uint8_t>(bits);
  }
}

inline void put_nibbles256(const int8_t* code, uint8_t* bytes) {
  for (int c = 0; c < 4; ++c)
    for (int l = 0; l < 32; ++l)
      bytes[32 * c + l] = static_cast<uint8_t>((code[64 * c + l] & 15) | (code[64 * c + 32 + l] & 15) << 4);
}

}  // namespace codec

inline void put_codes(const int8_t* code, BlockQ8_0& b) {
  for (int i = 0; i < 32; ++i) b.codes[i] = code[i];
}
inline void put_codes(const int8_t* code, BlockQ4_0& b) { codec::put_nibbles32(code, 8, b.nibbles); }
inline void put_codes(const int8_t* code, BlockQ4_1& b) { codec::put_nibbles32(code, 0, b.nibbles); }
inline void put_codes(const int8_t* code, BlockQ5_0& b) { codec::put_fives32(code, 16, b.nibbles, b.fifth); }
inline void put_codes(const int8_t* code, BlockQ5_1& b) { codec::put_fives32(code, 0, b.nibbles, b.fifth); }
inline void put_codes(const int8_t* code, BlockQ4K& b) { codec::put_nibbles256(code, b.nibbles); }

inline void put_codes(const int8_t* code, BlockQ5K& b) {
  codec::put_nibbles256(code, b.nibbles);
  for (int l = 0; l < 32; ++l) {
    int bits = 0;
    for (int g = 0; g < 8; ++g) bits |= (code[32 * g + l] >> 4 & 1) << g;
    b.fifth[l] = static_cast<uint8_t>(bits);
  }
}

inline void put_codes(const int8_t* code, BlockQ6K& b) {
  for (int half = 0; half < 2; ++half) {
    const int8_t* c = code + 128 * half;
    for (int l = 0; l < 32; ++l) {
      int high = 0;
      for (int k = 0; k < 4; ++k) high |= (c[32 * k + l] + 32) >> 4 << 2 * k;
      b.high[32 * half + l] = static_cast<uint8_t>(high);
    }
    for (int l = 0; l < 64; ++l)
      b.nibbles[64 * half + l] = static_cast<uint8_t>(((c[l] + 32) & 15) | ((c[64 + l] + 32) & 15) << 4);
  }
}

// The 12 bytes of q4_k and q5_k: eight scales and eight minima, 0..63.
inline void put_scales_q4k(const uint8_t* scale, const uint8_t* minimum, uint8_t* bytes) {
  for (int g = 0; g < 4; ++g) {
    bytes[g] = static_cast<uint8_t>(scale[g] | scale[4 + g] >> 4 << 6);
    bytes[4 + g] = static_cast<uint8_t>(minimum[g] | minimum[4 + g] >> 4 << 6);
    bytes[8 + g] = static_cast<uint8_t>((scale[4 + g] & 15) | (minimum[4 + g] & 15) << 4);
  }
}

}  // namespace jevons
