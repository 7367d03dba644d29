// The linear maps of the cpu back end against a double oracle: W from the packed bytes by `dequantize_row<double>`, x
// as given (f32 path) or as quantised (panel path), and y summed in double. Errors are held to multiples of the float
// epsilon times the sum of |w x|. Rows must not depend on N, threads, layout of the batch or instruction set: memcmp.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "base/rng.h"
#include "kernels/codec/codec.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/linear_tile.h"
#include "kernels/cpu/panel.h"
#include "kernels/kernels.h"
#include "tensor/half.h"

namespace jevons {
namespace {

constexpr float kGuard = 12345.678f;

float noise(uint64_t seed, uint64_t i) { return static_cast<float>(4 * uniform(seed, i) - 2); }

std::vector<float> random_vector(uint64_t seed, int64_t n) {
  std::vector<float> out(static_cast<size_t>(n));
  for (size_t i = 0; i < out.size(); ++i) out[i] = noise(seed, i) * (i % 37 == 5 ? 8.0f : 1.0f);
  return out;
}

// The f16 fields of a block, which must hold sensible scales; every other byte is random.
std::vector<int> half_fields(Pack pack) {
  switch (pack) {
    case Pack::q4_1:
    case Pack::q5_1:
    case Pack::q4_k:
    case Pack::q5_k:
      return {0, 2};
    case Pack::q6_k:
      return {208};
    case Pack::q2_k:
      return {80, 82};
    case Pack::q3_k:
      return {108};
    default:
      return {0};
  }
}

struct Matrix {
  Weight weight;
  std::vector<std::vector<std::byte>> bytes;
  std::vector<std::vector<float>> scales;
};

Matrix random_matrix(Pack pack, int64_t stack, int64_t rows, int64_t cols, uint64_t seed) {
  Matrix m;
  m.weight = {"w", pack, Layout::rows, rows, cols, {}, {}, nullptr};
  const PackInfo& info = pack_info(pack);
  for (int64_t e = 0; e < stack; ++e) {
    std::vector<std::byte> bytes(static_cast<size_t>(rows * row_bytes(pack, cols)));
    for (size_t i = 0; i < bytes.size(); i += 16) {
      const auto random = philox(seed + static_cast<uint64_t>(e), i);
      std::memcpy(bytes.data() + i, random.data(), std::min<size_t>(16, bytes.size() - i));
    }
    const auto put_half = [&](size_t at, float v) {
      const uint16_t h = pack == Pack::bf16 ? f32_to_bf16(v) : f32_to_f16(v);
      std::memcpy(bytes.data() + at, &h, 2);
    };
    if (info.block_values > 1) {
      for (size_t b = 0; b < bytes.size(); b += static_cast<size_t>(info.block_bytes))
        for (const int field : half_fields(pack))
          put_half(b + static_cast<size_t>(field), 0.01f * noise(seed + 9, b + field));
    } else if (pack == Pack::f32) {
      for (size_t i = 0; i < bytes.size() / 4; ++i) {
        const float v = noise(seed, i);
        std::memcpy(bytes.data() + 4 * i, &v, 4);
      }
    } else if (info.block_bytes == 2) {
      for (size_t i = 0; i < bytes.size() / 2; ++i) put_half(2 * i, noise(seed, i));
    } else {
      for (std::byte& b : bytes)
        if ((std::to_integer<int>(b) & 0x7f) == 0x7f) b = std::byte{0x3c};  // no NaN
      m.scales.push_back(random_vector(seed + 3, (rows + 127) / 128 * ((cols + 127) / 128)));
    }
    m.bytes.push_back(std::move(bytes));
  }
  for (auto& b : m.bytes) m.weight.data.push_back(b.data());
  for (auto& s : m.scales) m.weight.block_scale.push_back(s.data());
  return m;
}

struct Packed {
  Weight weight;
  std::vector<std::shared_ptr<std::byte>> memory;
};

Packed packed(const Matrix& m, Exec& exec) {
  Packed out{m.weight, {}};
  for (int64_t e = 0; e < m.weight.stack(); ++e) {
    const auto bytes = static_cast<size_t>(panel_bytes(m.weight.pack, m.weight.rows, m.weight.cols));
    out.memory.emplace_back(static_cast<std::byte*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64)), std::free);
    pack_panels(exec, m.weight, e, out.memory.back().get());
    out.weight.data[static_cast<size_t>(e)] = out.memory.back().get();
  }
  out.weight.layout = Layout::panels;
  return out;
}

