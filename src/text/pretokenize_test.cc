#include "text/pretokenize.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/strings.h"
#include "text/patterns.h"

namespace jevons {
namespace {

std::vector<std::string> words(const PreTokenizer& pre, std::string_view text) {
  std::vector<std::string> out;
  pre.each_word(text, [&](std::string_view word) { out.emplace_back(word); });
  return out;
}

using Words = std::vector<std::string>;

// The scanner of each family equals its patterns run by PCRE2: on random texts over the characters that the patterns
// tell apart, broken bytes among them, and on the book sample.
class ScannerTest : public testing::TestWithParam<std::pair<const char*, PreTokenizer::Scanner>> {};

TEST_P(ScannerTest, EqualsPatterns) {
  const Json json = family(GetParam().first).value().pre_tokenizer;
  const PreTokenizer fast = PreTokenizer::from_json(json).value(), slow = PreTokenizer::from_json(json, false).value();
  ASSERT_EQ(fast.scanner(), GetParam().second);
  ASSERT_EQ(slow.scanner(), PreTokenizer::Scanner::none);
  const char* const alphabet[] = {
      " ",          " ",          "\n",     "\r",     "\t",       "a",        "Z",      "s",    "S",    "re",
      "LL",         "'",          "'",      "1",      "2",        "٣",        "½",      "é",    "ſ",    "\u0301",
      "\u093f",     "中",         "カ",     "ー",     "・",       "!",        "-",      "$",    "。",   "…",
      "😀",          "\u200d",     "\u00a0", "\u180e", "\u2028",   "\u3000",   "\u0085", "\x01", "\x7f", "\ufeff",
      "\U000323b0", "\U0002ebf0", "\u1c89", "\xff",   "\xe4\xb8", "\xf0\x9f", "\x80"};
  uint64_t state = 7;
  for (int round = 0; round < 6000; ++round) {
    std::string text;
    for (uint64_t i = 0, n = 1 + round % 14; i < n; ++i) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      text += alphabet[(state >> 33) % std::size(alphabet)];
    }
    ASSERT_EQ(words(fast, text), words(slow, text)) << quote(text, 200);
  }
  const std::string book =
      read_file(std::string(JEVONS_SOURCE_DIR) + "/tests/golden/tokenizers/books_sample.txt").value();
  EXPECT_EQ(words(fast, book), words(slow, book));
}

INSTANTIATE_TEST_SUITE_P(Families, ScannerTest,
                         testing::Values(std::pair{"gpt-2", PreTokenizer::Scanner::gpt2},
                                         std::pair{"smollm", PreTokenizer::Scanner::smollm},
                                         std::pair{"llama-bpe", PreTokenizer::Scanner::llama3},
                                         std::pair{"qwen2", PreTokenizer::Scanner::qwen2},
                                         std::pair{"deepseek-v3", PreTokenizer::Scanner::deepseek3}));

Result<PreTokenizer> of_pattern(const std::string& regex) {
  return PreTokenizer::from_json(Json::Object{
      {"type", "Sequence"},
      {"pretokenizers",
       Json::Array{
           Json::Object{{"type", "Split"}, {"pattern", Json::Object{{"Regex", regex}}}, {"behavior", "Isolated"}},
           Json::Object{{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}}}}});
}

TEST(PreTokenizer, ReadsOnigurumaClasses) {
  EXPECT_EQ(words(of_pattern("\\s+").value(), "a\u180eb\u0085c"), (Words{"a\u180eb", "\u0085", "c"}));
  EXPECT_EQ(words(of_pattern("[^\\s]+").value(), "a\u180e b"), (Words{"a\u180e", " ", "b"}));
  EXPECT_EQ(words(of_pattern("\\p{L}").value(),
                  "1\u1c8a\U000323a0"
                  "2"),
            (Words{"1", "\u1c8a", "\U000323a0", "2"}));
  EXPECT_EQ(words(of_pattern("\\P{L}+").value(), "a12\u1c8a"), (Words{"a", "12", "\u1c8a"}));
  EXPECT_EQ(words(of_pattern("x$").value(), "x\nx"), (Words{"x", "\n", "x"})) << "$ is the end of a line";
}

TEST(PreTokenizer, RefusesPatterns) {
  const auto refused = [](const std::string& pattern, const std::string& part) {
    const auto result = of_pattern(pattern);
    ASSERT_FALSE(result.ok()) << pattern;
    EXPECT_NE(result.error().message().find(part), std::string::npos) << result.error().message();
  };
  refused("[a&&b]", "&& in a class");
  refused("[a[b]]", "a class inside a class");
  refused("(*UCP)a", "(*");
  refused("(?R)", "(?R");
  refused("\\h", "\\\\h");
  refused("a(", "not a regular expression");
  refused("[a", "not a regular expression");
  refused("a\\", "at its end");
  refused(std::string(70000, 'a'), "at most 65536");
}

TEST(PreTokenizer, GivesUpOnExplosivePatterns) {
  const PreTokenizer pre = of_pattern("(?:a|aa)+[^a!]").value();
  EXPECT_THROW(words(pre, std::string(60, 'a') + "!"), Error);
}

TEST(PreTokenizer, PutsSpaceInFront) {
  const Json json = Json::parse(R"({"type":"ByteLevel","add_prefix_space":true,"use_regex":true})").value();
  const PreTokenizer pre = PreTokenizer::from_json(json).value();
  EXPECT_EQ(words(pre, "a b"), (Words{" a", " b"}));
  EXPECT_EQ(words(pre, " a"), (Words{" a"}));
  EXPECT_EQ(words(pre, "\na"), (Words{" ", "\n", "a"}));
  EXPECT_EQ(words(pre, ""), Words{});
}

TEST(PreTokenizer, RefusesSteps) {
  const auto error = [](const char* json) {
    return PreTokenizer::from_json(Json::parse(json).value()).error().message();
  };
  EXPECT_NE(error(R"({"type":"Metaspace"})").find("\"Metaspace\" is not supported"), std::string::npos);
  EXPECT_NE(error(R"({"type":"Whitespace"})").find("no ByteLevel step"), std::string::npos);
  EXPECT_NE(
      error(R"({"type":"Sequence","pretokenizers":[{"type":"ByteLevel"},{"type":"Digits"}]})").find("behind ByteLevel"),
      std::string::npos);
  EXPECT_NE(error(R"({"type":"Split","pattern":{"String":"a"},"behavior":"Odd"})").find("\"Odd\" is not supported"),
            std::string::npos);
  EXPECT_NE(error(R"({"type":"Split"})").find("\"pattern\" is missing"), std::string::npos);
}

TEST(Families, NamesAreKnown) {
  for (const char* name : {"gpt-2", "default", "smollm", "llama-bpe", "llama3", "qwen2", "deepseek-r1-qwen", "qwen35",
                           "deepseek-v3", "deepseek-llm", "deepseek-coder"}) {
    const auto found = family(name);
    ASSERT_TRUE(found.ok()) << name;
    EXPECT_TRUE(PreTokenizer::from_json(found->pre_tokenizer).ok()) << name;
  }
  for (const char* name : {"", " ", "llama", "gpt-2 default"}) EXPECT_FALSE(family(name).ok()) << name;
}

}  // namespace
}  // namespace jevons
