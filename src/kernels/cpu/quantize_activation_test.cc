// Codes, scales and sums of quantised activations against their definition in double; every tier, bit for bit.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "base/rng.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/quantize_activation.h"

namespace jevons {
namespace {

template <class T>
T at(const std::byte* base, int64_t i) {
  T value;
  std::memcpy(&value, base + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
  return value;
}

std::vector<float> noise(int64_t n) {
  std::vector<float> x;
  for (int64_t i = 0; i < n; ++i)
    x.push_back(static_cast<float>((uniform(7, static_cast<uint64_t>(i)) - 0.5) * (i % 50 == 3 ? 30 : 1)));
  return x;
}

int sum_of(const std::byte* q, int64_t first, int n) {
  int sum = 0;
  for (int i = 0; i < n; ++i) sum += at<int8_t>(q, first + i);
  return sum;
}

class EveryTier : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override { force_isa(GetParam()); }
  void TearDown() override { force_isa(supported_isas().back()); }
  Arena arena;
};

TEST_P(EveryTier, CodesAreTheNearestMultiples) {
  for (const int64_t block : {32, 256}) {
    const int64_t cols = 3 * block;
    const std::vector<float> x = noise(cols);
    const QuantizedRows q = alloc_quantized(arena, 1, cols, block, false);
    quantize_row(x.data(), q, 0);
    for (int64_t b = 0; b < 3; ++b) {
      double largest = 0;
      for (int64_t i = b * block; i < (b + 1) * block; ++i) largest = std::max(largest, std::fabs(double{x[i]}));
      const double d = at<float>(q.row(0) + q.scale_at(), b);
      EXPECT_NEAR(d, largest / 127, largest * 0x1p-30);
      for (int64_t i = b * block; i < (b + 1) * block; ++i)
        EXPECT_LE(std::fabs(d * at<int8_t>(q.row(0), i) - x[i]), d * 0.50001) << i;
    }
  }
}

TEST_P(EveryTier, SumsAndWideColumnsAreThoseOfTheCodes) {
  const int64_t cols = 512;
  const std::vector<float> x = noise(cols);
  const QuantizedRows small = alloc_quantized(arena, 2, cols, 32, true),
                      large = alloc_quantized(arena, 2, cols, 256, false);
  quantize_row(x.data(), small, 1), quantize_row(x.data(), large, 1);
  const std::byte *s = small.row(1), *l = large.row(1);
  for (int64_t b = 0; b < cols / 32; ++b) {
    const int sum = sum_of(s, 32 * b, 32);
    EXPECT_EQ(at<int32_t>(s + small.sum_at(), b), sum);
    EXPECT_EQ(at<float>(s + small.scaled_sum_at(), b), at<float>(s + small.scale_at(), b) * static_cast<float>(sum));
    EXPECT_EQ(at<int16_t>(l + large.sum32_at(), b), sum_of(l, 32 * b, 32));
    EXPECT_EQ(at<int16_t>(l + large.sum16_at(), 2 * b + 1), sum_of(l, 32 * b + 16, 16));
  }
  constexpr int kOrder[] = {0, 2, 1, 3};
  for (int64_t k = 0; k < cols; ++k)
    EXPECT_EQ(at<int16_t>(s + small.wide_at(), k), at<int8_t>(s, k / 4 * 4 + kOrder[k % 4]));
}

TEST_P(EveryTier, NaNAndInfinityReachTheScaleAndTinyBlocksAreZero) {
  const float inf = std::numeric_limits<float>::infinity();
  for (const float bad : {inf, -inf, std::nanf("")}) {
    std::vector<float> x(64, 1.0f);
    x[40] = bad;
    const QuantizedRows q = alloc_quantized(arena, 1, 64, 32, false);
    quantize_row(x.data(), q, 0);
    EXPECT_EQ(at<float>(q.row(0) + q.scale_at(), 0), 1.0f / 127);
    EXPECT_TRUE(std::isnan(at<float>(q.row(0) + q.scale_at(), 1)));
    EXPECT_EQ(sum_of(q.row(0), 32, 32), 0);
  }
  const std::vector<float> tiny(32, 1e-38f);
  const QuantizedRows q = alloc_quantized(arena, 1, 32, 32, false);
  quantize_row(tiny.data(), q, 0);
  EXPECT_EQ(at<float>(q.row(0) + q.scale_at(), 0), 0.0f);
  EXPECT_EQ(sum_of(q.row(0), 0, 32), 0);
}

TEST_P(EveryTier, GivesTheBitsOfThePortableTier) {
  const std::vector<float> x = noise(1024);
  for (const int64_t block : {32, 256}) {
    const QuantizedRows got = alloc_quantized(arena, 1, 1024, block, block == 32);
    const QuantizedRows want = alloc_quantized(arena, 1, 1024, block, block == 32);
    std::memset(got.data, 0, static_cast<size_t>(got.stride()));
    std::memset(want.data, 0, static_cast<size_t>(want.stride()));
    quantize_row(x.data(), got, 0);
    force_isa(Isa::portable);
    quantize_row(x.data(), want, 0);
    force_isa(GetParam());
    EXPECT_EQ(std::memcmp(got.data, want.data, static_cast<size_t>(got.stride())), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(QuantizeActivation, EveryTier, testing::ValuesIn(supported_isas()),
                         [](const auto& tier) { return std::string(isa_name(tier.param)); });

}  // namespace
}  // namespace jevons