std::vector<double> row_of(const Weight& w, int64_t e, int64_t r) {
  std::vector<double> row(static_cast<size_t>(w.cols));
  dequantize_row(w, e, r, row.data());
  return row;
}

// x as the int8 kernels see it: rounded to multiples of max|x| / 127 of its block.
std::vector<double> quantised(const std::vector<float>& x, int64_t block) {
  std::vector<double> out(x.size());
  for (size_t b = 0; b < x.size(); b += static_cast<size_t>(block)) {
    float largest = 0;
    for (size_t i = b; i < b + static_cast<size_t>(block); ++i) largest = std::max(largest, std::fabs(x[i]));
    const float d = largest / 127.0f, inverse = 127.0f / largest;
    for (size_t i = b; i < b + static_cast<size_t>(block); ++i)
      out[i] = static_cast<double>(d) * std::nearbyintf(x[i] * inverse);
  }
  return out;
}

std::vector<float> run_linear(const Weight& w, const std::vector<float>& x, int64_t n, int threads,
                              bool exact = false) {
  Exec exec(threads);
  Arena arena;
  std::vector<float> out(static_cast<size_t>(n * w.rows + 32), kGuard), copy = x;
  LinearArgs args{Tensor(copy.data(), {n, w.cols}, DType::f32),
                  {{&w, {}, {}, Tensor(out.data() + 16, {n, w.rows}, DType::f32)}}};
  cpu::linear({exec, arena, exact}, args);
  EXPECT_EQ(arena.used(), 0);
  for (size_t i = 0; i < 16; ++i) EXPECT_TRUE(out[i] == kGuard && out[out.size() - 1 - i] == kGuard) << "guard " << i;
  return {out.begin() + 16, out.end() - 16};
}

void expect_near(const Weight& rows, const std::vector<double>& x, const std::vector<float>& y, int64_t n,
                 double units) {
  for (int64_t r = 0; r < rows.rows; ++r) {
    const std::vector<double> w = row_of(rows, 0, r);
    for (int64_t t = 0; t < n; ++t) {
      double sum = 0, size = 0;
      for (int64_t c = 0; c < rows.cols; ++c) {
        const double term = w[static_cast<size_t>(c)] * x[static_cast<size_t>(t * rows.cols + c)];
        sum += term, size += std::fabs(term);
      }
      ASSERT_NEAR(y[static_cast<size_t>(t * rows.rows + r)], sum, units * 0x1p-24 * size + 1e-30)
          << pack_info(rows.pack).name << " row " << r << " token " << t;
    }
  }
}

class PanelPacks : public testing::TestWithParam<Pack> {};
class AllPacks : public testing::TestWithParam<Pack> {};

std::vector<Pack> packs(bool panels_only) {
  std::vector<Pack> out;
  for (int i = 0; i < kPackCount; ++i) {
    const auto pack = static_cast<Pack>(i);
    if (pack != Pack::f64 && (!panels_only || panel_supported(pack))) out.push_back(pack);
  }
  return out;
}

std::vector<int64_t> widths(Pack pack) {
  if (pack_info(pack).block_values == 256) return {256, 1024, 1536};
  if (pack_info(pack).block_values == 32) return {32, 96, 576, 1408};
  return {1, 7, 32, 130, 576};
}

struct IsaGuard {
  Isa before = current_isa();
  ~IsaGuard() { force_isa(before); }
};

