#include "formats/gguf_write.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <numeric>

namespace jevons {
namespace {

namespace fs = std::filesystem;

// A fresh folder, taken away with the test.
class GgufWriterFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/jevons_gguf_write_XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder = pattern;
  }
  void TearDown() override { fs::remove_all(folder); }
  fs::path scratch(const char* name) const { return folder / name; }
  fs::path folder;
};

TEST_F(GgufWriterFile, WhatIsWrittenIsRead) {
  const fs::path path = scratch("all.gguf");
  GgufWriter w;
  w.put_text("general.architecture", "llama");
  w.put_u32("llama.block_count", 4000000000);
  w.put_f32("llama.eps", 1e-5);
  w.put_bool("flag", true);
  w.put_texts("tokens", {"a", "", "ü\n"});
  w.put_i32s("types", {1, -2, 3});
  w.add_tensor("a", {3}, Pack::f32);
  w.add_tensor("b", {2, 2, 32}, Pack::q8_0);
  w.add_tensor("c", {1, 2}, Pack::bf16);
  std::vector<uint8_t> b(4 * 34);
  std::iota(b.begin(), b.end(), uint8_t{0});
  const float a[] = {1, 2, 3};
  const uint16_t c[] = {0x3f80, 0x4000};
  ASSERT_TRUE(w.create(path).ok());
  ASSERT_TRUE(w.write(a, sizeof a).ok());
  ASSERT_TRUE(w.write(b.data(), 50).ok());  // in pieces
  ASSERT_TRUE(w.write(b.data() + 50, b.size() - 50).ok());
  ASSERT_TRUE(w.write(c, sizeof c).ok());
  EXPECT_FALSE(fs::exists(path));
  ASSERT_TRUE(w.finish().ok());

  const Gguf read = Gguf::open(path).value();
  EXPECT_EQ(read.text("general.architecture"), "llama");
  EXPECT_EQ(read.integer("llama.block_count"), 4000000000);
  EXPECT_EQ(read.number("llama.eps"), double{1e-5f});
  EXPECT_EQ(read.boolean("flag"), true);
  EXPECT_EQ(read.array("tokens")->strings(), (std::vector<std::string_view>{"a", "", "ü\n"}));
  EXPECT_EQ(read.array("types")->numbers<int>(), (std::vector<int>{1, -2, 3}));
  ASSERT_EQ(read.tensors().size(), 3u);
  const TensorEntry& tensor = *read.find_tensor("b");
  EXPECT_EQ(tensor.shape, (std::vector<int64_t>{2, 2, 32}));
  EXPECT_EQ(tensor.pack, Pack::q8_0);
  EXPECT_EQ(std::memcmp(tensor.bytes.data(), b.data(), b.size()), 0);
  EXPECT_EQ(std::memcmp(read.find_tensor("a")->bytes.data(), a, sizeof a), 0);
  EXPECT_EQ(std::memcmp(read.find_tensor("c")->bytes.data(), c, sizeof c), 0);

  // Every value survives a copy, with its type.
  const fs::path second = scratch("copy.gguf");
  GgufWriter copy;
  for (const auto& [key, value] : read.metadata()) copy.put(key, value);
  for (const TensorEntry& t : read.tensors()) copy.add_tensor(t.name, t.shape, *t.pack);
  ASSERT_TRUE(copy.create(second).ok());
  for (const TensorEntry& t : read.tensors()) ASSERT_TRUE(copy.write(t.bytes.data(), t.bytes.size()).ok());
  ASSERT_TRUE(copy.finish().ok());
  EXPECT_EQ(read_file(path).value(), read_file(second).value());
}

TEST_F(GgufWriterFile, AnUnfinishedFileLeavesNothing) {
  const fs::path path = scratch("unfinished.gguf");
  {
    GgufWriter w;
    w.add_tensor("a", {8}, Pack::f32);
    ASSERT_TRUE(w.create(path).ok());
  }
  EXPECT_TRUE(fs::is_empty(folder));
}

TEST(GgufWriter, APlaceThatCannotBeWrittenIsAnError) {
  GgufWriter w;
  const Status status = w.create("/nonexistent-folder/x.gguf");
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message().find("/nonexistent-folder/x.gguf"), std::string::npos);
}

}  // namespace
}  // namespace jevons
