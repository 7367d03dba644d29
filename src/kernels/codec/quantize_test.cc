#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "base/file.h"
#include "base/rng.h"
#include "kernels/codec/codec.h"
#include "kernels/codec/pack_codes.h"
#include "kernels/codec/unpack.h"

namespace jevons {
namespace {

constexpr Pack kTargets[] = {Pack::q8_0, Pack::q4_0, Pack::q4_1, Pack::q5_0,
                             Pack::q5_1, Pack::q4_k, Pack::q5_k, Pack::q6_k};

// Gaussian numbers, a function of the seed.
std::vector<float> gaussian(int64_t n, uint64_t seed) {
  std::vector<float> x(n);
  for (int64_t i = 0; i < n; ++i)
    x[i] = static_cast<float>(std::sqrt(-2 * std::log(1 - uniform(seed, i, 0))) *
                              std::cos(2 * M_PI * uniform(seed, i, 1)));
  return x;
}

std::vector<std::byte> stored(Pack pack, const std::vector<float>& x, const float* importance = nullptr) {
  std::vector<std::byte> bytes(row_bytes(pack, static_cast<int64_t>(x.size())), std::byte{0xa5});
  quantize_row(pack, x.data(), static_cast<int64_t>(x.size()), bytes.data(), importance);
  return bytes;
}

std::vector<float> restored(Pack pack, const std::vector<float>& x, const float* importance = nullptr) {
  const auto bytes = stored(pack, x, importance);
  std::vector<float> y(x.size());
  dequantize_row(pack, bytes.data(), static_cast<int64_t>(x.size()), y.data());
  return y;
}

double relative_rmse(const std::vector<float>& x, const std::vector<float>& y, const float* weight = nullptr) {
  double error = 0, size = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double w = weight ? weight[i] : 1, e = double{y[i]} - x[i];
    error += w * e * e, size += w * double{x[i]} * x[i];
  }
  return std::sqrt(error / size);
}

// The plain rule that every format's first description gives: the extreme number meets the end of the code range.
std::vector<float> rounded_plainly(const std::vector<float>& x, int group, float low, float high, bool minimum) {
  std::vector<float> y(x.size());
  for (size_t g = 0; g < x.size(); g += group) {
    float least = x[g], most = x[g], extreme = x[g];
    for (int i = 0; i < group; ++i) {
      least = std::min(least, x[g + i]), most = std::max(most, x[g + i]);
      if (std::abs(x[g + i]) > std::abs(extreme)) extreme = x[g + i];
    }
    const float d = minimum ? (most - least) / high : extreme / low, base = minimum ? least : 0;
    for (int i = 0; i < group; ++i)
      y[g + i] = d * std::clamp(std::round((x[g + i] - base) / d), minimum ? 0 : low, high) + base;
  }
  return y;
}

TEST(Quantize, ErrorOfGaussianNumbersPerFormat) {
  const auto x = gaussian(256 * 200, 3);
  // Each bound is 2 % above what the search reaches on this input.
  const std::pair<Pack, double> bounds[] = {{Pack::q8_0, 0.00491}, {Pack::q4_0, 0.0820}, {Pack::q4_1, 0.0707},
                                            {Pack::q5_0, 0.0405},  {Pack::q5_1, 0.0339}, {Pack::q4_k, 0.0714},
                                            {Pack::q5_k, 0.0353},  {Pack::q6_k, 0.0171}};
  for (auto [pack, bound] : bounds) EXPECT_LT(relative_rmse(x, restored(pack, x)), bound) << pack_info(pack).name;
}

TEST(Quantize, TheSearchBeatsThePlainRule) {
  const auto x = gaussian(256 * 200, 4);
  const auto gain = [&](Pack pack, int group, float low, float high, bool minimum) {
    return relative_rmse(x, restored(pack, x)) / relative_rmse(x, rounded_plainly(x, group, low, high, minimum));
  };
  // The plain rule here even keeps its scales in f32.
  EXPECT_LT(gain(Pack::q8_0, 32, -127, 127, false), 0.95);
  EXPECT_LT(gain(Pack::q4_0, 32, -8, 7, false), 0.97);
  EXPECT_LT(gain(Pack::q5_0, 32, -16, 15, false), 0.97);
  EXPECT_LT(gain(Pack::q4_1, 32, 0, 15, true), 0.92);
  EXPECT_LT(gain(Pack::q5_1, 32, 0, 31, true), 0.92);
  EXPECT_LT(gain(Pack::q4_k, 32, 0, 15, true), 0.95);
  EXPECT_LT(gain(Pack::q5_k, 32, 0, 31, true), 0.95);
  EXPECT_LT(gain(Pack::q6_k, 16, -32, 31, false), 0.99);
}

TEST(Quantize, ImportanceMovesTheErrorToUnimportantColumns) {
  const auto x = gaussian(256 * 40, 5);
  std::vector<float> importance(x.size(), 0.01f);
  for (size_t i = 0; i < x.size(); i += 4) importance[i] = 1;
  for (Pack pack : kTargets)
    EXPECT_LT(relative_rmse(x, restored(pack, x, importance.data()), importance.data()),
              0.97 * relative_rmse(x, restored(pack, x), importance.data()))
        << pack_info(pack).name;
}

TEST(Quantize, SameInputSameBytesAndRowsDoNotMix) {
  const auto x = gaussian(1024, 6);
  for (Pack pack : kTargets) {
    const auto whole = stored(pack, x);
    EXPECT_EQ(whole, stored(pack, x));
    const std::vector<float> second(x.begin() + 512, x.end());
    const auto part = stored(pack, second);
    EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin() + row_bytes(pack, 512))) << pack_info(pack).name;
  }
}