TEST_P(AllPacks, WidenedRowsMeetTheOracle) {
  IsaGuard guard;
  for (const Isa isa : supported_isas())
    for (const int64_t cols : widths(GetParam()))
      for (const int64_t rows : {1, 17, 100}) {
        force_isa(isa);
        const Matrix m = random_matrix(GetParam(), 1, rows, cols, 7);
        const std::vector<float> x = random_vector(5, 3 * cols);
        expect_near(m.weight, {x.begin(), x.end()}, run_linear(m.weight, x, 3, 2), 3,
                    2.0 * static_cast<double>(cols / 16 + 8));
      }
}

TEST_P(AllPacks, RowsDependOnNothingElse) {
  IsaGuard guard;
  const int64_t cols = widths(GetParam()).back(), rows = 50, n = 37;
  Exec exec(1);
  const Matrix m = random_matrix(GetParam(), 1, rows, cols, 3);
  const Packed p = panel_supported(GetParam()) ? packed(m, exec) : Packed{m.weight, {}};
  const std::vector<float> x = random_vector(1, n * cols);
  force_isa(Isa::portable);
  const std::vector<float> all = run_linear(p.weight, x, n, 1);
  for (const Isa isa : supported_isas())
    for (const int threads : {1, 2, 3})
      for (const int64_t count : {1, 2, 3, 4, 5, 6, 7, 8, 13, 16, 33, 37}) {
        force_isa(isa);
        const std::vector<float> part(x.begin(), x.begin() + count * cols);
        const std::vector<float> y = run_linear(p.weight, part, count, threads);
        ASSERT_EQ(std::memcmp(y.data(), all.data(), y.size() * 4), 0)
            << pack_info(GetParam()).name << " " << isa_name(isa) << " threads " << threads << " N " << count;
      }
}

TEST_P(PanelPacks, UnpackIsTheInverseOfPack) {
  Exec exec(2);
  for (const int64_t cols : widths(GetParam()))
    for (const int64_t rows : {1, 17, 100}) {
      const Matrix m = random_matrix(GetParam(), 1, rows, cols, 11);
      const Packed p = packed(m, exec);
      std::vector<float> got(static_cast<size_t>(kPanelRows * cols)), want(static_cast<size_t>(cols));
      for (int64_t r = 0; r < panel_count(rows) * kPanelRows; ++r) {
        if (r % kPanelRows == 0) unpack_panel(p.weight, 0, r / kPanelRows, got.data());
        std::fill(want.begin(), want.end(), 0.0f);
        if (r < rows) dequantize_row(m.weight, 0, r, want.data());
        for (int64_t c = 0; c < cols; ++c)
          ASSERT_EQ(got[static_cast<size_t>(r % kPanelRows * cols + c)], want[static_cast<size_t>(c)]) << r << " " << c;
      }
    }
}

TEST_P(PanelPacks, PackedMapMeetsTheOracle) {
  IsaGuard guard;
  Exec exec(1);
  for (const Isa isa : supported_isas())
    for (const int64_t cols : widths(GetParam()))
      for (const int64_t rows : {1, 17, 100})
        for (const int64_t n : {1, 3, 33}) {
          force_isa(isa);
          const Matrix m = random_matrix(GetParam(), 1, rows, cols, 13);
          const Packed p = packed(m, exec);
          const std::vector<float> x = random_vector(17, n * cols);
          expect_near(m.weight, quantised(x, panel_block(GetParam())), run_linear(p.weight, x, n, 2), n,
                      4.0 * static_cast<double>(cols / 32 + 4));
        }
}

TEST_P(PanelPacks, ExactModeMeetsTheOracle) {
  Exec exec(1);
  const int64_t cols = widths(GetParam()).back(), n = 5;
  const Matrix m = random_matrix(GetParam(), 1, 33, cols, 19);
  const std::vector<float> x = random_vector(23, n * cols);
  const std::vector<float> y = run_linear(packed(m, exec).weight, x, n, 2, true);
  expect_near(m.weight, {x.begin(), x.end()}, y, n, 2.0 * static_cast<double>(cols / 16 + 8));
  EXPECT_EQ(run_linear(m.weight, x, n, 1, true), y);
}

