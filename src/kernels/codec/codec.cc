#include "kernels/codec/codec.h"

#include <array>
#include <cfloat>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "kernels/codec/unpack.h"

namespace jevons {
namespace {

template <class Block, class T>
void dequantize_block(const Block& block, T* dst) {
  constexpr int kGroups = Block::kValues / Block::kGroup;
  int8_t code[Block::kValues];
  float scale[kGroups], minimum[kGroups];
  unpack(block, code, scale, minimum);
  for (int g = 0; g < kGroups; ++g) {
    const T s = scale[g];
    const int8_t* c = code + g * Block::kGroup;
    T* out = dst + g * Block::kGroup;
    if constexpr (Block::kMinimum) {
      const T m = minimum[g];
      for (int i = 0; i < Block::kGroup; ++i) out[i] = s * static_cast<T>(c[i]) - m;
    } else {
      for (int i = 0; i < Block::kGroup; ++i) out[i] = s * static_cast<T>(c[i]);
    }
  }
}

// Plain numbers at any alignment: dst[i] = widen(the i-th U of src).
template <class U, class T, class Widen>
void widen_row(const std::byte* src, int64_t n, T* dst, Widen widen) {
  for (int64_t i = 0; i < n; ++i) {
    U value;
    std::memcpy(&value, src + i * static_cast<int64_t>(sizeof value), sizeof value);
    dst[i] = static_cast<T>(widen(value));
  }
}

const std::array<float, 256>& f8_table() {
  static const auto table = [] {
    std::array<float, 256> t;
    for (size_t i = 0; i < 256; ++i) t[i] = f8e4m3_to_f32(static_cast<uint8_t>(i));
    return t;
  }();
  return table;
}

}  // namespace

template <class T>
void dequantize_row(Pack pack, const std::byte* src, int64_t n, T* dst) {
  switch (pack) {
    case Pack::f64:
      return widen_row<double>(src, n, dst, [](double v) { return v; });
    case Pack::f32:
      return widen_row<float>(src, n, dst, [](float v) { return v; });
    case Pack::f16:
      return widen_row<uint16_t>(src, n, dst, f16_to_f32);
    case Pack::bf16:
      return widen_row<uint16_t>(src, n, dst, bf16_to_f32);
    default:
      break;
  }
  JEVONS_CHECK(pack != Pack::fp8_block128, "the scales of an fp8_block128 row are needed: dequantize_fp8_block128");
  JEVONS_CHECK(n % pack_info(pack).block_values == 0);
  with_block(pack, [&]<class Block>(const Block&) {
    const auto* blocks = reinterpret_cast<const Block*>(src);
    for (int64_t i = 0; i < n / Block::kValues; ++i) dequantize_block(blocks[i], dst + i * Block::kValues);
  });
}

template <class T>
void dequantize_fp8_block128(const std::byte* src, int64_t n, const float* scale, T* dst) {
  const auto& table = f8_table();
  for (int64_t i = 0; i < n; ++i)
    dst[i] = static_cast<T>(table[static_cast<uint8_t>(src[i])]) * static_cast<T>(scale[i / 128]);
}

template <class T>
void dequantize_row(const Weight& weight, int64_t index, int64_t row, T* dst) {
  JEVONS_CHECK(weight.layout == Layout::rows);
  JEVONS_CHECK(index >= 0 && index < weight.stack() && row >= 0 && row < weight.rows);
  const std::byte* src = weight.data[static_cast<size_t>(index)] + row * row_bytes(weight.pack, weight.cols);
  if (weight.pack != Pack::fp8_block128) return dequantize_row(weight.pack, src, weight.cols, dst);
  const float* scale = weight.block_scale[static_cast<size_t>(index)] + row / 128 * ((weight.cols + 127) / 128);
  dequantize_fp8_block128(src, weight.cols, scale, dst);
}

template void dequantize_row(Pack, const std::byte*, int64_t, float*);
template void dequantize_row(Pack, const std::byte*, int64_t, double*);
template void dequantize_fp8_block128(const std::byte*, int64_t, const float*, float*);
template void dequantize_fp8_block128(const std::byte*, int64_t, const float*, double*);
template void dequantize_row(const Weight&, int64_t, int64_t, float*);
template void dequantize_row(const Weight&, int64_t, int64_t, double*);

bool all_within(const float* values, int64_t n, float limit) {
  int outside = 0;
  for (int64_t i = 0; i < n; ++i) outside |= static_cast<int>(!(std::abs(values[i]) <= limit));
  return outside == 0;
}

bool all_finite(const float* values, int64_t n) { return all_within(values, n, FLT_MAX); }

}  // namespace jevons
