#include "kernels/bench.h"

#include <gtest/gtest.h>

#include "kernels/cpu/panel.h"

namespace jevons {
namespace {

// Times are the machine's affair; what is counted must be right.
TEST(Bench, CountsTheBytesInMemoryAndTheOperations) {
  Exec exec(2);
  const KernelReport packed = bench_linear(exec, Pack::q4_1, 33, 64, 40, 1),
                     plain = bench_linear(exec, Pack::bf16, 33, 64, 40, 1);
  EXPECT_EQ(packed.bytes, static_cast<double>(panel_bytes(Pack::q4_1, 33, 64)));
  EXPECT_EQ(plain.bytes, 33 * 64 * 2);
  EXPECT_EQ(packed.operations, 2.0 * 33 * 64 * 40);
  EXPECT_GT(packed.seconds, 0);
}

}  // namespace
}  // namespace jevons
