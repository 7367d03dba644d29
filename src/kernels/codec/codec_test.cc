#include "kernels/codec/codec.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "base/file.h"
#include "kernels/codec/unpack.h"
#include "tensor/half.h"

namespace jevons {
namespace {

constexpr Pack kBlockPacks[] = {Pack::q8_0, Pack::q4_0, Pack::q4_1, Pack::q5_0, Pack::q5_1,   Pack::q2_k,
                                Pack::q3_k, Pack::q4_k, Pack::q5_k, Pack::q6_k, Pack::iq4_nl, Pack::iq4_xs};

struct Golden {
  std::string bytes;
  int64_t n;
  const std::byte* blocks() const { return reinterpret_cast<const std::byte*>(bytes.data()); }
  float expected(Pack pack, int64_t i) const {
    float value;
    std::memcpy(&value, bytes.data() + row_bytes(pack, n) + 4 * i, 4);
    return value;
  }
};

Golden golden(Pack pack) {
  const PackInfo& info = pack_info(pack);
  Golden g{read_file(std::string(JEVONS_SOURCE_DIR "/tests/golden/codec/") + std::string(info.name) + ".bin").value(),
           0};
  g.n = (info.block_values == 256 ? 3 : 6) * info.block_values;
  EXPECT_EQ(g.bytes.size(), static_cast<size_t>(row_bytes(pack, g.n) + 4 * g.n));
  return g;
}

TEST(Codec, EveryBlockEqualsTheGgufPackageBitForBit) {
  for (Pack pack : kBlockPacks) {
    const Golden g = golden(pack);
    std::vector<float> values(g.n);
    dequantize_row(pack, g.blocks(), g.n, values.data());
    for (int64_t i = 0; i < g.n; ++i)
      ASSERT_EQ(std::bit_cast<uint32_t>(values[i]), std::bit_cast<uint32_t>(g.expected(pack, i)))
          << pack_info(pack).name << " value " << i << ": " << values[i] << " for " << g.expected(pack, i);
  }
}

TEST(Codec, DoubleIsTheSameFormulaAndFloatItsRounding) {
  for (Pack pack : kBlockPacks) {
    const Golden g = golden(pack);
    std::vector<float> single(g.n);
    std::vector<double> exact(g.n);
    dequantize_row(pack, g.blocks(), g.n, single.data());
    dequantize_row(pack, g.blocks(), g.n, exact.data());
    // scale * code fits 24 bits where there is a minimum, so the float row is the exact row rounded once.
    for (int64_t i = 0; i < g.n; ++i) ASSERT_EQ(single[i], static_cast<float>(exact[i])) << pack_info(pack).name << i;
  }
}

TEST(Codec, AnyAlignmentIsRead) {
  for (Pack pack : kBlockPacks) {
    const Golden g = golden(pack);
    const int64_t bytes = row_bytes(pack, g.n);
    std::vector<std::byte> shifted(bytes + 1);
    std::memcpy(shifted.data() + 1, g.blocks(), bytes);
    std::vector<float> values(g.n);
    dequantize_row(pack, shifted.data() + 1, g.n, values.data());
    for (int64_t i = 0; i < g.n; ++i) ASSERT_EQ(values[i], g.expected(pack, i));
  }
}

TEST(Codec, PlainNumbersWiden) {
  const double d[] = {1.0 / 3, -2e30, 0};
  const float f[] = {0.1f, -7, 1e-40f};
  const uint16_t h[] = {0x3c00, 0xc000, 0x0001}, b[] = {0x3f80, 0xc000, 0x0001};
  float out[3];
  double exact[3];
  dequantize_row(Pack::f64, reinterpret_cast<const std::byte*>(d), 3, exact);
  dequantize_row(Pack::f64, reinterpret_cast<const std::byte*>(d), 3, out);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(exact[i], d[i]);
    EXPECT_EQ(out[i], static_cast<float>(d[i]));
  }
  dequantize_row(Pack::f32, reinterpret_cast<const std::byte*>(f), 3, out);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(out[i], f[i]);
  dequantize_row(Pack::f16, reinterpret_cast<const std::byte*>(h), 3, exact);
  EXPECT_EQ(exact[0], 1);
  EXPECT_EQ(exact[1], -2);
  EXPECT_EQ(exact[2], 0x1p-24);
  dequantize_row(Pack::bf16, reinterpret_cast<const std::byte*>(b), 3, exact);
  EXPECT_EQ(exact[0], 1);
  EXPECT_EQ(exact[1], -2);
  EXPECT_EQ(exact[2], 0x1p-133);
}

TEST(Codec, Fp8RowTakesTheScaleOfEach128) {
  constexpr int64_t n = 300;
  std::vector<std::byte> codes(n);
  for (int64_t i = 0; i < n; ++i) codes[i] = static_cast<std::byte>(i * 7 % 127);
  const float scale[] = {0.5f, 3e-5f, -2};
  std::vector<double> exact(n);
  std::vector<float> single(n);
  dequantize_fp8_block128(codes.data(), n, scale, exact.data());
  dequantize_fp8_block128(codes.data(), n, scale, single.data());
  for (int64_t i = 0; i < n; ++i) {
    const int code = static_cast<int>(i * 7 % 127), exponent = code >> 3, mantissa = code & 7;
    const double value = exponent == 0 ? std::ldexp(mantissa, -9) : std::ldexp(8 + mantissa, exponent - 10);
    EXPECT_EQ(exact[i], value * scale[i / 128]);
    EXPECT_EQ(single[i], static_cast<float>(exact[i]));
  }
}

TEST(Codec, WeightRowsOfAStackWithScales) {
  constexpr int64_t rows = 130, cols = 200;
  std::vector<std::byte> bytes(2 * rows * cols, std::byte{0x38});  // 1.0
  const std::vector<float> scale = {1, 2, 3, 4, 5, 6, 7, 8};       // two matrices of [2, 2]
  Weight w;
  w.pack = Pack::fp8_block128, w.rows = rows, w.cols = cols;
  w.data = {bytes.data(), bytes.data() + rows * cols};
  w.block_scale = {scale.data(), scale.data() + 4};
  std::vector<float> out(cols);
  dequantize_row(w, 0, 127, out.data());
  EXPECT_EQ(out[0], 1);
  EXPECT_EQ(out[127], 1);
  EXPECT_EQ(out[128], 2);
  dequantize_row(w, 1, 128, out.data());
  EXPECT_EQ(out[0], 7);
  EXPECT_EQ(out[199], 8);
}

TEST(Codec, AllFiniteSeesTheLastElement) {
  std::vector<float> values(1001, 3e38f);
  EXPECT_TRUE(all_finite(values.data(), 1001));
  for (float bad : {INFINITY, -INFINITY, NAN}) {
    values[1000] = bad;
    EXPECT_FALSE(all_finite(values.data(), 1001));
    EXPECT_TRUE(all_finite(values.data(), 1000));
  }
  EXPECT_TRUE(all_finite(values.data(), 0));
}

}  // namespace
}  // namespace jevons
