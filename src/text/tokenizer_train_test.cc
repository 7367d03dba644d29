// Learning a tokenizer: the merges of the Hugging Face library's trainer on small texts (tools/train_bpe_oracle.py),
// and those of a trainer that counts everything anew for each merge; files in every form; what is refused.
#include "text/tokenizer_train.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <random>

#include "base/file.h"
#include "base/json.h"
#include "base/strings.h"
#include "text/byte_alphabet.h"
#include "text/chat_template.h"
#include "text/text_files.h"
#include "text/tokenizer_file.h"

namespace jevons {
namespace {

namespace fs = std::filesystem;

class TokenizerTrain : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/jevons_tokenizer_train_XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder = pattern;
  }
  void TearDown() override { fs::remove_all(folder); }
  std::string put(const std::string& name, std::string_view text) {
    EXPECT_TRUE(write_file(folder / name, text).ok());
    return (folder / name).string();
  }
  Result<TrainedTokenizer> train(const TokenizerRecipe& recipe, const std::vector<std::string>& texts,
                                 int threads = 1) {
    Exec exec(threads);
    return train_tokenizer(recipe, texts, exec);
  }
  std::string error(const TokenizerRecipe& recipe, const std::vector<std::string>& texts) {
    const auto result = train(recipe, texts);
    return result.ok() ? "no error" : result.error().message();
  }
  fs::path folder;
};

// A text of words with all kinds of neighbours.
std::string some_text(size_t words, uint32_t seed) {
  std::mt19937 random(seed);
  const char* const parts[] = {"ba", "na", "the ", "ing", "aaa", " ", "\n", "é", "中", "42", ".", "ab", "--", "'s "};
  std::string out;
  for (size_t i = 0; i < words; ++i) out += parts[random() % std::size(parts)];
  return out;
}

TEST_F(TokenizerTrain, MergesAreThoseOfTheLibrary) {
  const std::string path = std::string(JEVONS_SOURCE_DIR) + "/tests/golden/tokenizers/training.json";
  const Json golden = Json::parse(read_file(path).value()).value();
  for (const Json& wanted : golden.at("cases").as_array()) {
    TokenizerRecipe recipe{.vocab = wanted.at("vocab").as_int()};
    for (const Json& token : wanted.at("special").as_array()) recipe.special.push_back(token.as_string());
    const TrainedTokenizer got = train(recipe, {put("text.txt", wanted.at("text").as_string())}).value();
    const Json file = Json::parse(got.tokenizer_json()).value();
    EXPECT_EQ(file.at("model").at("merges"), wanted.at("merges"));
    EXPECT_EQ(got.vocab(), wanted.at("size").as_int());
    EXPECT_EQ(static_cast<int64_t>(file.at("model").at("vocab").size()), got.vocab());
  }
}

// The definition, without books kept: counts all pairs of all words for every merge.
std::vector<std::pair<int32_t, int32_t>> learn_slowly(const WordCounts& words, size_t limit, uint64_t min_count) {
  std::map<uint8_t, int32_t> symbol_of;
  for (int32_t s = 0; s < 256; ++s) symbol_of[byte_of_symbol(s)] = s;
  std::vector<std::vector<int32_t>> parts(words.size());
  for (size_t i = 0; i < words.size(); ++i)
    for (const char c : words.word(i)) parts[i].push_back(symbol_of[static_cast<uint8_t>(c)]);
  std::vector<std::pair<int32_t, int32_t>> merges;
  while (merges.size() < limit) {
    std::map<std::pair<int32_t, int32_t>, uint64_t> counts;
    for (size_t i = 0; i < parts.size(); ++i)
      for (size_t j = 1; j < parts[i].size(); ++j) counts[{parts[i][j - 1], parts[i][j]}] += words.count(i);
    std::pair<int32_t, int32_t> best;
    uint64_t most = 0;
    for (const auto& [pair, count] : counts)
      if (count > most) best = pair, most = count;  // in ascending order: the first of equals stays
    if (most < min_count) break;
    for (auto& part : parts) {
      std::vector<int32_t> out;
      for (size_t j = 0; j < part.size(); ++j) {
        const bool here = j + 1 < part.size() && part[j] == best.first && part[j + 1] == best.second;
        out.push_back(here ? static_cast<int32_t>(256 + merges.size()) : part[j]);
        j += here;
      }
      part = out;
    }
    merges.push_back(best);
  }
  return merges;
}