std::string pack_test_name(const testing::TestParamInfo<Pack>& info) { return std::string(pack_info(info.param).name); }
INSTANTIATE_TEST_SUITE_P(Linear, AllPacks, testing::ValuesIn(packs(false)), pack_test_name);
INSTANTIATE_TEST_SUITE_P(Linear, PanelPacks, testing::ValuesIn(packs(true)), pack_test_name);

TEST(Linear, BiasThenResidualAndSeveralMaps) {
  const int64_t n = 9, cols = 64;
  const Matrix a = random_matrix(Pack::f32, 1, 20, cols, 1), b = random_matrix(Pack::q8_0, 1, 33, cols, 2);
  std::vector<float> x = random_vector(3, n * cols), bias = random_vector(4, 20), residual = random_vector(5, n * 20);
  const std::vector<float> plain_a = run_linear(a.weight, x, n, 1), plain_b = run_linear(b.weight, x, n, 1);
  std::vector<float> out_a = residual, out_b(static_cast<size_t>(n * 33));
  Exec exec(2);
  Arena arena;
  const Tensor ta(out_a.data(), {n, 20}, DType::f32);
  cpu::linear({exec, arena}, {Tensor(x.data(), {n, cols}, DType::f32),
                              {{&a.weight, Tensor(bias.data(), {20}, DType::f32), ta, ta},
                               {&b.weight, {}, {}, Tensor(out_b.data(), {n, 33}, DType::f32)}}});
  EXPECT_EQ(out_b, plain_b);
  for (int64_t i = 0; i < n * 20; ++i) {
    const auto at = static_cast<size_t>(i);
    ASSERT_EQ(out_a[at], (plain_a[at] + bias[at % 20]) + residual[at]);
  }
}

double silu(double z) { return z / (1 + std::exp(-z)); }

std::vector<double> apply(const Weight& w, int64_t e, const double* x) {
  std::vector<double> y(static_cast<size_t>(w.rows));
  for (int64_t r = 0; r < w.rows; ++r) {
    const std::vector<double> row = row_of(w, e, r);
    for (int64_t c = 0; c < w.cols; ++c) y[static_cast<size_t>(r)] += row[static_cast<size_t>(c)] * x[c];
  }
  return y;
}

TEST(Glu, MeetsTheOracle) {
  const int64_t n = 5, d = 48, f = 37;
  const Matrix gate = random_matrix(Pack::f32, 1, f, d, 1), up = random_matrix(Pack::f32, 1, f, d, 2);
  std::vector<float> x = random_vector(3, n * d), out(static_cast<size_t>(n * f));
  Exec exec(2);
  Arena arena;
  cpu::glu({exec, arena},
           {Tensor(x.data(), {n, d}, DType::f32), &gate.weight, &up.weight, Tensor(out.data(), {n, f}, DType::f32)});
  const std::vector<double> wide(x.begin(), x.end());
  for (int64_t t = 0; t < n; ++t) {
    const auto g = apply(gate.weight, 0, wide.data() + t * d), u = apply(up.weight, 0, wide.data() + t * d);
    for (size_t i = 0; i < g.size(); ++i)
      ASSERT_NEAR(out[static_cast<size_t>(t * f) + i], silu(g[i]) * u[i],
                  1e-5 * (1 + std::fabs(g[i])) * (1 + std::fabs(u[i])));
  }
}

TEST(HeadLinear, MeetsTheOracle) {
  const int64_t n = 5, heads = 3, cols = 40, rows = 21;
  const Matrix w = random_matrix(Pack::bf16, heads, rows, cols, 1);
  std::vector<float> x = random_vector(3, n * heads * cols), out(static_cast<size_t>(n * heads * rows));
  Exec exec(2);
  Arena arena;
  cpu::head_linear({exec, arena}, {Tensor(x.data(), {n, heads, cols}, DType::f32), &w.weight,
                                   Tensor(out.data(), {n, heads, rows}, DType::f32)});
  const std::vector<double> wide(x.begin(), x.end());
  for (int64_t i = 0; i < n * heads; ++i) {
    const auto y = apply(w.weight, i % heads, wide.data() + i * cols);
    for (size_t r = 0; r < y.size(); ++r)
      ASSERT_NEAR(out[static_cast<size_t>(i * rows) + r], y[r], 1e-5 * (1 + std::fabs(y[r])));
  }
}

