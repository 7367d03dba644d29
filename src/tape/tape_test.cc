#include "tape/tape.h"

#include <gtest/gtest.h>

namespace jevons {
namespace {

TEST(Tape, RunsInReverseAndSharesGradientsOfViews) {
  Arena arena;
  double parameter[2] = {3, 4}, gradient[2] = {0, 0};
  Tape tape(arena, std::as_bytes(std::span(parameter)), std::as_writable_bytes(std::span(gradient)));
  const Tensor w(parameter + 1, {1}, DType::f64), x = arena.alloc({2}, DType::f64), y = arena.alloc({2}, DType::f64);
  x.as<double>()[0] = 5, x.as<double>()[1] = 6;
  // y = w x, objective = y0 + 10 y1, twice
  tape.record([&] {
    for (size_t i = 0; i < 2; ++i) {
      tape.grad(w).as<double>()[0] += tape.grad(y).as<double>()[i] * x.as<double>()[i];
      tape.grad(x).as<double>()[i] += tape.grad(y).as<double>()[i] * w.as<double>()[0];
    }
    EXPECT_EQ(tape.grad(x.reshape({2, 1})).as<double>()[1], 40);
  });
  tape.record([&] { tape.grad(y.reshape({1, 2})).as<double>()[1] = 10; });
  tape.record([&] { tape.grad(y).as<double>()[0] = 1; });
  tape.backward();
  EXPECT_EQ(gradient[0], 0);
  EXPECT_EQ(gradient[1], 65);
  tape.backward();  // nothing is left to run
  EXPECT_EQ(gradient[1], 65);
}

}  // namespace
}  // namespace jevons
