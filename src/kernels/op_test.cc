// Every kernel but attention (attend_test.cc) through the op-case harness, cpu against ref on odd shapes; and ref
// against compositions of simpler steps or oracles of another kind. The linear maps run as Env::exact here; what their
// int8 path promises is in cpu/linear_test.cc.
#include <gtest/gtest.h>

#include <complex>
#include <memory>

#include "kernels/codec/codec.h"
#include "testing/op_case.h"

namespace jevons {
namespace {

Weight random_weight(uint64_t seed, Pack pack, int64_t stack, int64_t rows, int64_t cols) {
  const int64_t bytes = row_bytes(pack, cols);
  auto memory = std::make_shared<std::vector<std::byte>>(static_cast<size_t>(stack * rows * bytes));
  Weight weight{"w", pack, Layout::rows, rows, cols, {}, {}, memory};
  const std::vector<double> values = random_values(seed, stack * rows * cols, 0.3);
  std::vector<float> row(static_cast<size_t>(cols));
  for (int64_t r = 0; r < stack * rows; ++r) {
    std::copy_n(values.begin() + r * cols, cols, row.begin());
    std::byte* to = memory->data() + r * bytes;
    if (r % rows == 0) weight.data.push_back(to);
    if (pack == Pack::f32)
      std::memcpy(to, row.data(), static_cast<size_t>(bytes));
    else
      quantize_row(pack, row.data(), cols, to, nullptr);
  }
  return weight;
}

std::vector<double> dense(const Weight& w, int64_t index, int64_t row) {
  std::vector<double> out(static_cast<size_t>(w.cols));
  dequantize_row(w, index, row, out.data());
  return out;
}

// Sum and sum of sizes of the terms of one output of a linear map.
struct Dot {
  double sum = 0, size = 0;
};
Dot dot(const Weight& w, int64_t index, int64_t row, const double* x) {
  Dot d;
  const std::vector<double> line = dense(w, index, row);
  for (size_t c = 0; c < line.size(); ++c) d.sum += line[c] * x[c], d.size += std::abs(line[c] * x[c]);
  return d;
}

double silu(double z) { return z / (1 + std::exp(-z)); }

// silu(G x) (U x) of one output; `size` bounds how far roundings of both sums move it.
Dot gated(const Weight& gate, const Weight& up, int64_t index, int64_t row, const double* x) {
  const Dot g = dot(gate, index, row, x), u = dot(up, index, row, x);
  const double s = silu(g.sum);
  return {s * u.sum, 1.1 * g.size * std::abs(u.sum) + std::abs(s) * u.size + std::abs(s * u.sum)};
}

TEST(Embed, Cases) {
  for (const Pack pack : {Pack::f32, Pack::bf16, Pack::q8_0, Pack::q4_1, Pack::q6_k}) {
    const int64_t width = 256;
    const Weight table = random_weight(3, pack, 1, 50, width);
    OpCase test;
    test.name = cat("embed ", pack_info(pack).name), test.tokens = 70;
    test.outputs = {{width}};
    test.run = [=](const OpCase::Step& s) {
      std::vector<int32_t> ids;
      for (const int32_t t : s.tokens) ids.push_back(t * 17 % 50);
      s.kernels.embed(s.env, {ids.data(), &table, s.out[0]});
    };
    EXPECT_EQ("", check(test));
  }
}

TEST(Embed, RefusesIdsOutside) {
  const Weight table = random_weight(3, Pack::f32, 1, 5, 8);
  std::vector<float> out(8);
  Exec exec(1);
  Arena arena;
  for (const int32_t id : {-1, 5})
    EXPECT_THROW(cpu::embed({exec, arena}, {&id, &table, Tensor(out.data(), Shape{1, 8}, DType::f32)}), Error);
}

TEST(RmsNorm, Cases) {
  for (const int64_t width : {1, 7, 16, 33, 576, 1536})
    for (const bool in_place : {false, true}) {
      OpCase test;
      test.name = cat("rms_norm ", width), test.tokens = 37;
      test.inputs = {{random_values(1, 37 * width, 3), width}, {random_values(2, width), width, true}};
      test.outputs = {{width}};
      test.run = [=](const OpCase::Step& s) {
        if (in_place) std::memcpy(s.out[0].data(), s.in[0].data(), static_cast<size_t>(s.in[0].bytes()));
        s.kernels.rms_norm(s.env, {in_place ? s.out[0] : s.in[0], s.in[1], 1e-5, s.out[0]});
      };
      EXPECT_EQ("", check(test));
    }
}

TEST(RmsNorm, HandValues) {
  Exec exec(1);
  Arena arena;
  double x[] = {3, 4}, weight[] = {1, 2}, out[2];
  ref::rms_norm({exec, arena}, {Tensor(x, Shape{1, 2}, DType::f64), Tensor(weight, Shape{2}, DType::f64), 0.5,
                                Tensor(out, Shape{1, 2}, DType::f64)});
  EXPECT_DOUBLE_EQ(out[0], 3 / std::sqrt(13.0));  // mean square 12.5, + 0.5
  EXPECT_DOUBLE_EQ(out[1], 8 / std::sqrt(13.0));
}

TEST(Add, Cases) {
  OpCase test;
  test.name = "add", test.tokens = 23;
  test.inputs = {{random_values(1, 23 * 1001), 1001}, {random_values(2, 23 * 1001), 1001}};
  test.outputs = {{1001}};
  test.factor = 0.5;
  test.run = [](const OpCase::Step& s) { s.kernels.add(s.env, {s.in[0], s.in[1], s.out[0]}); };
  EXPECT_EQ("", check(test));
  test.run = [](const OpCase::Step& s) {
    std::memcpy(s.out[0].data(), s.in[0].data(), static_cast<size_t>(s.in[0].bytes()));
    s.kernels.add(s.env, {s.out[0], s.in[1], s.out[0]});
  };
  EXPECT_EQ("", check(test));
}

struct RopeShape {
  int64_t heads, width, begin, pairs;
};

OpCase rope_case(const RopeShape& r, bool interleaved) {
  const int64_t tokens = 19, row = r.heads * r.width;
  OpCase test;
  test.name = cat("rope ", r.width, " ", interleaved), test.tokens = tokens;
  std::vector<double> cos, sin;
  for (const double angle : random_values(4, tokens * r.pairs, 3))
    cos.push_back(static_cast<float>(std::cos(angle))), sin.push_back(static_cast<float>(std::sin(angle)));
  test.inputs = {{random_values(1, tokens * row), row}, {cos, r.pairs}, {sin, r.pairs}};
  test.outputs = {{row}};
  test.magnitude = [x = test.inputs[0].values] { return std::vector<double>(x.size(), 2 * 4.0); };  // |a c| + |b s|
  test.factor = 1;
  test.run = [=](const OpCase::Step& s) {
    std::memcpy(s.out[0].data(), s.in[0].data(), static_cast<size_t>(s.in[0].bytes()));
    const int64_t n = s.out[0].shape()[0];
    s.kernels.rope(s.env, {s.out[0].reshape({n, r.heads, r.width}), s.in[1], s.in[2], r.begin, interleaved});
  };
  return test;
}

TEST(Rope, Cases) {
  for (const RopeShape& r : {RopeShape{9, 64, 0, 32}, {3, 192, 128, 32}, {2, 10, 1, 3}, {1, 64, 0, 20}})
    for (const bool interleaved : {false, true}) EXPECT_EQ("", check(rope_case(r, interleaved)));
}

// The rotation as a product of complex numbers; what lies outside of the rotated range stays.
TEST(Rope, IsAComplexProduct) {
  Exec exec(1);
  Arena arena;
  for (const bool interleaved : {false, true}) {
    double x[] = {9, 1, 2, 3, 4, 8}, cos[] = {0.6, 0.28}, sin[] = {0.8, 0.96};
    ref::rope({exec, arena}, {Tensor(x, Shape{1, 1, 6}, DType::f64), Tensor(cos, Shape{1, 2}, DType::f64),
                              Tensor(sin, Shape{1, 2}, DType::f64), 1, interleaved});
    const double in[] = {1, 2, 3, 4};
    for (int i = 0; i < 2; ++i) {
      const int a = interleaved ? 2 * i : i, b = interleaved ? 2 * i + 1 : i + 2;
      const auto want = std::complex(in[a], in[b]) * std::complex(cos[i], sin[i]);
      EXPECT_NEAR(x[1 + a], want.real(), 1e-15);
      EXPECT_NEAR(x[1 + b], want.imag(), 1e-15);
    }
    EXPECT_EQ(x[0], 9);
    EXPECT_EQ(x[5], 8);
  }
}

OpCase linear_case(Pack pack, int64_t rows, int64_t cols) {
  const int64_t tokens = 13;
  const Weight weight = random_weight(5, pack, 1, rows, cols);
  OpCase test;
  test.name = cat("linear ", pack_info(pack).name), test.tokens = tokens, test.exact = true;
  test.inputs = {{random_values(1, tokens * cols), cols},
                 {random_values(2, rows), rows, true},
                 {random_values(3, tokens * rows), rows}};
  test.outputs = {{rows}};
  test.magnitude = [=, in = test.inputs] {
    std::vector<double> out;
    for (int64_t i = 0; i < tokens * rows; ++i)
      out.push_back(dot(weight, 0, i % rows, in[0].values.data() + i / rows * cols).size +
                    std::abs(in[1].values[i % rows]) + std::abs(in[2].values[i]));
    return out;
  };
  test.run = [=](const OpCase::Step& s) {
    s.kernels.linear(s.env, {s.in[0], {{&weight, s.in[1], s.in[2], s.out[0]}}});
  };
  return test;
}

OpCase glu_case(Pack pack, int64_t width, int64_t cols) {
  const int64_t tokens = 9;
  const Weight gate = random_weight(5, pack, 1, width, cols), up = random_weight(6, pack, 1, width, cols);
  OpCase test;
  test.name = cat("glu ", pack_info(pack).name), test.tokens = tokens, test.exact = true;
  test.inputs = {{random_values(1, tokens * cols), cols}};
  test.outputs = {{width}};
  test.magnitude = [=, x = test.inputs[0].values] {
    std::vector<double> out;
    for (int64_t i = 0; i < tokens * width; ++i)
      out.push_back(gated(gate, up, 0, i % width, x.data() + i / width * cols).size);
    return out;
  };
  test.run = [=](const OpCase::Step& s) { s.kernels.glu(s.env, {s.in[0], &gate, &up, s.out[0]}); };
  return test;
}

OpCase head_linear_case(Pack pack, int64_t heads, int64_t rows, int64_t cols) {
  const int64_t tokens = 6;
  const Weight weight = random_weight(5, pack, heads, rows, cols);
  OpCase test;
  test.name = cat("head_linear ", pack_info(pack).name), test.tokens = tokens, test.exact = true;
  test.inputs = {{random_values(1, tokens * heads * cols), heads * cols}};
  test.outputs = {{heads * rows}};
  test.magnitude = [=, x = test.inputs[0].values] {
    std::vector<double> out;
    for (int64_t i = 0; i < tokens * heads * rows; ++i)
      out.push_back(dot(weight, i / rows % heads, i % rows, x.data() + i / rows * cols).size);
    return out;
  };
  test.run = [=](const OpCase::Step& s) {
    const int64_t n = s.in[0].shape()[0];
    s.kernels.head_linear(s.env, {s.in[0].reshape({n, heads, cols}), &weight, s.out[0].reshape({n, heads, rows})});
  };
  return test;
}

struct ExpertWeights {
  Weight gate, up, down;
};

ExpertWeights expert_weights(Pack pack, int64_t experts, int64_t width, int64_t cols) {
  return {random_weight(5, pack, experts, width, cols), random_weight(6, pack, experts, width, cols),
          random_weight(7, pack, experts, cols, width)};
}

OpCase experts_case(Pack pack, int64_t width, int64_t cols) {
  const int64_t tokens = 7, slots = 3, experts = 5;
  const ExpertWeights w = expert_weights(pack, experts, width, cols);
  const auto id = [](int64_t token, int64_t slot) { return (token * 2 + slot * (1 + token % 2)) % experts; };
  OpCase test;
  test.name = cat("experts ", pack_info(pack).name), test.tokens = tokens, test.exact = true;
  test.inputs = {{random_values(1, tokens * cols), cols}, {random_values(2, tokens * slots), slots}};
  test.outputs = {{cols}};
  test.magnitude = [=, in = test.inputs] {
    std::vector<double> out(static_cast<size_t>(tokens * cols));
    for (int64_t n = 0; n < tokens; ++n)
      for (int64_t a = 0; a < slots; ++a)
        for (int64_t f = 0; f < width; ++f) {
          const double size = gated(w.gate, w.up, id(n, a), f, in[0].values.data() + n * cols).size;
          for (int64_t c = 0; c < cols; ++c)
            out[n * cols + c] += std::abs(in[1].values[n * slots + a] * dense(w.down, id(n, a), c)[f]) * size;
        }
    return out;
  };
  test.run = [=](const OpCase::Step& s) {
    std::vector<int32_t> ids;
    for (const int32_t t : s.tokens)
      for (int64_t a = 0; a < slots; ++a) ids.push_back(static_cast<int32_t>(id(t, a)));
    const Tensor chosen(ids.data(), Shape{static_cast<int64_t>(s.tokens.size()), slots}, DType::i32);
    s.kernels.experts(s.env, {s.in[0], chosen, s.in[1], &w.gate, &w.up, &w.down, s.out[0]});
  };
  return test;
}

TEST(LinearMaps, ExactCases) {
  for (const Pack pack : {Pack::f32, Pack::bf16}) {
    EXPECT_EQ("", check(linear_case(pack, 35, 77)));
    EXPECT_EQ("", check(glu_case(pack, 21, 45)));
    EXPECT_EQ("", check(head_linear_case(pack, 3, 17, 29)));
    EXPECT_EQ("", check(experts_case(pack, 19, 23)));
  }
  EXPECT_EQ("", check(linear_case(Pack::q4_k, 19, 256)));
  EXPECT_EQ("", check(glu_case(Pack::q8_0, 18, 64)));
  EXPECT_EQ("", check(head_linear_case(Pack::q4_1, 2, 16, 32)));
  EXPECT_EQ("", check(experts_case(Pack::q5_0, 32, 32)));
}

// Tensors of doubles for the compositions.
struct Wide {
  std::vector<double> values;
  Tensor tensor;
  Wide(std::vector<double> v, Shape shape) : values(std::move(v)), tensor(values.data(), shape, DType::f64) {}
  explicit Wide(Shape shape) : Wide(std::vector<double>(static_cast<size_t>(shape.numel())), shape) {}
  Wide(const Wide&) = delete;
};

Weight one_of(const Weight& stack, int64_t index) {
  Weight w = stack;
  w.data = {stack.data[static_cast<size_t>(index)]};
  return w;
}

TEST(Composite, GluIsTwoLinearMaps) {
  Exec exec(1);
  Arena arena;
  const Env env{exec, arena};
  const Weight gate = random_weight(1, Pack::q4_0, 1, 11, 64), up = random_weight(2, Pack::q4_0, 1, 11, 64);
  Wide x(random_values(3, 5 * 64), {5, 64}), g({5, 11}), u({5, 11}), out({5, 11});
  ref::glu(env, {x.tensor, &gate, &up, out.tensor});
  ref::linear(env, {x.tensor, {{&gate, {}, {}, g.tensor}, {&up, {}, {}, u.tensor}}});
  for (size_t i = 0; i < 55; ++i) EXPECT_NEAR(out.values[i], silu(g.values[i]) * u.values[i], 1e-14);
}

TEST(Composite, ExpertsAreGluThenLinearSummedOverSlots) {
  Exec exec(1);
  Arena arena;
  const Env env{exec, arena};
  const ExpertWeights w = expert_weights(Pack::f32, 4, 9, 12);
  int32_t ids[] = {2, 0, 3, 1, 1, 2};
  Wide x(random_values(3, 3 * 12), {3, 12}), weights(random_values(4, 6), {3, 2}), out({3, 12});
  ref::experts(env,
               {x.tensor, Tensor(ids, Shape{3, 2}, DType::i32), weights.tensor, &w.gate, &w.up, &w.down, out.tensor});
  for (int64_t n = 0; n < 3; ++n) {
    std::vector<double> want(12);
    for (int64_t a = 0; a < 2; ++a) {
      const int32_t e = ids[2 * n + a];
      const Weight gate = one_of(w.gate, e), up = one_of(w.up, e), down = one_of(w.down, e);
      Wide hidden({1, 9}), y({1, 12});
      ref::glu(env, {x.tensor.rows(n, 1), &gate, &up, hidden.tensor});
      ref::linear(env, {hidden.tensor, {{&down, {}, {}, y.tensor}}});
      for (size_t i = 0; i < 12; ++i) want[i] += weights.values[2 * n + a] * y.values[i];
    }
    for (size_t i = 0; i < 12; ++i) EXPECT_NEAR(out.values[n * 12 + i], want[i], 1e-14);
  }
}

TEST(Composite, HeadLinearIsOneLinearMapPerHead) {
  Exec exec(1);
  Arena arena;
  const Env env{exec, arena};
  const Weight stack = random_weight(1, Pack::f32, 3, 4, 5);
  Wide x(random_values(3, 2 * 15), {2, 3, 5}), out({2, 3, 4});
  ref::head_linear(env, {x.tensor, &stack, out.tensor});
  for (int64_t i = 0; i < 6; ++i) {
    const Weight w = one_of(stack, i % 3);
    Wide y({1, 4});
    ref::linear(env, {x.tensor.reshape({6, 5}).rows(i, 1), {{&w, {}, {}, y.tensor}}});
    for (int64_t r = 0; r < 4; ++r) EXPECT_NEAR(out.values[i * 4 + r], y.values[r], 1e-15);
  }
}

}  // namespace
}  // namespace jevons