TEST(Quantize, ZerosAndConstantsAreKept) {
  for (Pack pack : kTargets) {
    for (float c : {0.0f, 1.0f, -1.0f, 0.37f, -0.37f}) {
      const std::vector<float> x(512, c);
      for (float y : restored(pack, x)) ASSERT_NEAR(y, c, 4e-3 * std::abs(c)) << pack_info(pack).name;
    }
    std::vector<float> one(512, 0);  // one number among zeros
    one[300] = -2;
    const auto y = restored(pack, one);
    for (size_t i = 0; i < y.size(); ++i) ASSERT_NEAR(y[i], one[i], 4e-3) << pack_info(pack).name << i;
  }
}

TEST(Quantize, ExtremesStayFinite) {
  for (Pack pack : kTargets) {
    const auto unit = gaussian(512, 7);
    for (float size : {1e-42f, 1e-30f, 1e-9f, 1e-7f, 1e-4f, 1e4f}) {
      std::vector<float> x;
      for (float u : unit) x.push_back(std::clamp(size * u, -65504.0f, 65504.0f));
      const auto y = restored(pack, x);
      ASSERT_TRUE(all_within(y.data(), 512, 2 * 65504.0f)) << pack_info(pack).name << size;
      EXPECT_LT(relative_rmse(x, y), size > 1e-3f ? 0.1 : 1.001) << pack_info(pack).name << size;
    }
    std::vector<float> x(512);
    for (int i = 0; i < 512; ++i) x[i] = i % 3 == 0 ? 65504.0f : -65504.0f;
    EXPECT_LT(relative_rmse(x, restored(pack, x)), 0.08) << pack_info(pack).name;
  }
}

TEST(Quantize, NarrowFloatsRoundToNearest) {
  const std::vector<float> x = {1, 1 + 0x1p-11f, 1 + 0x1.8p-10f, -65504, 0x1p-25f, 1 + 0x1p-8f};
  EXPECT_EQ(restored(Pack::f32, x), x);
  EXPECT_EQ(restored(Pack::f16, x), (std::vector<float>{1, 1, 1 + 0x1p-9f, -65504, 0, 1 + 0x1p-8f}));
  EXPECT_EQ(restored(Pack::bf16, x), (std::vector<float>{1, 1, 1, -65536, 0x1p-25f, 1}));
}

TEST(Quantize, LimitsRefuseWhatABlockCannotHold) {
  const float values[] = {1, -70000, 2};
  EXPECT_FALSE(all_within(values, 3, quantize_limit(Pack::q4_0)));
  EXPECT_TRUE(all_within(values, 3, quantize_limit(Pack::bf16)));
  const float bad[] = {NAN};
  EXPECT_FALSE(all_within(bad, 1, quantize_limit(Pack::f32)));
}

// put_codes is the inverse of unpack: the code bytes of random blocks come back.
template <class Block>
void codes_come_back(const char* name) {
  const std::string bytes = read_file(std::string(JEVONS_SOURCE_DIR "/tests/golden/codec/") + name + ".bin").value();
  const auto& block = *reinterpret_cast<const Block*>(bytes.data());
  int8_t code[Block::kValues];
  float scale[16], minimum[16];
  unpack(block, code, scale, minimum);
  Block copy = block;
  int8_t zeros[Block::kValues] = {};
  put_codes(zeros, copy);
  EXPECT_NE(std::memcmp(&copy, &block, sizeof block), 0);
  put_codes(code, copy);
  EXPECT_EQ(std::memcmp(&copy, &block, sizeof block), 0) << name;
}

TEST(Quantize, WritingIsTheInverseOfReading) {
  codes_come_back<BlockQ8_0>("q8_0");
  codes_come_back<BlockQ4_0>("q4_0");
  codes_come_back<BlockQ4_1>("q4_1");
  codes_come_back<BlockQ5_0>("q5_0");
  codes_come_back<BlockQ5_1>("q5_1");
  codes_come_back<BlockQ4K>("q4_k");
  codes_come_back<BlockQ5K>("q5_k");
  codes_come_back<BlockQ6K>("q6_k");
  uint8_t scale[8], minimum[8], back_scale[8], back_minimum[8], packed[12];
  for (int round = 0; round < 64; ++round) {
    for (int g = 0; g < 8; ++g)
      scale[g] = static_cast<uint8_t>((round + 9 * g) % 64),
      minimum[g] = static_cast<uint8_t>((round * 5 + 31 * g) % 64);
    put_scales_q4k(scale, minimum, packed);
    unpack_scales_q4k(packed, back_scale, back_minimum);
    for (int g = 0; g < 8; ++g) ASSERT_TRUE(scale[g] == back_scale[g] && minimum[g] == back_minimum[g]);
  }
}

}  // namespace
}  // namespace jevons
