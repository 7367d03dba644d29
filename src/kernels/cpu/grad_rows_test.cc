// The float row loops of training: against float64, and equal bits on all tiers for lengths around a block.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <vector>

#include "base/rng.h"
#include "kernels/cpu/isa.h"
#include "kernels/loops/functions.h"

namespace jevons {
namespace {

template <class T>
struct Rows {
  std::vector<T> a, b, c, d, e;
  double sum = 0;
};

Rows<double> random_rows(size_t n, uint64_t seed) {
  uint64_t position = 0;
  Rows<double> out;
  for (std::vector<double>* v : {&out.a, &out.b, &out.c, &out.d, &out.e})
    for (size_t i = 0; i < n; ++i) v->push_back(static_cast<float>(uniform(seed, position++) * 8 - 4));
  return out;
}

Rows<float> narrow(const Rows<double>& r) {
  const auto cut = [](const std::vector<double>& v) { return std::vector<float>(v.begin(), v.end()); };
  return {cut(r.a), cut(r.b), cut(r.c), cut(r.d), cut(r.e), 0};
}

struct Case {
  const char* name;
  std::function<void(Rows<double>&, int64_t)> wide;
  std::function<void(Rows<float>&, int64_t)> narrow;
};

#define JEVONS_ROW_CASE(name, ...)                                                                            \
  Case {                                                                                                      \
#name, [](Rows <double> & r,                                                                              \
              int64_t n) { (void)n, (void)r, __VA_ARGS__; }, [](Rows <float> & r,                             \
                                                                int64_t n) { (void)n, (void)r, __VA_ARGS__; } \
  }

std::vector<Case> cases() {
  return {
      JEVONS_ROW_CASE(exp, r.sum = exp_row(r.a.data(), n, 0.75f, 1.5f)),
      JEVONS_ROW_CASE(dot, r.sum = dot_row(r.a.data(), r.b.data(), n)),
      JEVONS_ROW_CASE(add, add_row(0.375f, r.a.data(), n, r.b.data())),
      JEVONS_ROW_CASE(scale, scale_row(0.375f, n, r.a.data())),
      JEVONS_ROW_CASE(softmax_grad, softmax_grad_row(r.a.data(), n, 0.25f, 0.125f, r.b.data())),
      JEVONS_ROW_CASE(silu_mul, silu_mul_row(r.a.data(), r.b.data(), n, r.c.data())),
      JEVONS_ROW_CASE(silu_mul_grad, silu_mul_grad_row(r.a.data(), r.b.data(), r.c.data(), n, r.d.data(), r.e.data()))};
}

double worst(const std::vector<float>& got, const std::vector<double>& want) {
  double out = 0;
  for (size_t i = 0; i < got.size(); ++i)
    out = std::max(out, std::fabs(double{got[i]} - want[i]) / (1 + std::fabs(want[i])));
  return out;
}

TEST(GradRows, EqualFloat64AndHaveTheSameBitsOnEveryTier) {
  const Isa before = current_isa();
  for (const Case& c : cases())
    for (const size_t n : {0, 1, 7, 8, 9, 31, 100}) {
      Rows<double> want = random_rows(n, n + 1);
      const Rows<float> input = narrow(want);
      c.wide(want, static_cast<int64_t>(n));
      Rows<float> first;
      for (const Isa isa : supported_isas()) {
        force_isa(isa);
        Rows<float> got = input;
        c.narrow(got, static_cast<int64_t>(n));
        EXPECT_LE(worst(got.a, want.a), 1e-6) << c.name;
        EXPECT_LE(worst(got.b, want.b), 1e-6) << c.name;
        EXPECT_LE(worst(got.c, want.c), 1e-6) << c.name;
        EXPECT_LE(worst(got.d, want.d), 1e-6) << c.name;
        EXPECT_LE(worst(got.e, want.e), 1e-6) << c.name;
        EXPECT_NEAR(got.sum, want.sum, 1e-6 * (1 + std::fabs(want.sum))) << c.name;
        if (isa == supported_isas().front()) first = got;
        EXPECT_TRUE(got.a == first.a && got.b == first.b && got.c == first.c && got.d == first.d && got.e == first.e &&
                    got.sum == first.sum)
            << c.name << ", " << n << " elements, " << isa_name(isa);
      }
    }
  force_isa(before);
}

}  // namespace
}  // namespace jevons
