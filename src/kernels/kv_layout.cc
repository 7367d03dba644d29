#include "kernels/kv_layout.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tensor/half.h"

namespace jevons {
namespace {

void narrow_i8(const float* from, int64_t width, std::byte* entry) {
  for (int64_t first = 0; first < width; first += kKvBlock) {
    const int64_t n = std::min(kKvBlock, width - first);
    float top = 0;
    for (int64_t i = first; i < first + n; ++i) top = std::max(top, std::fabs(from[i]));
    const uint16_t half = f32_to_f16(top / 127);
    const float scale = f16_to_f32(half), back = scale > 0 ? 1 / scale : 0;
    for (int64_t i = first; i < first + n; ++i)
      entry[i] =
          static_cast<std::byte>(static_cast<int8_t>(std::clamp(std::nearbyint(from[i] * back), -127.0f, 127.0f)));
    std::memcpy(entry + width + first / kKvBlock * 2, &half, 2);
  }
}

}  // namespace

void kv_narrow(DType dtype, const float* from, int64_t n, std::byte* entry) {
  if (dtype == DType::i8) return narrow_i8(from, n, entry);
  if (dtype == DType::f32) {
    std::memcpy(entry, from, static_cast<size_t>(n) * 4);
    return;
  }
  auto* half = reinterpret_cast<uint16_t*>(entry);
  for (int64_t i = 0; i < n; ++i) half[i] = dtype == DType::f16 ? f32_to_f16(from[i]) : f32_to_bf16(from[i]);
}

void kv_widen(DType dtype, const std::byte* entry, int64_t n, int64_t width, float* to) {
  if (dtype == DType::f32) {
    std::memcpy(to, entry, static_cast<size_t>(width) * 4);
    return;
  }
  for (int64_t i = 0; i < width; ++i) {
    uint16_t half;
    std::memcpy(&half, dtype == DType::i8 ? entry + n + i / kKvBlock * 2 : entry + 2 * i, 2);
    to[i] = dtype == DType::bf16  ? bf16_to_f32(half)
            : dtype == DType::f16 ? f16_to_f32(half)
                                  : static_cast<float>(static_cast<int8_t>(entry[i])) * f16_to_f32(half);
  }
}

}  // namespace jevons
