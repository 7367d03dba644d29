#include "text/thought.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/rng.h"

namespace jevons {
namespace {

struct Case {
  bool starts_in_thought;
  std::string text, reasoning, content;
};

const std::vector<Case> kCases = {
    {false, "", "", ""},
    {false, "plain answer", "", "plain answer"},
    {false, "\n\n plain", "", "\n\n plain"},
    {false, "<think>\nwhy\n</think>\n\nbecause", "why", "because"},
    {false, " \n<think>why</think>because", "why", "because"},
    {false, "<think></think>", "", ""},
    {false, "<think>\n</think>x", "", "x"},
    {false, "<think>\n\n</think>\n\n", "", ""},
    {false, "<think>\n\n\n</think>\n\nx\n\n", "\n", "x\n\n"},
    {false, "<think>never closed\n", "never closed\n", ""},
    {false, "<think>half </thi", "half </thi", ""},
    {false, "<thin", "", "<thin"},
    {false, "  <thin air", "", "  <thin air"},
    {false, "a <think>b</think>", "", "a <think>b</think>"},
    {false, "<think>a<think>b</think>c</think>d", "a<think>b", "c</think>d"},
    {false, "<think>\na\n\n</think>\n<think>b</think>", "a\n", "<think>b</think>"},
    {true, "why\n</think>\n\nbecause", "why", "because"},
    {true, "\nwhy</think>because", "why", "because"},
    {true, "</think>answer", "", "answer"},
    {true, "\n</think>\n", "", ""},
    {true, "a </ think> <</think>b", "a </ think> <", "b"},
    {true, "a\n<\n</\n</t\n</think>\n\nb\n", "a\n<\n</\n</t", "b\n"},
    {true, "", "", ""},
    {true, "\n", "", ""},
    {true, "all thought\n", "all thought\n", ""},
    {true, "</think></think>\n<think>", "", "</think>\n<think>"},
    {true, "ütf 🙂\n</think>\n\n中文", "ütf 🙂", "中文"},
};

struct Fields {
  std::string reasoning, content;
  bool operator==(const Fields&) const = default;
};

// The fields after pushing the parts in turn; no part of a tag may be visible on the way.
Fields parse(bool starts_in_thought, const std::vector<std::string>& parts) {
  ThoughtParser parser(starts_in_thought);
  Fields fields;
  const auto take = [&](const ThoughtParser::Piece& piece) {
    fields.reasoning += piece.reasoning;
    fields.content += piece.content;
  };
  for (const std::string& part : parts) take(parser.push(part));
  take(parser.finish());
  return fields;
}

TEST(ThoughtParser, WholeTexts) {
  for (const Case& c : kCases) {
    const Fields fields = parse(c.starts_in_thought, {c.text});
    EXPECT_EQ(fields.reasoning, c.reasoning) << c.text;
    EXPECT_EQ(fields.content, c.content) << c.text;
  }
}

TEST(ThoughtParser, EverySplitGivesTheSameFields) {
  uint64_t draws = 0;
  for (const Case& c : kCases) {
    const Fields whole{c.reasoning, c.content};
    std::vector<std::string> bytes;
    for (size_t i = 0; i <= c.text.size(); ++i) {
      EXPECT_EQ(parse(c.starts_in_thought, {c.text.substr(0, i), c.text.substr(i)}), whole) << c.text << " at " << i;
      for (size_t j = i; j <= c.text.size(); ++j)
        EXPECT_EQ(parse(c.starts_in_thought, {c.text.substr(0, i), c.text.substr(i, j - i), c.text.substr(j)}), whole)
            << c.text << " at " << i << ", " << j;
      if (i < c.text.size()) bytes.push_back(c.text.substr(i, 1));
    }
    EXPECT_EQ(parse(c.starts_in_thought, bytes), whole) << c.text;
    for (int round = 0; round < 50; ++round) {
      std::vector<std::string> parts;
      for (size_t at = 0; at < c.text.size();) {
        const size_t size = philox(1, draws++)[0] % 6;
        parts.push_back(c.text.substr(at, size));
        at += size;
      }
      EXPECT_EQ(parse(c.starts_in_thought, parts), whole) << c.text;
    }
  }
}

TEST(ThoughtParser, GivesTextOutAsSoonAsItIsCertain) {
  ThoughtParser parser(true);
  EXPECT_TRUE(parser.in_thought());
  EXPECT_EQ(parser.push("\nabc").reasoning, "abc");
  EXPECT_EQ(parser.push("d\n").reasoning, "d");
  EXPECT_EQ(parser.push("</thi").reasoning, "");
  EXPECT_EQ(parser.push("s").reasoning, "\n</this");
  EXPECT_TRUE(parser.in_thought());
  EXPECT_EQ(parser.push("</think>").reasoning, "");
  EXPECT_FALSE(parser.in_thought());
  EXPECT_EQ(parser.push("\n\n").content, "");
  EXPECT_EQ(parser.push("x").content, "x");
  EXPECT_EQ(parser.push("\n<think>").content, "\n<think>");
}

TEST(ThoughtParser, OtherTags) {
  ThoughtParser parser(false, "[T]", "[/T]");
  EXPECT_EQ(parser.push("[T]a[/T]b").reasoning, "a");
}

TEST(PromptOpensThought, LooksAtTheEnd) {
  EXPECT_TRUE(prompt_opens_thought("<｜Assistant｜><think>\n"));
  EXPECT_TRUE(prompt_opens_thought("x<think>"));
  EXPECT_FALSE(prompt_opens_thought("<think>\n\n</think>\n\n"));
  EXPECT_FALSE(prompt_opens_thought("<|im_start|>assistant\n"));
  EXPECT_FALSE(prompt_opens_thought("what does <think> mean?"));
  EXPECT_FALSE(prompt_opens_thought(""));
}

}  // namespace
}  // namespace jevons
