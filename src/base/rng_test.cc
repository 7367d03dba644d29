#include "base/rng.h"

#include <gtest/gtest.h>

namespace jevons {
namespace {

// The rows "philox4x32 10" of kat_vectors in the authors' library Random123: counter, key, result.
TEST(Philox, KnownAnswers) {
  using Block = std::array<uint32_t, 4>;
  EXPECT_EQ(philox(0, 0, 0), (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox(~uint64_t{0}, ~uint64_t{0}, ~uint64_t{0}), (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox(0x299f31d0a4093822, 0x85a308d3243f6a88, 0x0370734413198a2e),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, UniformHasTheTopBitsOfTheBlock) {
  EXPECT_EQ(uniform(0, 0), static_cast<double>((uint64_t{0x6627e8d5} << 32 | 0xe169c58d) >> 11) / 9007199254740992.0);
  double sum = 0, squares = 0;
  constexpr int kDraws = 20000;
  for (int i = 0; i < kDraws; ++i) {
    const double u = uniform(7, static_cast<uint64_t>(i));
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    sum += u, squares += u * u;
  }
  EXPECT_NEAR(sum / kDraws, 0.5, 4 * 0.2887 / 141.4);  // four standard errors
  EXPECT_NEAR(squares / kDraws, 1.0 / 3, 4 * 0.2981 / 141.4);
}

}  // namespace
}  // namespace jevons
