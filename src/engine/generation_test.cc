// What a sequence's tokens become, fed by hand: the same fields for every way of cutting a text into tokens.
#include "engine/generation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "base/file.h"
#include "models/checkpoint.h"
#include "text/grammar/builder.h"

namespace jevons {
namespace {

const Tokenizer& tokenizer() {
  static const Tokenizer t =
      *Checkpoint::open(std::filesystem::path(JEVONS_SOURCE_DIR) / "tests/golden/gguf/llama_f16.gguf")->tokenizer();
  return t;
}

std::vector<int32_t> encode(std::string_view text) {
  return tokenizer().encode(text, {.parse_special = true, .add_bos = false});
}
std::vector<int32_t> byte_by_byte(std::string_view text) {
  std::vector<int32_t> ids;
  for (char c : text)
    for (int32_t id : encode({&c, 1})) ids.push_back(id);
  return ids;
}

struct Outcome {
  Generated result;
  std::string streamed_text, streamed_thought;
  std::vector<TokenChoice> choices;
};

// Feeds ids as if they were drawn, and forced ones as an engine does, until the verdict says stop.
Outcome feed(const std::vector<int32_t>& ids, const GenerateOptions& options, int64_t room = 1 << 20,
             const std::function<Interrupt()>& interrupted = {}, const std::vector<float>& logits = {}) {
  Outcome out;
  Generation generation(
      tokenizer(), options, room,
      [&](const Piece& piece) {
        out.streamed_text += piece.text;
        out.streamed_thought += piece.reasoning;
        out.choices.insert(out.choices.end(), piece.tokens.begin(), piece.tokens.end());
      },
      interrupted);
  const Request request = generation.request({1, 2, 3}, {});
  for (int32_t id : ids) {
    std::vector<float> copy = logits;
    if (request.on_logits) request.on_logits(copy);
    Verdict verdict = request.on_token(id, true);
    for (size_t i = 0; i < verdict.force.size() && !verdict.stop; ++i)
      verdict.stop = request.on_token(verdict.force[i], false).stop;
    if (verdict.stop) break;
  }
  out.result = generation.finish();
  EXPECT_EQ(out.result.text, out.streamed_text);
  EXPECT_EQ(out.result.reasoning, out.streamed_thought);
  return out;
}

TEST(Generation, StopStringsDoNotDependOnTheSplit) {
  struct Case {
    std::string text;
    std::vector<std::string> stops;
    std::string expected, hit;
  };
  const Case cases[] = {{"one two three", {"two"}, "one ", "two"},
                        {"one two", {"two!"}, "one two", ""},
                        {"xabcy", {"b", "abc"}, "xa", "b"},    // b is complete first
                        {"xabcy", {"bc", "abc"}, "x", "abc"},  // both end there: the longest
                        {"aaab", {"aab"}, "a", "aab"},         // a held beginning that goes on
                        {"\nUser\nUser:", {"\nUser:"}, "\nUser", "\nUser:"},
                        {"grüße", {"üß"}, "gr", "üß"}};
  for (const Case& c : cases)
    for (const auto& ids : {encode(c.text), byte_by_byte(c.text)}) {
      const Outcome out = feed(ids, {.stop = c.stops});
      EXPECT_EQ(out.result.text, c.expected) << c.text;
      EXPECT_EQ(out.result.stop_string, c.hit) << c.text;
    }
}

TEST(Generation, StreamsWholeCharactersOnly) {
  const std::string text = "a\xF0\x9F\x98\x80\xE2\x82\xAC";
  Generation generation(tokenizer(), {}, 100, [](const Piece& piece) {
    const std::string t(piece.text);
    EXPECT_TRUE(t == "a" || t == "\xF0\x9F\x98\x80" || t == "\xE2\x82\xAC") << t;
  });
  const Request request = generation.request({1}, {});
  for (int32_t id : byte_by_byte(text)) request.on_token(id, true);
  EXPECT_EQ(generation.finish().text, text);
}

TEST(Generation, BudgetClosesTheThoughtAndTheAnswerFollows) {
  GenerateOptions options{.starts_in_thought = true, .thought_budget = 5};
  const Outcome out = feed(byte_by_byte("0123456789"), options);
  EXPECT_EQ(out.result.reasoning, "01234");
  EXPECT_EQ(out.result.text, "56789");
  EXPECT_TRUE(out.result.thought_cut);
}

TEST(Generation, TheThoughtLeavesTheAnswerItsAllowance) {
  GenerateOptions options{.max_tokens = 60, .starts_in_thought = true, .answer_allowance = 30};
  const Outcome out = feed(byte_by_byte(std::string(100, 'x')), options);
  EXPECT_EQ(out.result.reasoning, std::string(30, 'x'));
  EXPECT_EQ(out.result.tokens.size(), 60u);
  EXPECT_EQ(out.result.finish, Finish::length);
  EXPECT_GT(out.result.text.size(), 10u);
  // Without max_tokens the room of the context counts.
  options.max_tokens = 0;
  EXPECT_EQ(feed(byte_by_byte(std::string(100, 'x')), options, 40).result.reasoning, std::string(10, 'x'));
}

TEST(Generation, ALoopInTheThoughtIsClosed) {
  GenerateOptions options{.starts_in_thought = true, .break_loops = true};
  std::string text = "Let me see. ";
  for (int i = 0; i < 60; ++i) text += "Wait, ";
  const Outcome out = feed(byte_by_byte(text), options);
  EXPECT_TRUE(out.result.loop_closed);
  EXPECT_LT(out.result.reasoning.size(), 150u);
  options.break_loops = false;
  EXPECT_FALSE(feed(byte_by_byte(text), options).result.loop_closed);
  // Prose, and digits that only look alike, go on.
  options.break_loops = true;
  std::string prose;
  for (int i = 0; i < 300; ++i) prose += std::to_string(i * i) + ", ";
  EXPECT_FALSE(feed(byte_by_byte(prose), options).result.loop_closed);
}

TEST(Generation, AnswerNowAndStop) {
  int tokens = 0;
  GenerateOptions options{.starts_in_thought = true};
  const Outcome now = feed(byte_by_byte("0123456789"), options, 1000,
                           [&] { return ++tokens == 3 ? Interrupt::end_thought : Interrupt::none; });
  EXPECT_EQ(now.result.reasoning, "012");
  EXPECT_EQ(now.result.text, "3456789");
  tokens = 0;
  const Outcome all = feed(byte_by_byte("0123456789"), options, 1000,
                           [&] { return ++tokens == 3 ? Interrupt::end_all : Interrupt::none; });
  EXPECT_EQ(all.result.finish, Finish::interrupted);
  EXPECT_EQ(all.result.reasoning, "012");
}

TEST(Generation, LogprobsCoverEveryToken) {
  const std::vector<int32_t> ids = byte_by_byte("ab</think>cd");
  std::vector<float> logits(static_cast<size_t>(tokenizer().vocab_size()), -20.f);
  logits[static_cast<size_t>(ids[0])] = 1;
  logits[static_cast<size_t>(ids[1])] = 1;
  GenerateOptions options{.starts_in_thought = true, .logprobs = 2};
  const Outcome out = feed(ids, options, 1000, {}, logits);
  ASSERT_EQ(out.choices.size(), ids.size());
  EXPECT_NEAR(out.choices[0].logprob, -std::log(2), 1e-4);
  EXPECT_NEAR(out.choices[0].entropy, std::log(2), 1e-4);
  ASSERT_EQ(out.choices[0].likeliest.size(), 2u);
  EXPECT_EQ(out.choices[0].likeliest[0].first, std::min(ids[0], ids[1]));
  EXPECT_TRUE(out.choices.front().thought);
  EXPECT_FALSE(out.choices.back().thought);
}

std::shared_ptr<TokenMasks> masks(const GrammarPtr& grammar, const std::vector<int32_t>& ends) {
  std::vector<int32_t> tag;
  if (const auto id = tokenizer().find("</think>")) tag.push_back(*id);
  return std::make_shared<TokenMasks>(grammar,
                                      std::make_shared<GrammarVocab>(tokenizer(), tag, ends, tokenizer().vocab_size()));
}

// The grammar's text ends the answer where nothing may follow it; before, only fitting tokens keep their logits.
TEST(Generation, AGrammarMasksAndEndsTheAnswer) {
  GenerateOptions options;
  options.grammar = masks(Grammar::from_regex("ab{1,2}").value(), {});
  const Outcome out = feed(byte_by_byte("abbb"), options, 100, {}, std::vector<float>(500));
  EXPECT_EQ(out.result.text, "abb");
  EXPECT_EQ(out.result.finish, Finish::stop);
  EXPECT_FALSE(out.result.stuck);

  Generation generation(tokenizer(), options, 100, {});
  const Request request = generation.request({1}, {});
  std::vector<float> logits(static_cast<size_t>(tokenizer().vocab_size()));
  request.on_logits(logits);
  for (size_t id = 0; id < logits.size(); ++id)
    EXPECT_EQ(logits[id] == 0, std::string("abb").starts_with(tokenizer().token_bytes(static_cast<int32_t>(id))) &&
                                   !tokenizer().token_bytes(static_cast<int32_t>(id)).empty())
        << id;
}

TEST(Generation, ATokenThatDoesNotFitEndsItAsStuck) {
  GenerateOptions options;
  options.grammar = masks(Grammar::from_regex("ab").value(), {});
  const Outcome out = feed(byte_by_byte("ax"), options, 100, {}, std::vector<float>(500));
  EXPECT_EQ(out.result.text, "a");
  EXPECT_TRUE(out.result.stuck);
}

// A thought is free, can be closed from outside, and the answer behind it fits.
TEST(Generation, AGrammarBehindAThought) {
  GenerateOptions options{.starts_in_thought = true, .thought_budget = 4};
  GrammarBuilder b;
  const auto answer = b.sequence({b.repeat(b.text("\n"), 0, 2), b.grammar(Grammar::from_regex("[0-9]{2}").value())});
  options.grammar = masks(Grammar::after("</think>", b.build(answer).value()).value(), {});
  const Outcome out = feed(byte_by_byte("abcd123"), options, 100, {}, std::vector<float>(500));
  EXPECT_EQ(out.result.reasoning, "abcd");
  EXPECT_EQ(out.result.text, "12");
  EXPECT_EQ(out.result.finish, Finish::stop);
}

}  // namespace
}  // namespace jevons