// Experts of every size of group, in rows and in panels; each token also alone, bit for bit.
TEST(Experts, MeetTheOracleAndStandAlone) {
  Exec exec(2);
  for (const Pack pack : {Pack::f32, Pack::q8_0}) {
    const int64_t n = 130, slots = 3, count = 5, d = 64, f = 96;
    const Matrix gate = random_matrix(pack, count, f, d, 1), up = random_matrix(pack, count, f, d, 20),
                 down = random_matrix(pack, count, d, f, 40);
    const bool panels = panel_supported(pack);
    const Packed pg = panels ? packed(gate, exec) : Packed{gate.weight, {}},
                 pu = panels ? packed(up, exec) : Packed{up.weight, {}},
                 pd = panels ? packed(down, exec) : Packed{down.weight, {}};
    std::vector<float> x = random_vector(3, n * d), weights = random_vector(4, n * slots),
                       out(static_cast<size_t>(n * d)), alone(static_cast<size_t>(d));
    std::vector<int32_t> ids;
    for (int64_t t = 0; t < n; ++t)
      for (int64_t a = 0; a < slots; ++a)
        ids.push_back(static_cast<int32_t>(a == 0 ? 2 : (t + a) % 2 * 3 + (t % 7 == 0)));
    Arena arena;
    cpu::experts({exec, arena}, {Tensor(x.data(), {n, d}, DType::f32), Tensor(ids.data(), {n, slots}, DType::i32),
                                 Tensor(weights.data(), {n, slots}, DType::f32), &pg.weight, &pu.weight, &pd.weight,
                                 Tensor(out.data(), {n, d}, DType::f32)});
    for (int64_t t = 0; t < n; t += 9) {
      cpu::experts({exec, arena}, {Tensor(x.data() + t * d, {1, d}, DType::f32),
                                   Tensor(ids.data() + t * slots, {1, slots}, DType::i32),
                                   Tensor(weights.data() + t * slots, {1, slots}, DType::f32), &pg.weight, &pu.weight,
                                   &pd.weight, Tensor(alone.data(), {1, d}, DType::f32)});
      ASSERT_EQ(std::memcmp(alone.data(), out.data() + t * d, static_cast<size_t>(d) * 4), 0) << "token " << t;
      const std::vector<float> one(x.begin() + t * d, x.begin() + (t + 1) * d);
      const std::vector<double> in = panels ? quantised(one, 32) : std::vector<double>(one.begin(), one.end());
      std::vector<double> want(static_cast<size_t>(d)), size(static_cast<size_t>(d));
      for (int64_t a = 0; a < slots; ++a) {
        const int64_t e = ids[static_cast<size_t>(t * slots + a)];
        const auto g = apply(gate.weight, e, in.data()), u = apply(up.weight, e, in.data());
        std::vector<float> h;
        for (size_t i = 0; i < g.size(); ++i) h.push_back(static_cast<float>(silu(g[i]) * u[i]));
        const std::vector<double> middle = panels ? quantised(h, 32) : std::vector<double>(h.begin(), h.end());
        for (int64_t r = 0; r < d; ++r) {
          const std::vector<double> row = row_of(down.weight, e, r);
          for (int64_t c = 0; c < f; ++c) {
            const double term = weights[static_cast<size_t>(t * slots + a)] * row[static_cast<size_t>(c)] *
                                middle[static_cast<size_t>(c)];
            want[static_cast<size_t>(r)] += term, size[static_cast<size_t>(r)] += std::fabs(term);
          }
        }
      }
      // A hidden value on the edge between two steps may round the other way: one step is 1/127 of its block.
      const double unit = panels ? 1e-3 : 1e-6;
      for (size_t r = 0; r < want.size(); ++r)
        ASSERT_NEAR(out[static_cast<size_t>(t * d) + r], want[r], unit * size[r]);
    }
  }
}

}  // namespace
}  // namespace jevons
