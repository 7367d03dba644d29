// The automata, the masks and the matcher against a brute-force reading of the same grammar.
#include "text/grammar/matcher.h"

#include <gtest/gtest.h>

#include <regex>

namespace jevons {
namespace {

std::shared_ptr<const GrammarVocab> letters() {
  // All bytes, and tokens that straddle borders; 300 is the end.
  std::vector<std::string> tokens(301);
  for (int b = 0; b < 256; ++b) tokens[b] = std::string(1, static_cast<char>(b));
  int id = 256;
  for (const char* text :
       {"ab", "abc", "bc", "ba", "aa", "(a", "a)", "))", "((", ")))", "1,", ",1", "\"}", "é", "\xc3"})
    tokens[id++] = text;
  return std::make_shared<GrammarVocab>(std::move(tokens), std::vector<int32_t>{300});
}

bool allowed(const std::vector<uint64_t>& bits, int32_t id) { return bits[id >> 6] >> (id & 63) & 1; }

// Every token: allowed exactly if accept() takes it. Walks at random for `steps` tokens.
void check_walk(const GrammarPtr& grammar, uint64_t seed, int steps) {
  const auto vocab = letters();
  GrammarMatcher matcher(std::make_shared<TokenMasks>(grammar, vocab));
  std::vector<uint64_t> bits(vocab->words());
  std::string text;
  for (int i = 0; i < steps && !matcher.ended(); ++i) {
    const int64_t count = matcher.mask(bits);
    ASSERT_GT(count, 0) << text;
    std::vector<float> logits(static_cast<size_t>(vocab->size()) + 70, 1.0f);  // padded
    ASSERT_EQ(matcher.apply(logits), count);
    for (int32_t id = 0; id < static_cast<int32_t>(logits.size()); ++id)
      ASSERT_EQ(logits[static_cast<size_t>(id)] == 1.0f, id < vocab->size() && allowed(bits, id)) << text;
    std::vector<int32_t> choices;
    for (int32_t id = 0; id < vocab->size(); ++id) {
      const bool fits = matcher.accept(id);
      if (fits) matcher.rollback(1);
      ASSERT_EQ(allowed(bits, id), fits) << text << " + " << vocab->bytes(id);
      if (fits) choices.push_back(id);
    }
    ASSERT_EQ(static_cast<int64_t>(choices.size()), count);
    ASSERT_EQ(matcher.over(), choices == std::vector<int32_t>{300});
    seed = seed * 6364136223846793005 + 1442695040888963407;
    const int32_t id = choices[(seed >> 33) % choices.size()];
    ASSERT_TRUE(matcher.accept(id));
    text += vocab->bytes(id);
  }
  EXPECT_EQ(matcher.complete() || matcher.ended(), grammar->matches(text)) << text;
}

TEST(GrammarRegex, MatchesAsTheStandardLibraryDoes) {
  for (const char* pattern : {"a*b", "(a|b)*abb", "a{2,3}b?", "[^a-c]+", "(ab|a)(c|bcd)", "a??b+?", "(?:a|(b))c{0,2}",
                              "x|", "[a-c]{3}|b", "\\d+\\.\\w", "(a*)*b", "[\\]a-]+"}) {
    const auto grammar = Grammar::from_regex(pattern).value();
    const std::regex oracle(pattern, std::regex::ECMAScript);
    std::vector<std::string> texts{""};
    for (size_t i = 0; i < texts.size() && texts[i].size() < 5; ++i)
      for (const char c : std::string("abc1.]-dx").substr(0, texts[i].size() < 3 ? 9 : 4))
        texts.push_back(texts[i] + c);
    for (const auto& text : texts) EXPECT_EQ(grammar->matches(text), std::regex_match(text, oracle)) << pattern << text;
  }
}

TEST(GrammarRegex, AnchorsUnicodeAndEscapes) {
  const auto fits = [](const char* pattern, std::string_view text) {
    const auto grammar = Grammar::from_regex(pattern);
    return grammar.ok() && (*grammar)->matches(text);
  };
  EXPECT_TRUE(fits("^ab$", "ab"));
  EXPECT_FALSE(fits("a^b", "ab"));
  EXPECT_FALSE(fits("a$b", "ab"));
  EXPECT_TRUE(fits("(^|b)a", "ba"));
  EXPECT_TRUE(fits("$^", ""));
  EXPECT_TRUE(fits("[à-ü]+", "éè"));
  EXPECT_FALSE(fits("[à-ü]+", "\xc3"));
  EXPECT_TRUE(fits(".", "🙂"));
  EXPECT_FALSE(fits(".", "\xed\xa0\x80"));  // a surrogate is no character
  EXPECT_FALSE(fits(".", "\n"));
  EXPECT_TRUE(fits("\\u{1f642}\\x41\\u00e9", "🙂Aé"));
  EXPECT_TRUE(fits("\\ud83d\\ude42", "🙂"));
  EXPECT_TRUE(fits("\\p{L}+", "aé中"));
  EXPECT_FALSE(fits("\\p{L}", "1"));
}

TEST(GrammarRegex, RefusalsAreSentences) {
  const auto error = [](std::string pattern) {
    const auto grammar = Grammar::from_regex(pattern);
    EXPECT_FALSE(grammar.ok()) << pattern;
    return grammar.ok() ? "" : grammar.error().message();
  };
  EXPECT_NE(error("a(?=b)").find("look-ahead"), std::string::npos);
  EXPECT_NE(error("(a)\\1").find("back references"), std::string::npos);
  EXPECT_NE(error("\\bx").find("word boundaries"), std::string::npos);
  EXPECT_NE(error("(a").find("expected )"), std::string::npos);
  EXPECT_NE(error("a)").find("unmatched )"), std::string::npos);
  EXPECT_NE(error("[b-a]").find("wrong order"), std::string::npos);
  EXPECT_NE(error("a{1000000000}").find("repeat count"), std::string::npos);
  EXPECT_NE(error("((a{1000}){1000}){1000}").find("too many"), std::string::npos);
  EXPECT_NE(error(std::string(30'000, '(') + std::string(30'000, ')')).find("nested too deeply"), std::string::npos);
  EXPECT_NE(error("a^b").find("no text fits"), std::string::npos);
  EXPECT_NE(error(std::string(2 << 20, 'a')).find("bytes"), std::string::npos);
}

// Has 2^30 states when made deterministic; works without.
TEST(GrammarRegex, AmbiguousPatternsAreFollowedSideBySide) {
  const auto grammar = Grammar::from_regex("(a|b)*a(a|b){29}").value();
  EXPECT_TRUE(grammar->matches("bba" + std::string(29, 'b')));
  EXPECT_FALSE(grammar->matches("bbb" + std::string(29, 'b')));
}

TEST(GrammarMatcher, MasksEqualTrials) {
  for (const char* pattern : {"(ab|a)*c?", "\\((a|b)*\\)+", "(1,)*1", "é+|aab", "(a|b)*a(a|b){9}", "[^a]{3}|\\d+"})
    for (uint64_t seed = 1; seed <= 5; ++seed) check_walk(Grammar::from_regex(pattern).value(), seed, 25);
}

TEST(GrammarMatcher, ForcedBytesRollbackAndEnd) {
  const auto vocab = letters();
  GrammarMatcher matcher(std::make_shared<TokenMasks>(Grammar::from_regex("abc(x|y)").value(), vocab));
  EXPECT_EQ(matcher.forced(), "abc");
  EXPECT_TRUE(matcher.accept(256));  // ab
  EXPECT_EQ(matcher.forced(), "c");
  EXPECT_FALSE(matcher.accept(300));
  matcher.rollback(1);
  EXPECT_EQ(matcher.forced(), "abc");
  EXPECT_TRUE(matcher.accept(257));  // abc
  EXPECT_EQ(matcher.forced(), "");
  EXPECT_TRUE(matcher.accept('x'));
  EXPECT_TRUE(matcher.complete());
  EXPECT_TRUE(matcher.accept(300));
  EXPECT_TRUE(matcher.ended());
  std::vector<uint64_t> bits(vocab->words());
  EXPECT_EQ(matcher.mask(bits), 0);
  EXPECT_FALSE(matcher.accept('x'));
  matcher.rollback(2);
  EXPECT_TRUE(matcher.accept('y'));
}

TEST(GrammarMatcher, LogitsFollowTheMask) {
  const auto vocab = letters();
  GrammarMatcher matcher(std::make_shared<TokenMasks>(Grammar::from_regex("a+").value(), vocab));
  std::vector<float> logits(320, 1.0f);  // padded
  EXPECT_EQ(matcher.apply(logits), 2);   // a, aa
  for (int i = 0; i < 320; ++i)
    EXPECT_EQ(logits[i] == 1.0f, i == 'a' || (vocab->size() > i && vocab->bytes(i) == "aa")) << i;
}

TEST(GrammarMatcher, MemoryStaysBounded) {
  const auto vocab = letters();
  auto masks = std::make_shared<TokenMasks>(Grammar::from_regex("(a|b)*a(a|b){20}").value(), vocab, 1 << 16);
  GrammarMatcher matcher(masks, 1 << 18);
  std::vector<uint64_t> bits(vocab->words());
  uint64_t seed = 7;
  for (int i = 0; i < 400; ++i) {
    ASSERT_GT(matcher.mask(bits), 0);
    seed = seed * 6364136223846793005 + 1442695040888963407;
    ASSERT_TRUE(matcher.accept(seed >> 60 & 1 ? 'a' : 'b'));
    ASSERT_LT(matcher.bytes(), size_t{1} << 19);
    ASSERT_LT(masks->bytes(), size_t{1} << 19);
  }
  matcher.rollback(200);
  EXPECT_GT(matcher.mask(bits), 0);
}

}  // namespace
}  // namespace jevons