TEST(LearnMerges, EqualCountingEverythingAnew) {
  std::mt19937 random(5);
  for (int round = 0; round < 30; ++round) {
    WordCounts words;
    const int letters = 1 + round % 4;
    for (int i = 0; i < 60; ++i) {
      std::string word;
      for (size_t n = 1 + random() % 12; n > 0; --n) word += static_cast<char>('a' + random() % letters);
      words.add(word, 1 + random() % 5);
    }
    const uint64_t least = 1 + round % 3;
    EXPECT_EQ(learn_merges(words, 80, least).merges, learn_slowly(words, 80, least)) << "round " << round;
  }
}

TEST(LearnMerges, TiesGoToTheSmallerPair) {
  WordCounts words;
  for (const char* word : {"cd", "ab", "ba", " z"}) words.add(word, 3);
  std::string got;
  for (const auto& [left, right] : learn_merges(words, 10, 2).merges)
    got += cat(static_cast<char>(byte_of_symbol(left)), static_cast<char>(byte_of_symbol(right)), ",");
  EXPECT_EQ(got, "ab,ba,cd, z,");  // the letter of a space, U+0120, comes after those of ASCII
  WordCounts run;
  run.add("aaaaa");
  const LearnedMerges merges = learn_merges(run, 10, 2);
  EXPECT_EQ(merges.merges.size(), 1u);  // a a counts four times; then aa aa and aa a once each
  EXPECT_EQ(merges.tokens, 3u);
}

TEST(WordCounts, AddAndMerge) {
  WordCounts a, b;
  for (int i = 0; i < 5000; ++i) a.add(cat("word", i % 700)), b.add(cat("word", i % 900), 2);
  a.add(b);
  ASSERT_EQ(a.size(), 900u);
  uint64_t sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a.count(i);
  EXPECT_EQ(sum, 15000u);
  EXPECT_EQ(a.word(0), "word0");
  EXPECT_EQ(a.count(0), 8u + 2 * 6u);  // 5000 / 700 and 5000 / 900, rounded up
}

TEST_F(TokenizerTrain, EncodesAsItCounted) {
  const std::string text = some_text(20000, 1);
  const TokenizerRecipe recipe{.vocab = 700};
  const TrainedTokenizer trained = train(recipe, {put("text.txt", text)}).value();
  put("tokenizer.json", trained.tokenizer_json());
  put("tokenizer_config.json", trained.tokenizer_config_json());
  const Tokenizer tokenizer = load_tokenizer(folder).value();
  const std::vector<int32_t> ids = tokenizer.encode(text);
  EXPECT_EQ(ids.size(), trained.learned.tokens);
  EXPECT_EQ(tokenizer.decode(ids), text);
  EXPECT_EQ(trained.bytes, text.size());
  EXPECT_EQ(tokenizer.vocab_size(), 700);
  EXPECT_EQ(tokenizer.missing_bytes(), 0);
  for (int32_t id = 0; id < 700; ++id) {  // no token holds two digits
    const std::string_view bytes = tokenizer.token_bytes(id);
    EXPECT_LE(std::ranges::count_if(bytes, [](char c) { return c >= '0' && c <= '9'; }), bytes.size() == 1 ? 1 : 0);
  }
  EXPECT_EQ(tokenizer.encode("1234567").size(), 7u);
}

TEST_F(TokenizerTrain, WritesSpecialTokensAndATemplate) {
  const TokenizerRecipe recipe{.vocab = 300, .special = {"<|tool|>"}};
  const TrainedTokenizer trained = train(recipe, {put("text.txt", some_text(2000, 2))}).value();
  const Tokenizer t = Tokenizer::from_json(trained.tokenizer_json(), trained.tokenizer_config_json()).value();
  EXPECT_EQ(t.bos(), 0);
  EXPECT_EQ(t.eos(), std::vector<int32_t>{1});
  EXPECT_EQ(t.pad(), 2);
  EXPECT_TRUE(t.adds_bos());
  EXPECT_EQ(t.encode("<｜User｜><｜Assistant｜><think></think><|tool|>"), (std::vector<int32_t>{3, 4, 5, 6, 7}));
  EXPECT_TRUE(t.is_special(3) && t.is_special(7));
  EXPECT_FALSE(t.is_special(5) || t.is_special(6));  // thoughts are shown
  EXPECT_EQ(t.token_bytes(8), "!");
  const Json config = Json::parse(trained.tokenizer_config_json()).value();
  const auto chat = ChatTemplate::parse(config.at("chat_template").as_string(),
                                        Json::Object{{"bos_token", kUsualTokens[0]}, {"eos_token", kUsualTokens[1]}});
  ASSERT_TRUE(chat.ok()) << chat.error().message();
  const Json messages = Json::parse(R"([{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"},
      {"role":"assistant","content":"<think>hm</think>Hello"},{"role":"user","content":"Bye"}])")
                            .value();
  EXPECT_EQ(chat->render(messages, {}, true, {}, 0).value(),
            "<｜begin▁of▁sentence｜>Be "
            "brief.<｜User｜>Hi<｜Assistant｜>Hello<｜end▁of▁sentence｜><｜User｜>Bye<｜Assistant｜>");
}

