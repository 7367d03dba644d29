#include "formats/safetensors_write.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/strings.h"
#include "formats/safetensors.h"

namespace jevons {
namespace {

class Writing : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove_all(folder_); }
  // Declares tensors of odd sizes, writes byte k of tensor i as 16 i + k.
  Status write(uint64_t max_shard_bytes, size_t piece) {
    SafetensorsWriter writer;
    writer.put_metadata("step", "7");
    writer.add_tensor("bytes", "U8", {3});
    writer.add_tensor("bf16", "BF16", {1, 3});
    writer.add_tensor("f32", "F32", {2});
    writer.add_tensor("empty", "F32", {0, 5});
    writer.add_tensor("scalar", "I64", {});
    JEVONS_TRY_STATUS(writer.create(folder_, max_shard_bytes));
    std::string data;
    for (const auto& item : writer.items())
      for (uint64_t k = 0; k < item.bytes; ++k) data += static_cast<char>(16 * item.added + k);
    EXPECT_EQ(data.size(), writer.data_bytes());
    for (size_t at = 0; at < data.size(); at += piece)
      JEVONS_TRY_STATUS(writer.write(data.data() + at, std::min(piece, data.size() - at)));
    return finish_ ? writer.finish() : Status();
  }
  void expect_all() {
    const Safetensors file = *Safetensors::open(folder_);
    EXPECT_EQ(file.metadata().at("step").as_string(), "7");
    const std::pair<const char*, size_t> want[] = {{"bytes", 3}, {"bf16", 6}, {"f32", 8}, {"empty", 0}, {"scalar", 8}};
    for (size_t i = 0; i < std::size(want); ++i) {
      const TensorEntry* found = file.find(want[i].first);
      ASSERT_TRUE(found) << want[i].first;
      ASSERT_EQ(found->bytes.size(), want[i].second);
      for (size_t k = 0; k < found->bytes.size(); ++k) EXPECT_EQ(static_cast<size_t>(found->bytes[k]), 16 * i + k);
    }
    EXPECT_EQ(file.find("empty")->shape, (std::vector<int64_t>{0, 5}));
    EXPECT_EQ(file.find("scalar")->shape, std::vector<int64_t>{});
  }
  int files() const {
    int count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder_)) ++count;
    return count;
  }
  std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / cat("jevons-writing-", static_cast<int64_t>(getpid()));
  bool finish_ = true;
};

TEST_F(Writing, OneFile) {
  for (const size_t piece : {1, 5, 1000}) {
    write(SafetensorsWriter::kMaxShardBytes, piece).value();
    EXPECT_EQ(files(), 1);
    expect_all();
  }
}

TEST_F(Writing, Shards) {
  write(9, 4).value();  // bytes + bf16, f32 + empty, scalar
  EXPECT_EQ(files(), 4);
  expect_all();
  EXPECT_FALSE(write(9, 4).ok());  // an index is there already
  expect_all();
}

TEST_F(Writing, NothingIsLeftWithoutFinish) {
  finish_ = false;
  write(9, 4).value();
  EXPECT_EQ(files(), 0);
  write(1000, 4).value();
  EXPECT_EQ(files(), 0);
}

TEST_F(Writing, FolderThatCannotBe) {
  write_file(folder_, "a file").value();
  EXPECT_NE(write(1000, 4).error().message().find("cannot create the folder"), std::string::npos);
}

}  // namespace
}  // namespace jevons
