// What the grammar of calls produces, the parser of calls reads; and nothing else is produced.
#include "text/tool_grammar.h"

#include <gtest/gtest.h>

#include "base/strings.h"
#include "text/grammar/matcher.h"

namespace jevons {
namespace {

const std::vector<std::string> kNames = {"add", "ask_\"x\""};

std::vector<CallableFunction> functions() {
  const auto grammar = [](const char* schema) {
    return Grammar::from_json_schema(Json::parse(schema).value()).value();
  };
  return {
      {kNames[0], grammar(R"({"type":"object","properties":{"a":{"type":"integer","minimum":0,"maximum":99}},
                                 "required":["a"],"additionalProperties":false})")},
      {kNames[1], grammar(R"({"type":"object","properties":{"q":{"enum":["x","y}"]}},"additionalProperties":false})")}};
}

GrammarPtr grammar(ToolFormat format, bool required, bool several) {
  return tool_grammar(format, functions(), {.required = required, .several = several}).value();
}

// A walk at random through the masks, of bytes; it ends where it may, sooner or later. Empty if it found no end.
std::string random_text(const GrammarPtr& grammar, uint64_t seed) {
  std::vector<std::string> tokens(257);
  for (int b = 0; b < 256; ++b) tokens[static_cast<size_t>(b)] = std::string(1, static_cast<char>(b));
  GrammarMatcher matcher(
      std::make_shared<TokenMasks>(grammar, std::make_shared<GrammarVocab>(tokens, std::vector<int32_t>{256})));
  std::vector<uint64_t> bits(matcher.vocab().words());
  const auto random = [&](size_t n) {
    seed = seed * 6364136223846793005 + 1442695040888963407;
    return (seed >> 33) % n;
  };
  std::string text;
  while (text.size() < 2000) {
    EXPECT_GT(matcher.mask(bits), 0) << text;
    if (matcher.over() || (matcher.complete() && random(2) == 0)) return text;
    std::vector<int32_t> choices;
    for (int32_t b = 0; b < 256; ++b)
      if (bits[static_cast<size_t>(b) >> 6] >> (b & 63) & 1) choices.push_back(b);
    const int32_t byte = choices[random(choices.size())];
    EXPECT_TRUE(matcher.accept(byte));
    text += static_cast<char>(byte);
  }
  return {};
}

TEST(ToolGrammar, RequiredCallsAreReadByTheParser) {
  for (const ToolFormat format :
       {ToolFormat::hermes, ToolFormat::deepseek, ToolFormat::deepseek_plain, ToolFormat::llama})
    for (const bool several : {false, true}) {
      const GrammarPtr g = grammar(format, true, several);
      size_t most = 0;
      for (uint64_t seed = 0; seed < 60; ++seed) {
        const std::string text = random_text(g, seed);
        ASSERT_FALSE(text.empty());
        ToolCallParser parser(format, kNames);
        std::vector<ToolEvent> events = parser.push(text);
        for (ToolEvent& e : parser.finish()) events.push_back(std::move(e));
        std::vector<std::pair<std::string, std::string>> calls;
        for (const ToolEvent& e : events) {
          EXPECT_NE(e.kind, ToolEvent::Kind::text) << text;
          EXPECT_TRUE(e.whole) << text;
          if (e.kind == ToolEvent::Kind::begin) calls.push_back({e.text, ""});
          if (e.kind == ToolEvent::Kind::arguments) calls.back().second += e.text;
        }
        ASSERT_GE(calls.size(), 1u) << text;
        most = std::max(most, calls.size());
        for (const auto& [name, arguments] : calls) {
          const Json value = Json::parse(arguments).value();
          EXPECT_TRUE(name == kNames[0] ? value.at("a").as_int() <= 99 : value.size() == 0 || value.at("q").is_string())
              << text;
        }
      }
      EXPECT_EQ(most > 1, several);
    }
}

TEST(ToolGrammar, CallsInTextMustFit) {
  const std::string one = "<tool_call>\n{\"name\": \"add\", \"arguments\": {\"a\":7}}\n</tool_call>";
  const std::string bad = "<tool_call>\n{\"name\": \"add\", \"arguments\": {\"a\":700}}\n</tool_call>";
  const GrammarPtr hermes = grammar(ToolFormat::hermes, false, true);
  for (const std::string& text : {std::string(), std::string("Hello <tool"), one, "Well. " + one + "\n" + one + " so"})
    EXPECT_TRUE(hermes->matches(text)) << text;
  for (const std::string& text : {bad, "x" + bad, one.substr(0, 40), one + bad})
    EXPECT_FALSE(hermes->matches(text)) << text;
  EXPECT_FALSE(grammar(ToolFormat::hermes, false, false)->matches(one + one));

  const GrammarPtr llama = grammar(ToolFormat::llama, false, true);
  const std::string call = "{\"name\": \"add\", \"parameters\": {\"a\":7}}";
  for (const std::string& text :
       {std::string(), std::string(" \n"), std::string("Hi {\"name\""), call, "\n" + call, "<|python_tag|>" + call,
        "so: <|python_tag|>" + call, call + "; " + call, std::string("<b>x</b>")})
    EXPECT_TRUE(llama->matches(text)) << text;
  for (const std::string& text : {std::string("{"), std::string("{ \"name\": \"add\", \"parameters\": {\"a\":700}}"),
                                  std::string("a <|python_tag|>b"), call + " and"})
    EXPECT_FALSE(llama->matches(text)) << text;

  const GrammarPtr deepseek = grammar(ToolFormat::deepseek_plain, false, true);
  const std::string plain = "<｜tool▁call▁begin｜>add<｜tool▁sep｜>{\"a\":7}<｜tool▁call▁end｜>";
  for (const std::string& text :
       {std::string("Hi"), plain, "Hi<｜tool▁calls▁begin｜>" + plain + plain + "<｜tool▁calls▁end｜>"})
    EXPECT_TRUE(deepseek->matches(text)) << text;
  EXPECT_FALSE(deepseek->matches("<｜tool▁calls▁begin｜><｜tool▁calls▁end｜>"));
}

}  // namespace
}  // namespace jevons
