#include "tensor/half.h"

#include <gtest/gtest.h>

#include <cmath>

namespace jevons {
namespace {

// Every code survives a round trip, and every float between two codes goes to the nearer one (ties to even code).
template <class Wide, class Narrow>
void exhaustive(uint32_t codes, Wide wide, Narrow narrow) {
  for (uint32_t code = 0; code < codes; ++code) {
    const float value = wide(code);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(wide(narrow(value)))) << code;
    } else {
      EXPECT_EQ(narrow(value), code) << value;
    }
  }
  for (uint32_t code = 0; code + 1 < codes / 2; ++code) {
    const float a = wide(code), b = wide(code + 1);
    if (!std::isfinite(a) || !std::isfinite(b)) continue;
    const float middle = a + (b - a) / 2;
    EXPECT_EQ(narrow(middle), code % 2 ? code + 1 : code) << a << " " << b;
    EXPECT_EQ(narrow(std::nextafter(middle, a)), code);
    EXPECT_EQ(narrow(std::nextafter(middle, b)), code + 1);
  }
}

TEST(Half, Bf16) {
  exhaustive(
      65536, [](uint32_t c) { return bf16_to_f32(static_cast<uint16_t>(c)); },
      [](float v) { return uint32_t{f32_to_bf16(v)}; });
}
TEST(Half, F16) {
  exhaustive(
      65536, [](uint32_t c) { return f16_to_f32(static_cast<uint16_t>(c)); },
      [](float v) { return uint32_t{f32_to_f16(v)}; });
  EXPECT_EQ(f32_to_f16(65520.f), 0x7c00);
  EXPECT_EQ(f32_to_f16(65519.f), 0x7bff);
}
TEST(Half, F8E4M3) {
  exhaustive(
      256, [](uint32_t c) { return f8e4m3_to_f32(static_cast<uint8_t>(c)); },
      [](float v) { return uint32_t{f32_to_f8e4m3(v)}; });
  EXPECT_EQ(f8e4m3_to_f32(0x7e), 448.f);
  EXPECT_EQ(f32_to_f8e4m3(1e9f), 0x7e);
  EXPECT_EQ(f32_to_f8e4m3(-INFINITY), 0xfe);
}

}  // namespace
}  // namespace jevons
