// The gradient of every op against central differences in float64: the objective is a fixed random combination of the
// outputs; the inputs lie in one flat buffer and are moved one by one.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "ops/ops.h"
#include "testing/op_case.h"

namespace jevons {
namespace {

constexpr double kStep = 1e-5;

struct Inputs {
  std::vector<double> values, gradients;
  std::vector<Tensor> tensors;
  explicit Inputs(std::vector<Shape> shapes) {
    int64_t all = 0;
    for (const Shape& s : shapes) all += s.numel();
    values = random_values(7, all), gradients.resize(values.size());
    int64_t at = 0;
    for (const Shape& s : shapes) {
      tensors.emplace_back(values.data() + at, s, DType::f64, DeviceKind::ref);
      at += s.numel();
    }
  }
  Weight weight(size_t i) const {
    Weight w;
    const Tensor& t = tensors[i];
    const int rank = t.shape().rank();
    w.name = "w", w.pack = Pack::f64, w.rows = t.shape()[rank - 2], w.cols = t.shape()[rank - 1];
    for (int64_t e = 0; e < t.numel() / (w.rows * w.cols); ++e)
      w.data.push_back(static_cast<const std::byte*>(t.data()) + e * w.rows * w.cols * 8);
    return w;
  }
};

using Op = std::function<std::vector<Tensor>(Ctx&, const Inputs&)>;

const std::vector<int32_t> kPosition = {0, 1, 2, 0, 1, 0};  // three documents

double objective(const Op& op, const Inputs& in, std::vector<double>& gradients) {
  Exec exec(1);
  Arena arena;
  Tape tape(arena, std::as_bytes(std::span(in.values)), std::as_writable_bytes(std::span(gradients)));
  Ctx c{DeviceKind::ref, {exec, arena}, {6, kPosition.data()}, {}, {}, &tape};
  double sum = 0;
  uint64_t seed = 100;
  for (const Tensor& out : op(c, in)) {
    const std::vector<double> weight = random_values(++seed, out.numel());
    for (size_t i = 0; i < weight.size(); ++i) {
      sum += weight[i] * out.as<double>()[i];
      tape.grad(out).as<double>()[i] += weight[i];
    }
  }
  tape.backward();
  return sum;
}

void check(const char* name, std::vector<Shape> shapes, const Op& op) {
  Inputs in(std::move(shapes));
  (void)objective(op, in, in.gradients);
  std::vector<double> unused(in.values.size());
  double size = 0;
  for (double g : in.gradients) size = std::max(size, std::fabs(g));
  ASSERT_GT(size, 0) << name;
  for (size_t i = 0; i < in.values.size(); ++i) {
    const double kept = in.values[i];
    in.values[i] = kept + kStep;
    const double above = objective(op, in, unused);
    in.values[i] = kept - kStep;
    const double below = objective(op, in, unused);
    in.values[i] = kept;
    ASSERT_NEAR(in.gradients[i], (above - below) / (2 * kStep), 1e-8 * size) << name << ", number " << i;
  }
}

TEST(Gradient, Rows) {
  const std::vector<int32_t> ids = {2, 0, 2, 1, 2, 0};
  check("embed", {{4, 5}}, [&](Ctx& c, const Inputs& in) {
    static thread_local Weight table;
    table = in.weight(0);
    return std::vector{embed(c, ids, table)};
  });
  check("rms_norm", {{6, 5}, {5}},
        [](Ctx& c, const Inputs& in) { return std::vector{rms_norm(c, in.tensors[0], in.tensors[1], 1e-3)}; });
  check("add", {{6, 5}, {6, 5}}, [](Ctx& c, const Inputs& in) {
    return std::vector{add(c, in.tensors[0], add(c, in.tensors[1], in.tensors[0]))};
  });
  check("take_rows", {{6, 3}}, [&](Ctx& c, const Inputs& in) { return std::vector{take_rows(c, in.tensors[0], ids)}; });
  check("columns", {{6, 3}, {6, 4}}, [](Ctx& c, const Inputs& in) {
    auto [a, b] = split_columns(c, concat_columns(c, in.tensors[0], in.tensors[1]), 5);
    return std::vector{a, b};
  });
}

TEST(Gradient, Linear) {
  check("linear with a bias", {{6, 5}, {3, 5}, {3}},
        [](Ctx& c, const Inputs& in) { return std::vector{linear(c, in.tensors[0], in.weight(1), in.tensors[2])}; });
  check("linear with a residual", {{6, 5}, {3, 5}, {6, 3}}, [](Ctx& c, const Inputs& in) {
    return std::vector{linear(c, in.tensors[0], in.weight(1), {}, in.tensors[2])};
  });
  check("linear_each", {{6, 5}, {3, 5}, {2, 5}, {2}}, [](Ctx& c, const Inputs& in) {
    const Weight a = in.weight(1), b = in.weight(2);
    return linear_each(c, in.tensors[0], {{a, {}}, {b, in.tensors[3]}});
  });
  check("glu", {{6, 5}, {4, 5}, {4, 5}},
        [](Ctx& c, const Inputs& in) { return std::vector{glu(c, in.tensors[0], in.weight(1), in.weight(2))}; });
}

TEST(Gradient, Experts) {
  for (const auto scoring : {RouteArgs::Scoring::softmax, RouteArgs::Scoring::sigmoid})
    for (const bool normalize : {false, true})
      check("route and experts", {{6, 5}, {6, 4}, {4, 3, 5}, {4, 3, 5}, {4, 5, 3}}, [&](Ctx& c, const Inputs& in) {
        static thread_local Weight gate, up, down;
        gate = in.weight(2), up = in.weight(3), down = in.weight(4);
        RouteArgs rule;
        rule.scoring = scoring, rule.normalize = normalize, rule.scale = 1.7;
        return std::vector{experts(c, in.tensors[0], route(c, in.tensors[1], 2, rule), gate, up, down)};
      });
}

TEST(Gradient, BalanceLoss) {
  for (const auto scoring : {RouteArgs::Scoring::softmax, RouteArgs::Scoring::sigmoid}) {
    Inputs in({{6, 4}});
    const auto loss = [&](std::vector<double>& gradients) {
      Exec exec(1);
      Arena arena;
      Tape tape(arena, std::as_bytes(std::span(in.values)), std::as_writable_bytes(std::span(gradients)));
      Balance own{0.5, 3, 0, {}};
      Ctx c{DeviceKind::ref, {exec, arena}, {6, kPosition.data()}, {}, {}, &tape, &own};
      RouteArgs rule;
      rule.scoring = scoring;
      balance(c, in.tensors[0], route(c, in.tensors[0], 2, rule), scoring, nullptr);
      int64_t slots = 0;
      for (int64_t n : own.slots.at(nullptr)) slots += n;
      EXPECT_EQ(slots, 12);
      return own.loss;
    };
    EXPECT_GT(loss(in.gradients), 0);
    std::vector<double> unused(in.values.size());
    for (size_t i = 0; i < in.values.size(); ++i) {
      const double kept = in.values[i];
      in.values[i] = kept + kStep;
      const double above = loss(unused);
      in.values[i] = kept - kStep;
      const double below = loss(unused);
      in.values[i] = kept;
      ASSERT_NEAR(in.gradients[i], (above - below) / (2 * kStep), 1e-9) << "number " << i;
    }
  }
}

TEST(Gradient, Attention) {
  const std::vector<double> frequency = {1.0, 0.3};
  for (const bool interleaved : {false, true})
    check("rope and attend", {{6, 5 * 4}, {6, 20}, {6, 2 * 5}, {6, 2 * 5}, {6, 2 * 3}}, [&](Ctx& c, const Inputs& in) {
      const Tensor q = add(c, in.tensors[0], in.tensors[1]).reshape({6, 4, 5});
      rope(c, q, rope_table(c, frequency, 1.1), 1, interleaved);
      const Tensor k = add(c, in.tensors[2], in.tensors[3]).reshape({6, 2, 5});
      return std::vector{attend(c, 0, q, k, in.tensors[4].reshape({6, 2, 3}), 0.4)};
    });
  check("expand_heads", {{6, 2, 5}, {6, 2}}, [](Ctx& c, const Inputs& in) {
    auto [k, v] = expand_heads(c, in.tensors[0], in.tensors[1], 3);
    return std::vector{k, v};
  });
}

TEST(Gradient, CrossEntropy) {
  const std::vector<int32_t> target = {2, 0, 3, 1, 2, 0};
  const std::vector<double> factor = {0.1, 0.2, 0, 0.3, 0.2, 0.4};
  Inputs in({{6, 5}, {4, 5}});
  const auto loss = [&](std::vector<double>& gradients) {
    Exec exec(1);
    Arena arena;
    Tape tape(arena, std::as_bytes(std::span(in.values)), std::as_writable_bytes(std::span(gradients)));
    Ctx c{DeviceKind::ref, {exec, arena}, {6, kPosition.data()}, {}, {}, &tape};
    const std::vector<double> each = cross_entropy(c, in.tensors[0], in.weight(1), target, factor);
    tape.backward();
    double sum = 0;
    for (size_t n = 0; n < each.size(); ++n) sum += factor[n] * each[n];
    return sum;
  };
  (void)loss(in.gradients);
  std::vector<double> unused(in.values.size());
  for (size_t i = 0; i < in.values.size(); ++i) {
    const double kept = in.values[i];
    in.values[i] = kept + kStep;
    const double above = loss(unused);
    in.values[i] = kept - kStep;
    const double below = loss(unused);
    in.values[i] = kept;
    ASSERT_NEAR(in.gradients[i], (above - below) / (2 * kStep), 1e-9) << "number " << i;
  }
}

}  // namespace
}  // namespace jevons
