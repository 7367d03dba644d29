#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/json.h"
#include "base/strings.h"

namespace jevons {
namespace {

using Merges = std::vector<std::pair<std::string, std::string>>;

// A tokenizer over the bytes a..z, space and the merges given. Ids: a..z = 0..25, space 26, then the merges in order.
struct Small {
  Json json = Json::object();
  explicit Small(Merges merges = {{"a", "b"}, {"ab", "c"}, {"b", "c"}}) {
    Json vocab = Json::object(), list = Json::array();
    int id = 0;
    for (char c = 'a'; c <= 'z'; ++c) vocab[std::string(1, c)] = id++;
    vocab["Ġ"] = id++;
    for (const auto& [a, b] : merges) {
      vocab[a + b] = id++;
      list.push_back(a + " " + b);
    }
    json["model"]["type"] = "BPE";
    json["model"]["vocab"] = vocab;
    json["model"]["merges"] = list;
    json["pre_tokenizer"]["type"] = "ByteLevel";
    json["pre_tokenizer"]["add_prefix_space"] = false;
  }
  void add(int64_t id, std::string content, bool special = true) {
    json["added_tokens"].push_back(Json::Object{{"id", id}, {"content", std::move(content)}, {"special", special}});
  }
  Result<Tokenizer> load(std::string_view config = {}) const { return Tokenizer::from_json(json.dump(), config); }
  std::string error(std::string_view config = {}) const {
    const auto result = load(config);
    return result.ok() ? "" : result.error().message();
  }
};

using Ids = std::vector<int32_t>;

TEST(Tokenizer, MergesByRankLeftmostFirst) {
  const Tokenizer t = Small().load().value();
  EXPECT_EQ(t.encode("abc"), (Ids{28}));
  EXPECT_EQ(t.encode("bc"), (Ids{29}));
  EXPECT_EQ(t.encode("xabcbcb"), (Ids{23, 28, 29, 1}));
  EXPECT_EQ(t.encode(""), Ids{});
  // Of equal ranks the leftmost pair goes first: aaa = aa a. The same through the heap that long words use.
  const Tokenizer a = Small(Merges{{"a", "a"}}).load().value();
  EXPECT_EQ(a.encode("aaa"), (Ids{27, 0}));
  Ids pairs(100, 27);
  pairs.push_back(0);
  EXPECT_EQ(a.encode(std::string(201, 'a')), pairs);
}

TEST(Tokenizer, ShortAndLongWordsMergeAlike) {
  const Tokenizer t =
      Small({{"a", "b"}, {"b", "a"}, {"ab", "ab"}, {"ba", "b"}, {"abab", "a"}, {"c", "ab"}}).load().value();
  uint32_t state = 1;
  for (int round = 0; round < 200; ++round) {
    std::string word;
    for (int i = 0; i < 60; ++i) word += static_cast<char>('a' + (state = state * 1664525 + 1013904223) / 0x55555556);
    const Ids once = t.encode(word);
    // 'z' has no merge, so it keeps the parts of one long word apart.
    Ids twice = once;
    twice.push_back(25);
    twice.insert(twice.end(), once.begin(), once.end());
    EXPECT_EQ(t.encode(word + "z" + word), twice) << word;
  }
}

TEST(Tokenizer, AddedTokens) {
  Small small;
  small.add(30, "<x>");
  small.add(31, "<x>y", false);
  const Tokenizer t = small.load().value();
  EXPECT_EQ(t.vocab_size(), 32);
  EXPECT_EQ(t.encode("a<x>b<x>yb"), (Ids{0, 30, 1, 31, 1}));
  EXPECT_EQ(t.encode("a<x>yb", {.parse_special = false}), (Ids{0, 31, 1})) << "only special ones become text";
  EXPECT_TRUE(t.is_special(30));
  EXPECT_FALSE(t.is_special(31));
  EXPECT_FALSE(t.is_special(-1));
  EXPECT_EQ(t.decode(Ids{0, 30, 1}), "a<x>b");
  EXPECT_EQ(t.decode(Ids{0, 30, 1}, true), "ab");
  EXPECT_EQ(t.find("<x>"), 30);
  EXPECT_EQ(t.find("abc"), 28);
  EXPECT_EQ(t.find(" "), 26);
  EXPECT_EQ(t.find("nothing"), std::nullopt);
  EXPECT_EQ(t.token_bytes(26), " ");
  EXPECT_EQ(t.missing_bytes(), 256 - 27);
  EXPECT_THROW(t.token_bytes(32), Error);
  EXPECT_THROW(t.decode(Ids{-1}), Error);
}

TEST(Tokenizer, BosFromTemplateAndConfig) {
  Small small;
  small.add(30, "<s>");
  EXPECT_EQ(small.load().value().bos(), std::nullopt);
  const Tokenizer config =
      small.load(R"({"bos_token":{"content":"<s>"},"eos_token":"<s>","add_bos_token":true})").value();
  EXPECT_EQ(config.bos(), 30);
  EXPECT_EQ(config.eos(), Ids{30});
  EXPECT_TRUE(config.adds_bos());
  EXPECT_EQ(config.encode("a"), Ids{0});
  EXPECT_EQ(config.encode("a", {.add_bos = true}), (Ids{30, 0}));
  small.json["post_processor"] =
      Json::parse(R"({"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>"}},{"Sequence":{"id":"A"}}],
                      "special_tokens":{"<s>":{"id":"<s>","ids":[30]}}})")
          .value();
  EXPECT_TRUE(small.load().value().adds_bos());
  EXPECT_EQ(small.load().value().bos(), 30);
}

TEST(Tokenizer, StreamHoldsBackCutCharacters) {
  Small small;
  for (const auto& [id, letter] : {std::pair{30, "â"}, {31, "Ĥ"}, {32, "¬"}}) small.json["model"]["vocab"][letter] = id;
  const Tokenizer t = small.load().value();
  ASSERT_EQ(t.token_bytes(30), "\xe2");
  StreamDecoder stream(t);
  EXPECT_EQ(stream.push(0), "a");
  EXPECT_EQ(stream.push(30), "");
  EXPECT_EQ(stream.push(31), "");
  EXPECT_EQ(stream.push(32), "€");
  EXPECT_EQ(stream.push(30), "");
  EXPECT_EQ(stream.push(0),
            "\xe2"
            "a")
      << "can no longer become valid";
  EXPECT_EQ(stream.push(31), "\x82");
  EXPECT_EQ(stream.push(30), "");
  EXPECT_EQ(stream.flush(), "\xe2");
  EXPECT_EQ(stream.flush(), "");
  EXPECT_EQ(t.decode(t.encode("\xe2\x82")), "\xe2\x82");
}

TEST(Tokenizer, ThreadsShareOne) {
  const Tokenizer t = Small().load().value();
  std::vector<std::thread> threads;
  std::vector<Ids> out(4);
  for (Ids& ids : out)
    threads.emplace_back([&t, &ids] {
      for (int i = 0; i < 500; ++i) ids = t.encode("abc bc ab " + std::string(70, 'a'));
    });
  for (auto& thread : threads) thread.join();
  for (const Ids& ids : out) EXPECT_EQ(ids, out[0]);
}

TEST(Tokenizer, RefusesByName) {
  const auto with = [](auto&& change) {
    Small small;
    change(small.json);
    return small.error();
  };
  const auto contains = [](const std::string& message, const std::string& part) {
    EXPECT_NE(message.find(part), std::string::npos) << "message: " << message << "\nexpected in it: " << part;
  };
  contains(with([](Json& j) { j["model"]["type"] = "Unigram"; }), "type \"Unigram\" is not supported; expected BPE");
  contains(with([](Json& j) { j["model"]["byte_fallback"] = true; }), "byte_fallback");
  contains(with([](Json& j) { j["model"]["dropout"] = 0.1; }), "dropout 0.1");
  contains(with([](Json& j) { j["model"]["end_of_word_suffix"] = "</w>"; }), "end_of_word_suffix");
  contains(with([](Json& j) { j["model"]["unk_token"] = "<unk>"; }), "\"<unk>\" is not in the vocabulary");
  contains(with([](Json& j) { j["model"]["vocab"]["dup"] = 3; }), "share the id 3");
  contains(with([](Json& j) { j["model"]["vocab"]["big"] = int64_t{1} << 40; }), "lies outside");
  contains(with([](Json& j) { j["model"]["vocab"]["neg"] = -1; }), "lies outside");
  contains(with([](Json& j) { j["model"]["vocab"]["s"] = "x"; }), "expected an integer");
  contains(with([](Json& j) { j["model"]["merges"].push_back("a"); }), "entry 3 is \"a\"");
  contains(with([](Json& j) { j["model"]["merges"].push_back("a z"); }), "needs the token \"az\"");
  contains(with([](Json& j) { j["model"]["merges"].push_back(Json::Array{"a", "b", "c"}); }), "not a pair");
  contains(with([](Json& j) { j["pre_tokenizer"]["type"] = "Metaspace"; }), "type \"Metaspace\" is not supported");
  contains(with([](Json& j) { j["pre_tokenizer"] = nullptr; }), "there is none");
  contains(with([](Json& j) { j["normalizer"]["type"] = "Prepend"; }), "type \"Prepend\" is not supported");
  contains(with([](Json& j) { j["decoder"]["type"] = "WordPiece"; }), "type \"WordPiece\" is not supported");
  contains(with([](Json& j) { j["post_processor"]["type"] = "BertProcessing"; }),
           "type \"BertProcessing\" is not supported");
  contains(with([](Json& j) { j["truncation"]["max_length"] = 5; }), "truncation is set");
  contains(with([](Json& j) { j["added_tokens"] = 7; }), "expected an array");
  contains(Tokenizer::from_json("{").error().message(), "tokenizer.json: not valid JSON at byte");
  contains(Tokenizer::from_json("[]").error().message(), "expected an object");
  contains(Tokenizer::from_json("{}").error().message(), "the field \"model\" is missing");
  Small twice;
  twice.add(40, "<x>"), twice.add(41, "<x>");
  contains(twice.error(), "has the id 41 here and 40 elsewhere");
  contains(Small().error(R"({"eos_token":"<e>"})"), "eos_token \"<e>\" is not in the vocabulary");
}

TEST(Tokenizer, GgufPartsAreChecked) {
  GgufVocab good;
  good.model = "gpt2", good.pre = "gpt-2";
  good.tokens = {"a", "b", "ab", "<s>"}, good.types = {1, 1, 1, 3}, good.merges = {"a b"}, good.bos = 3,
  good.add_bos = true;
  const Tokenizer t = Tokenizer::from_gguf_parts(good).value();
  EXPECT_EQ(t.encode("ab<s>b", {.add_bos = t.adds_bos()}), (Ids{3, 2, 3, 1}));
  const auto error = [&](auto&& change) {
    GgufVocab bad = good;
    change(bad);
    const auto result = Tokenizer::from_gguf_parts(std::move(bad));
    return result.ok() ? std::string() : result.error().message();
  };
  const auto contains = [](const std::string& message, const std::string& part) {
    EXPECT_NE(message.find(part), std::string::npos) << "message: " << message << "\nexpected in it: " << part;
  };
  contains(error([](GgufVocab& v) { v.model = "llama"; }), "\"llama\" is not supported; expected gpt2");
  contains(error([](GgufVocab& v) { v.pre = "tekken"; }), "\"tekken\" is not a known pre-tokenizer; known are gpt-2");
  contains(error([](GgufVocab& v) { v.types.pop_back(); }), "has 3 entries");
  contains(error([](GgufVocab& v) { v.types[0] = 9; }), "has type 9");
  contains(error([](GgufVocab& v) { v.merges.push_back("b b"); }), "needs the token \"bb\"");
  contains(error([](GgufVocab& v) { v.bos = 4; }), "id 4 lies outside the vocabulary of 4");
  contains(error([](GgufVocab& v) { v.eot = -5; }), "-5 lies outside");
  contains(error([](GgufVocab& v) { v.tokens[1] = "a"; }), "appears twice");
}

}  // namespace
}  // namespace jevons
