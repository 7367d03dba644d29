#include "kernels/cpu/panel_dot.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "base/error.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/panel.h"
#include "tensor/half.h"

namespace jevons {
namespace {

template <class T>
T at(const std::byte* base, int64_t index) {
  T value;
  std::memcpy(&value, base + index * static_cast<int64_t>(sizeof(T)), sizeof(T));
  return value;
}

float half_at(const std::byte* base, int64_t index) { return f16_to_f32(at<uint16_t>(base, index)); }

// Dots of 32 columns, sixteen by sixteen, of one row of the panel.
struct Pair {
  int32_t half[2];
};
Pair dot32(bool is_signed, const uint8_t* w, const int8_t* x) {
  Pair out{};
  for (int i = 0; i < 32; ++i)
    out.half[i / 16] += (is_signed ? static_cast<int>(static_cast<int8_t>(w[i])) : static_cast<int>(w[i])) * x[i];
  return out;
}

float step32(const PanelFormat& f, const std::byte* scales, int64_t r, int32_t dot, const QuantizedRows& layout,
             const std::byte* x, int64_t b, float acc) {
  const int offset = f.form == Pack::q4_0 ? 8 : f.form == Pack::q5_0 ? 16 : 0;
  dot -= offset * at<int32_t>(x + layout.sum_at(), b);
  acc = std::fma(static_cast<float>(dot), half_at(scales, r) * at<float>(x + layout.scale_at(), b), acc);
  if (f.scale_bytes == 64) acc = std::fma(half_at(scales, 16 + r), at<float>(x + layout.scaled_sum_at(), b), acc);
  return acc;
}

float step256(const PanelFormat& f, const std::byte* scales, int64_t r, const Pair* dots, const QuantizedRows& layout,
              const std::byte* x, int64_t b, float acc) {
  const float d = at<float>(x + layout.scale_at(), b);
  int32_t sum = 0, correction = 0;
  for (int g = 0; g < 8; ++g) {
    if (f.form == Pack::q6_k) {
      for (int h = 0; h < 2; ++h) {
        const int scale = at<int8_t>(scales + 32, 32 * g + 2 * r + h);
        sum += scale * dots[g].half[h];
        correction += scale * at<int16_t>(x + layout.sum16_at(), 16 * b + 2 * g + h);
      }
    } else {
      sum += at<uint8_t>(scales + 64, 16 * g + r) * (dots[g].half[0] + dots[g].half[1]);
      correction +=
          at<uint8_t>(scales + 192, 32 * (g / 2) + 2 * r + g % 2) * at<int16_t>(x + layout.sum32_at(), 8 * b + g);
    }
  }
  if (f.form == Pack::q6_k) return std::fma(static_cast<float>(sum - 32 * correction), half_at(scales, r) * d, acc);
  acc = std::fma(static_cast<float>(sum), half_at(scales, r) * d, acc);
  return std::fma(-static_cast<float>(correction), half_at(scales, 16 + r) * d, acc);
}

}  // namespace

void panel_dot_portable(Pack pack, const std::byte* panel, const QuantizedRows& layout, const std::byte* const* x,
                        int64_t count, float* out) {
  const PanelFormat& f = *panel_format(pack);
  const std::byte* codes = panel + panel_codes_at(pack, layout.cols);
  const int64_t groups = f.block / 32;
  std::fill_n(out, count * kPanelRows, 0.0f);
  for (int64_t b = 0; b < layout.cols / f.block; ++b)
    for (int64_t r = 0; r < kPanelRows; ++r) {
      uint8_t w[256];
      for (int64_t g = 0; g < groups; ++g) panel_codes(f.bits, codes + (b * groups + g) * f.code_bytes, r, w + 32 * g);
      for (int64_t t = 0; t < count; ++t) {
        const auto* q = reinterpret_cast<const int8_t*>(x[t]) + b * f.block;
        const std::byte* scales = panel + b * f.scale_bytes;
        float& acc = out[t * kPanelRows + r];
        Pair dots[8];
        for (int64_t g = 0; g < groups; ++g) dots[g] = dot32(f.bits == 8, w + 32 * g, q + 32 * g);
        acc = f.block == 32 ? step32(f, scales, r, dots[0].half[0] + dots[0].half[1], layout, x[t], b, acc)
                            : step256(f, scales, r, dots, layout, x[t], b, acc);
      }
    }
}

std::byte* panel_scratch(int64_t bytes) {
  struct Buffer {
    std::byte* data = nullptr;
    int64_t size = 0;
    ~Buffer() { std::free(data); }
  };
  static thread_local Buffer buffer;
  if (buffer.size < bytes) {
    std::free(buffer.data);
    buffer.data = static_cast<std::byte*>(std::aligned_alloc(64, static_cast<size_t>(bytes)));
    JEVONS_CHECK(buffer.data, "out of memory");
    buffer.size = bytes;
  }
  return buffer.data;
}

void panel_dot(Pack pack, const std::byte* panel, const QuantizedRows& layout, const std::byte* const* x, int64_t count,
               float* out) {
  pack = panel_format(pack)->form;
#if defined(__x86_64__)
  if (current_isa() == Isa::avx512_vnni) return panel_dot_avx512(pack, panel, layout, x, count, out);
  if (current_isa() == Isa::avx2) return panel_dot_avx2(pack, panel, layout, x, count, out);
#endif
  panel_dot_portable(pack, panel, layout, x, count, out);
}

}  // namespace jevons