TEST_F(TokenizerTrain, ThreadsAndPartsDoNotMatter) {
  std::string text;
  while (text.size() < 2 * TextFiles::kPart + 1000) text += some_text(20000, 3) + "\n";  // several parts
  const std::string one = put("one.txt", text);
  const TokenizerRecipe recipe{.vocab = 400};
  const TrainedTokenizer wanted = train(recipe, {one}, 1).value();
  EXPECT_EQ(wanted.bytes, text.size());
  EXPECT_EQ(train(recipe, {one}, 3)->tokenizer_json(), wanted.tokenizer_json());
  const Tokenizer tokenizer = Tokenizer::from_json(wanted.tokenizer_json()).value();
  EXPECT_EQ(tokenizer.encode(text).size(), wanted.learned.tokens);  // no word was cut at the end of a part
}

TEST_F(TokenizerTrain, ReadsLinesOfJsonAndLeavesDocumentEndsOut) {
  const std::string text = some_text(3000, 4);
  const TokenizerRecipe recipe{.vocab = 330};
  const std::string wanted = train(recipe, {put("a.txt", text + text)})->tokenizer_json();
  const std::string line = Json(Json::Object{{"id", 1}, {"text", text}}).dump() + "\n";
  const TrainedTokenizer lines = train(recipe, {put("b.jsonl", line + "\n" + line)}).value();
  EXPECT_EQ(lines.bytes, 2 * text.size());
  EXPECT_EQ(lines.tokenizer_json(), wanted);
  const TrainedTokenizer ends = train(recipe, {put("c.txt", text + "<|endoftext|>" + text + "<|endoftext|>")}).value();
  EXPECT_EQ(ends.bytes, 2 * text.size());
  EXPECT_EQ(train({.vocab = 330, .document_end = "###"}, {put("d.txt", text + "###" + text)})->bytes, 2 * text.size());
}

TEST_F(TokenizerTrain, RefusesBadInput) {
  const std::string good = put("good.txt", some_text(500, 5)), empty = put("empty.txt", "");
  const auto has = [](const std::string& message, std::string_view words) {
    EXPECT_NE(message.find(words), std::string::npos) << message;
  };
  has(error({.vocab = 262}, {good}), "--vocab 262: expected 263");
  has(error({.vocab = 263, .special = {"<x>"}}, {good}), "expected 264");
  has(error({.vocab = 300, .special = {"<think>"}}, {good}), "has this token already");
  has(error({.vocab = 300, .special = {""}}, {good}), "at least one character");
  has(error({.vocab = 300, .special = {"a\nb"}}, {good}), "without control characters");
  has(error({.vocab = 300, .special = {"ab"}}, {put("cut.txt", "ababab")}), "no text in it");
  has(error({.vocab = 300}, {empty}), "empty.txt: no text in it");
  has(error({.vocab = 300}, {good, (folder / "none.txt").string()}), "none.txt: cannot open");
  has(error({.vocab = 300}, {folder.string()}), "is a folder, expected a file");
  has(error({.vocab = 300}, {put("latin1.txt", "abc\n\xe9t\xe9")}), "latin1.txt: byte 4 (\"\\xe9\") is not UTF-8");
  has(error({.vocab = 300}, {put("bad.jsonl", "{\"text\":\"a\"}\n{\"body\":\"b\"}\n")}),
      "bad.jsonl line 2: the object has no");
  has(error({.vocab = 300}, {put("worse.jsonl", "{\"text\":\"a\"}\n\n{\"text\n")}), "worse.jsonl line 3");
  has(error({.vocab = 300}, {put("cut.zst", std::string_view("\x28\xb5\x2f\xfd\x00", 5))}), "cut short");
  EXPECT_EQ(train({.vocab = 5000, .min_count = 2}, {good})->tokenizer_json(),
            train({.vocab = 9000, .min_count = 2}, {good})->tokenizer_json());  // the text gives no more
}

}  // namespace
}  // namespace jevons
