// panel_dot_wide.h run on an emulation of the AVX512-VNNI instructions it uses, so that its layout and arithmetic are
// tested on machines without them: the same bits as the portable kernel for every pack and number of tokens.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/panel.h"
#include "kernels/cpu/panel_dot.h"
#include "tensor/half.h"

namespace jevons {
namespace {

struct Emulated {
  struct Int {
    int32_t lane[16];
  };
  struct Float {
    float lane[16];
  };
  template <class F>
  static Int each(const F& f) {
    Int out;
    for (int i = 0; i < 16; ++i) out.lane[i] = f(i);
    return out;
  }
  template <class F>
  static Float each_float(const F& f) {
    Float out;
    for (int i = 0; i < 16; ++i) out.lane[i] = f(i);
    return out;
  }
  // One 32-bit lane as `n` equal parts of type T, mapped and put together again.
  template <class T, class F>
  static Int parts(Int v, const F& f) {
    T part[64 / sizeof(T)];
    std::memcpy(part, v.lane, 64);
    for (T& p : part) p = static_cast<T>(f(p));
    std::memcpy(v.lane, part, 64);
    return v;
  }
  static Int load(const std::byte* p) {
    Int out;
    std::memcpy(out.lane, p, 64);
    return out;
  }
  static void store_bytes(std::byte* p, Int v) { std::memcpy(p, v.lane, 64); }
  static Int zero() { return {}; }
  static Float zero_float() { return {}; }
  static Int broadcast(const std::byte* p) {
    int32_t value;
    std::memcpy(&value, p, 4);
    return each([&](int) { return value; });
  }
  static Float broadcast_float(const std::byte* p) {
    float value;
    std::memcpy(&value, p, 4);
    return each_float([&](int) { return value; });
  }
  static Int and_bytes(Int v, int mask) {
    return parts<uint8_t>(v, [&](uint8_t b) { return b & mask; });
  }
  static Int or_(Int a, Int b) {
    return each([&](int i) { return a.lane[i] | b.lane[i]; });
  }
  static Int flip_top(Int v) {
    return parts<uint8_t>(v, [](uint8_t b) { return b ^ 0x80; });
  }
  template <int kLeft>
  static Int shift16(Int v) {
    return parts<uint16_t>(v, [](uint16_t h) { return kLeft >= 0 ? h << (kLeft & 15) : h >> (-kLeft & 15); });
  }
  template <int kLeft>
  static Int shift32(Int v) {
    return each([&](int i) { return v.lane[i] * (1 << kLeft); });
  }
  static Int dot(Int acc, Int w, Int x) {
    return each([&](int i) {
      int sum = acc.lane[i];
      for (int j = 0; j < 4; ++j)
        sum += static_cast<uint8_t>(w.lane[i] >> 8 * j) * static_cast<int8_t>(x.lane[i] >> 8 * j);
      return sum;
    });
  }
  static Int add(Int a, Int b) {
    return each([&](int i) { return a.lane[i] + b.lane[i]; });
  }
  static Int sub(Int a, Int b) {
    return each([&](int i) { return a.lane[i] - b.lane[i]; });
  }
  static Int mul32(Int a, Int b) {
    return each([&](int i) { return a.lane[i] * b.lane[i]; });
  }
  static Int bytes(const std::byte* p) {
    return each([&](int i) { return std::to_integer<int>(p[i]); });
  }
  static int32_t pair(int low, int high) {
    return static_cast<int32_t>(static_cast<uint32_t>(low & 0xffff) | static_cast<uint32_t>(high) << 16);
  }
  static Int unsigned_pairs(const std::byte* p) {
    return each([&](int i) { return pair(std::to_integer<int>(p[2 * i]), std::to_integer<int>(p[2 * i + 1])); });
  }
  static Int signed_pairs(const std::byte* p) {
    return each([&](int i) { return pair(static_cast<int8_t>(p[2 * i]), static_cast<int8_t>(p[2 * i + 1])); });
  }
  static Int low_of_pair(Int v) {
    return each([&](int i) { return int32_t{static_cast<int16_t>(v.lane[i])}; });
  }
  static Int high_of_pair(Int v) {
    return each([&](int i) { return v.lane[i] >> 16; });
  }
  static Int add_pairs(Int acc, Int a, Int b) {
    const Int al = low_of_pair(a), ah = high_of_pair(a), bl = low_of_pair(b), bh = high_of_pair(b);
    return each([&](int i) { return acc.lane[i] + al.lane[i] * bl.lane[i] + ah.lane[i] * bh.lane[i]; });
  }
  static Float to_float(Int v) {
    return each_float([&](int i) { return static_cast<float>(v.lane[i]); });
  }
  static Float halves(const std::byte* p) {
    return each_float([&](int i) {
      uint16_t bits;
      std::memcpy(&bits, p + 2 * i, 2);
      return f16_to_f32(bits);
    });
  }
  static Float mul(Float a, Float b) {
    return each_float([&](int i) { return a.lane[i] * b.lane[i]; });
  }
  static Float fma(Float a, Float b, Float c) {
    return each_float([&](int i) { return std::fma(a.lane[i], b.lane[i], c.lane[i]); });
  }
  static Float negated_fma(Float a, Float b, Float c) {
    return each_float([&](int i) { return std::fma(-a.lane[i], b.lane[i], c.lane[i]); });
  }
  static void store(float* p, Float v) { std::memcpy(p, v.lane, 64); }
};

#define JEVONS_WIDE
#define JEVONS_WIDE_INLINE inline
#include "kernels/cpu/panel_dot_wide.h"

class WidePacks : public testing::TestWithParam<Pack> {};

// Panels of random codes and integer scales, f16 scales of either sign around 2^-6.
TEST_P(WidePacks, GivesTheBitsOfThePortableKernel) {
  const Pack pack = GetParam();
  const PanelFormat& f = *panel_format(pack);
  for (const int64_t cols : {int64_t{f.block}, int64_t{f.block} * 5}) {
    std::vector<std::byte> panel(static_cast<size_t>(panel_bytes(pack, cols)));
    for (size_t i = 0; i < panel.size(); ++i) panel[i] = std::byte(static_cast<uint8_t>(philox(1, i)[0]));
    for (int64_t b = 0; b < cols / f.block; ++b)
      for (int64_t i = 0; i < (f.scale_bytes == 32 || f.bits == 6 ? 16 : 32); ++i) {
        const auto bits = static_cast<uint16_t>((philox(2, static_cast<uint64_t>(b * 32 + i))[0] & 0x83ff) | 0x2400);
        std::memcpy(panel.data() + b * f.scale_bytes + 2 * i, &bits, 2);
      }
    Arena arena;
    const QuantizedRows q = alloc_quantized(arena, 33, cols, f.block, false);
    std::vector<const std::byte*> x;
    for (int64_t t = 0; t < 33; ++t) {
      std::vector<float> row;
      for (int64_t c = 0; c < cols; ++c)
        row.push_back(static_cast<float>(uniform(3, static_cast<uint64_t>(t * cols + c)) - 0.5));
      quantize_row(row.data(), q, t);
      x.push_back(q.row(t));
    }
    std::vector<float> want(33 * 16), got(33 * 16);
    panel_dot_portable(pack, panel.data(), q, x.data(), 33, want.data());
    for (const int64_t count : {1, 2, 3, 7, 12, 33}) {
      std::fill(got.begin(), got.end(), -1.0f);
      wide_dispatch<Emulated>(pack, panel.data(), q, x.data(), count, got.data());
      ASSERT_EQ(std::memcmp(got.data(), want.data(), static_cast<size_t>(count) * 64), 0)
          << f.bits << " bits, " << count;
      if (count < 33) {
        ASSERT_EQ(got[static_cast<size_t>(count) * 16], -1.0f);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Panel, WidePacks,
                         testing::Values(Pack::q8_0, Pack::q4_0, Pack::q4_1, Pack::q5_0, Pack::q5_1, Pack::q4_k,
                                         Pack::q5_k, Pack::q6_k),
                         [](const auto& pack) { return std::string(pack_info(pack.param).name); });

}  // namespace
}  // namespace jevons
