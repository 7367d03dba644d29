#include "formats/byte_stream.h"

#include <gtest/gtest.h>
#include <zstd.h>

#include <filesystem>

namespace jevons {
namespace {

class ByteStreamTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) / "byte_stream";
    std::filesystem::create_directories(folder_);
    for (int i = 0; i < 20000; ++i) text_ += std::to_string(i * 7919 % 10007) + (i % 10 ? " " : "\n");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  static std::string packed(const std::string& text) {
    std::string out(ZSTD_compressBound(text.size()), '\0');
    out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
    return out;
  }
  // The whole stream in reads of `size` bytes.
  Result<std::string> read(const std::string& bytes, size_t size) {
    write_file(folder_ / "file", bytes).value();
    JEVONS_TRY(ByteStream stream, ByteStream::open(folder_ / "file"));
    std::string out, buffer(size, '\0');
    for (;;) {
      JEVONS_TRY(const size_t count, stream.read(buffer.data(), size));
      if (count == 0) return out;
      out.append(buffer, 0, count);
    }
  }
  std::filesystem::path folder_;
  std::string text_;
};

TEST_F(ByteStreamTest, PlainAndPackedInReadsOfAnySize) {
  for (const size_t size : {size_t{1}, size_t{7}, size_t{4096}, size_t{1} << 20}) {
    EXPECT_EQ(*read(text_, size), text_) << size;
    EXPECT_EQ(*read(packed(text_), size), text_) << size;
    EXPECT_EQ(*read(packed(text_) + packed("") + packed("more"), size), text_ + "more") << size;
  }
  EXPECT_EQ(*read("", 10), "");
  EXPECT_EQ(*read(packed(""), 10), "");
}

TEST_F(ByteStreamTest, BrokenAndCutShort) {
  const std::string good = packed(text_);
  const auto message = [&](const std::string& bytes) {
    const Result<std::string> result = read(bytes, 4096);
    return result.ok() ? std::string("read without an error") : result.error().message();
  };
  EXPECT_NE(message(good.substr(0, good.size() - 3)).find("cut short"), std::string::npos);
  EXPECT_NE(message(good.substr(0, 5)).find("cut short"), std::string::npos);
  std::string broken = good;
  for (size_t i = 20; i < 60; ++i) broken[i] = static_cast<char>(broken[i] ^ 0x5a);
  EXPECT_NE(message(broken).find("broken zstd data"), std::string::npos) << message(broken);
  EXPECT_NE(message(good + "tail").find("broken zstd data"), std::string::npos) << message(good + "tail");
}

}  // namespace
}  // namespace jevons
