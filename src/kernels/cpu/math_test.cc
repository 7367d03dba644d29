// exp and silu of the cpu kernels: error in ulp against double, the ends of the range, NaN, and equal bits on all
// tiers.
#include "kernels/cpu/math.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "base/error.h"
#include "kernels/cpu/glu.h"

namespace jevons {
namespace {

double ulps(float got, double want) {
  const auto rounded = static_cast<float>(want);
  return std::fabs(got - want) / (std::nextafter(rounded, std::numeric_limits<float>::infinity()) - rounded);
}

TEST(Math, ExpIsWithinTwoUlp) {
  double worst = 0;
  for (int i = 0; i <= 2000000; ++i) {
    const float x = -87.3f + static_cast<float>(i) * (175.6f / 2000000);
    if (x > exp_constants::kHigh) break;
    worst = std::max(worst, ulps(exp_f32(x), std::exp(double{x})));
  }
  EXPECT_LE(worst, 2.0);
}

TEST(Math, ExpAtTheEnds) {
  const float inf = std::numeric_limits<float>::infinity();
  EXPECT_EQ(exp_f32(0.0f), 1.0f);
  EXPECT_EQ(exp_f32(-0.0f), 1.0f);
  EXPECT_EQ(exp_f32(-inf), 0.0f);
  EXPECT_EQ(exp_f32(-88.0f), 0.0f);
  EXPECT_EQ(exp_f32(inf), exp_f32(exp_constants::kHigh));
  EXPECT_TRUE(std::isfinite(exp_f32(inf)));
  EXPECT_TRUE(std::isnan(exp_f32(std::nanf(""))));
}

TEST(Math, SiluMulHasTheSameBitsOnEveryTier) {
  std::vector<float> gate, up;
  for (int i = 0; i < 4099; ++i)
    gate.push_back(static_cast<float>(i - 2050) * 0.07f), up.push_back(static_cast<float>(i % 17) - 8);
  gate[1] = std::numeric_limits<float>::infinity(), gate[2] = -gate[1];
  std::vector<float> want(gate.size()), got(gate.size());
  for (size_t i = 0; i < gate.size(); ++i) want[i] = silu_f32(gate[i]) * up[i];
  const Isa before = current_isa();
  for (const Isa isa : supported_isas()) {
    force_isa(isa);
    silu_mul(gate.data(), up.data(), static_cast<int64_t>(gate.size()), got.data());
    EXPECT_EQ(std::memcmp(got.data(), want.data(), got.size() * 4), 0) << isa_name(isa);
  }
  force_isa(before);
}

TEST(Isa, AnImpossibleTierIsRefusedByName) {
  for (const Isa isa : {Isa::avx2, Isa::avx512_vnni}) {
    if (isa_supported(isa)) continue;
    try {
      force_isa(isa);
      FAIL() << isa_name(isa);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::usage);
      EXPECT_NE(error.message().find(isa_name(isa)), std::string::npos);
    }
  }
  EXPECT_EQ(supported_isas().front(), Isa::portable);
}

}  // namespace
}  // namespace jevons
