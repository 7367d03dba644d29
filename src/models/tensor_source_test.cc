#include "models/tensor_source.h"

#include <gtest/gtest.h>

#include <numeric>

namespace jevons {
namespace {

// A float tensor in memory whose element i is first + i.
struct Numbers {
  std::vector<float> values;
  TensorEntry entry;
  Numbers(std::vector<int64_t> shape, float first) {
    entry.name = "t", entry.pack = Pack::f32, entry.stored_type = "F32", entry.shape = std::move(shape);
    values.resize(static_cast<size_t>(entry.numel()));
    std::iota(values.begin(), values.end(), first);
    entry.bytes = std::as_bytes(std::span(values));
  }
};

std::vector<float> column(const TensorSource& source) {
  std::vector<float> row(static_cast<size_t>(source.cols())), out;
  for (int64_t r = 0; r < source.rows(); ++r) source.read_row(r, row.data()), out.push_back(row[0]);
  return out;
}

TEST(TensorSource, InterleaveAndSplitAreInverse) {
  const Numbers t({12, 1}, 0);
  TensorSource source = whole_tensor("x", t.entry).value();
  source.heads = 2;
  source.order = TensorSource::Order::interleave;
  EXPECT_EQ(column(source), (std::vector<float>{0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11}));
  source.order = TensorSource::Order::split;
  EXPECT_EQ(column(source), (std::vector<float>{0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11}));
  EXPECT_EQ(*reinterpret_cast<const float*>(source.stored_row(1)), 2);
}

TEST(TensorSource, StacksAndPartsOfStacks) {
  const Numbers a({2, 3}, 0), b({2, 3}, 100);
  TensorSource stack = whole_tensor("x", a.entry).value();
  stack.shape = {2, 2, 3};
  stack.pieces.push_back({&b.entry});
  EXPECT_EQ(column(stack), (std::vector<float>{0, 3, 100, 103}));
  EXPECT_EQ(stack.stored_pack(), Pack::f32);

  const Numbers whole({3, 2, 2}, 0);
  TensorSource part = whole_tensor("y", whole.entry).value();
  part.shape = {2, 2};
  part.pieces[0].first_row = 4;
  EXPECT_EQ(column(part), (std::vector<float>{8, 10}));
}

// kv_b[h, j] = keys[h, :, j] for j < nope, values[h, j - nope] after that.
TEST(TensorSource, JoinsTheHalvesOfKvB) {
  const Numbers keys({2, 3, 4}, 0), values({2, 2, 3}, 1000);  // 2 heads, rank 3, nope 4, value width 2
  TensorSource source;
  source.name = "kv_b", source.shape = {12, 3}, source.heads = 2;
  source.halves = {&keys.entry, &values.entry, 4};
  std::vector<float> row(3);
  source.read_row(1, row.data());
  EXPECT_EQ(row, (std::vector<float>{1, 5, 9}));
  source.read_row(4, row.data());
  EXPECT_EQ(row, (std::vector<float>{1000, 1001, 1002}));
  source.read_row(6 + 3, row.data());
  EXPECT_EQ(row, (std::vector<float>{15, 19, 23}));
  source.read_row(6 + 5, row.data());
  EXPECT_EQ(row, (std::vector<float>{1009, 1010, 1011}));
}

TEST(TensorSource, Fp8NeedsItsScales) {
  std::vector<std::byte> codes(130 * 129, std::byte{0x38});  // 1.0
  Numbers scale({2, 2}, 1);
  TensorEntry entry;
  entry.name = "w", entry.pack = Pack::fp8_block128, entry.stored_type = "F8_E4M3", entry.shape = {130, 129};
  entry.bytes = codes;
  const TensorSource source = whole_tensor("w", entry, &scale.entry).value();
  EXPECT_FALSE(source.stored_pack());
  std::vector<float> row(129);
  source.read_row(129, row.data());
  EXPECT_EQ(row[127], 3);
  EXPECT_EQ(row[128], 4);
  EXPECT_FALSE(whole_tensor("w", entry).ok());
  const Numbers wrong({2, 3}, 1);
  EXPECT_FALSE(whole_tensor("w", entry, &wrong.entry).ok());
}

TEST(TensorSource, TensorsWithoutWeightsAreRefusedByName) {
  TensorEntry entry;
  entry.name = "mask", entry.stored_type = "I64", entry.shape = {2};
  const auto source = whole_tensor("x", entry);
  ASSERT_FALSE(source.ok());
  EXPECT_NE(source.error().message().find("mask"), std::string::npos);
}

}  // namespace
}  // namespace jevons
