// The tokenizer of a model on disk: a folder and a GGUF file made here say the same, and errors name file and field.
#include "text/tokenizer_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <functional>

#include "base/file.h"
#include "formats/gguf_write.h"

namespace jevons {
namespace {

namespace fs = std::filesystem;
using Ids = std::vector<int32_t>;

// Three letters, a merge and the end of text.
constexpr const char* kTokenizer = R"({
  "added_tokens": [{"id": 4, "content": "<end>", "single_word": false, "lstrip": false, "rstrip": false,
                    "normalized": false, "special": true}],
  "normalizer": null,
  "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
  "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2, "ab": 3}, "merges": ["a b"]}})";

class TokenizerFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/jevons_tokenizer_file_XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder = pattern;
  }
  void TearDown() override { fs::remove_all(folder); }
  void put(const char* name, std::string_view text) { ASSERT_TRUE(write_file(folder / name, text).ok()); }
  // The vocabulary of kTokenizer as a GGUF file; `leave_out` names one key that is not written.
  fs::path gguf(const std::vector<int32_t>& types = {1, 1, 1, 1, 3}, int64_t eos = 4, std::string_view leave_out = {}) {
    const fs::path path = folder / "model.gguf";
    GgufWriter w;
    w.put_text("general.architecture", "llama");
    w.put_text("tokenizer.ggml.model", "gpt2");
    w.put_text("tokenizer.ggml.pre", "gpt-2");
    if (leave_out != "tokens") w.put_texts("tokenizer.ggml.tokens", {"a", "b", "c", "ab", "<end>"});
    if (leave_out != "token_type") w.put_i32s("tokenizer.ggml.token_type", types);
    if (leave_out != "merges") w.put_texts("tokenizer.ggml.merges", {"a b"});
    w.put_u32("tokenizer.ggml.eos_token_id", eos);
    w.put_u32("tokenizer.ggml.bos_token_id", 2);
    w.put_bool("tokenizer.ggml.add_bos_token", true);
    EXPECT_TRUE(w.create(path).ok() && w.finish().ok());
    return path;
  }
  // The message that loading `path` fails with, which must name the path.
  std::string error(const fs::path& path) {
    const auto loaded = load_tokenizer(path);
    if (loaded.ok()) return "no error";
    EXPECT_NE(loaded.error().message().find(path.string()), std::string::npos) << loaded.error().message();
    return loaded.error().message();
  }
  fs::path folder;
};

void expect_contains(const std::string& message, const std::string& part) {
  EXPECT_NE(message.find(part), std::string::npos) << "message: " << message << "\nexpected in it: " << part;
}

TEST_F(TokenizerFile, AFolderAndAGgufFileSayTheSame) {
  put("tokenizer.json", kTokenizer);
  put("tokenizer_config.json", R"({"eos_token": "<end>", "bos_token": "c", "add_bos_token": true})");
  for (const Tokenizer& t : {load_tokenizer(folder).value(), load_tokenizer(gguf()).value()}) {
    EXPECT_EQ(t.vocab_size(), 5);
    EXPECT_EQ(t.encode("abcab<end>ba"), (Ids{3, 2, 3, 4, 1, 0}));
    EXPECT_EQ(t.decode(Ids{3, 2, 4}), "abc<end>");
    EXPECT_EQ(t.decode(Ids{3, 2, 4}, true), "abc");
    EXPECT_TRUE(t.is_special(4));
    EXPECT_EQ(t.eos(), Ids{4});
    EXPECT_EQ(t.bos(), 2);
    EXPECT_TRUE(t.adds_bos());
  }
}

TEST_F(TokenizerFile, TheConfigMayBeAbsent) {
  put("tokenizer.json", kTokenizer);
  const Tokenizer t = load_tokenizer(folder).value();
  EXPECT_EQ(t.encode("ab"), Ids{3});
  EXPECT_EQ(t.bos(), std::nullopt);
}

TEST_F(TokenizerFile, ErrorsNameTheFileAndWhatIsWrong) {
  expect_contains(error(folder), "tokenizer.json");
  put("tokenizer.json", "{");
  expect_contains(error(folder), "tokenizer.json");
  put("tokenizer.json", kTokenizer);
  put("tokenizer_config.json", "[");
  expect_contains(error(folder), "tokenizer");
  expect_contains(error(folder / "none.gguf"), "none.gguf");
  expect_contains(error(gguf({1, 1, 1, 1, 3}, 4, "tokens")), "tokenizer.ggml.tokens is missing");
  expect_contains(error(gguf({1, 1, 1, 1, 3}, 4, "merges")), "tokenizer.ggml.merges is missing");
  expect_contains(error(gguf({1, 1, 1})), "has 3 entries");
  expect_contains(error(gguf({1, 1, 1, 1, -1})), "tokenizer.ggml.token_type holds -1");
  expect_contains(error(gguf({1, 1, 1, 1, 3}, 5)), "id 5 lies outside the vocabulary of 5");
  expect_contains(error(gguf({1, 1, 1, 1, 3}, 0xffffffff)), "tokenizer.ggml.eos_token_id is 4294967295");
}

TEST_F(TokenizerFile, WithoutTypesEveryTokenIsText) {
  const Tokenizer t = load_tokenizer(gguf({}, 4, "token_type")).value();
  EXPECT_FALSE(t.is_special(4));
  EXPECT_EQ(t.encode("ab"), Ids{3});
}

TEST(TokenizerWithoutText, KnowsIdsOnly) {
  const Tokenizer t = Tokenizer::without_text(7);
  EXPECT_EQ(t.vocab_size(), 7);
  EXPECT_EQ(t.encode("any text"), Ids{});
  EXPECT_EQ(t.decode(Ids{0, 6, 3}), "");
  EXPECT_EQ(t.bos(), std::nullopt);
  EXPECT_THROW(t.decode(Ids{7}), Error);
}

}  // namespace
}  // namespace jevons
