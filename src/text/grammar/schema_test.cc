// JSON Schema against the cases of the JSON-Schema-Test-Suite (tests/golden/json_schema), and what the suite lacks.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>

#include "base/file.h"
#include "base/strings.h"
#include "text/grammar/builder.h"
#include "text/grammar/matcher.h"
#include "text/grammar/schema_flat.h"

namespace jevons {
namespace {

GrammarPtr schema(std::string_view text, JsonSchemaOptions options = {}) {
  return Grammar::from_json_schema(Json::parse(text).value(), options).value();
}
std::string refusal(std::string_view text) {
  const auto grammar = Grammar::from_json_schema(Json::parse(text).value());
  return grammar.ok() ? "accepted" : grammar.error().message();
}

// All texts of a value that differ in the order of keys, until there are `limit`.
std::vector<std::string> spellings(const Json& value, size_t limit = 800) {
  if (value.is_number()) return {grammar::number_text(value)};
  if (!value.is_array() && !value.is_object()) return {value.dump()};
  std::vector<size_t> order(value.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::vector<std::string> out;
  do {
    std::vector<std::string> texts{value.is_array() ? "[" : "{"};
    for (size_t n = 0; n < order.size(); ++n) {
      const Json& child = value.is_array() ? value.as_array()[n] : value.as_object()[order[n]].second;
      std::string before = n ? "," : "";
      if (value.is_object()) {
        append_json_string(before, value.as_object()[order[n]].first);
        before += ":";
      }
      std::vector<std::string> next;
      for (const auto& text : texts)
        for (const auto& item : spellings(child, limit))
          if (next.size() < limit) next.push_back(text + before + item);
      texts = std::move(next);
    }
    for (const auto& text : texts) out.push_back(text + (value.is_array() ? "]" : "}"));
  } while (value.is_object() && out.size() < limit && std::next_permutation(order.begin(), order.end()));
  return out;
}

bool reachable(const GrammarPtr& grammar, const Json& value) {
  for (const auto& text : spellings(value))
    if (grammar->matches(text)) return true;
  return false;
}

const Json& suite() {
  static const Json cases =
      Json::parse(read_file(std::string(JEVONS_SOURCE_DIR) + "/tests/golden/json_schema/suite.json").value()).value();
  return cases;
}

TEST(JsonSchema, TestSuite) {
  struct Row {
    int supported = 0, refused = 0, instances = 0, failed = 0;
  };
  std::map<std::string, Row> table;
  for (const Json& group : suite().as_array()) {
    Row& row = table[group.at("file").as_string()];
    const auto grammar = Grammar::from_json_schema(group.at("schema"));
    const bool nothing = !grammar.ok() && grammar.error().message().find("no text fits") != std::string::npos;
    if (!grammar.ok() && !nothing) {
      ++row.refused;
      EXPECT_GT(grammar.error().message().size(), 20u);
      continue;
    }
    ++row.supported;
    for (const Json& test : group.at("tests").as_array()) {
      ++row.instances;
      const bool found = !nothing && reachable(*grammar, test.at("data"));
      if (found == test.at("valid").as_bool()) continue;
      ++row.failed;
      ADD_FAILURE() << group.at("file").as_string() << ": " << group.at("schema").dump() << " and "
                    << test.at("data").dump() << (found ? " is accepted" : " is not reachable");
    }
  }
  std::cout
      << "| cases | schemas supported | schemas refused | instances | failed |\n| --- | ---: | ---: | ---: | ---: |\n";
  Row sum;
  for (const auto& [file, row] : table) {
    std::cout << "| " << file << " | " << row.supported << " | " << row.refused << " | " << row.instances << " | "
              << row.failed << " |\n";
    sum.supported += row.supported;
    sum.refused += row.refused;
    sum.instances += row.instances;
  }
  std::cout << "| all | " << sum.supported << " | " << sum.refused << " | " << sum.instances << " | |\n";
  EXPECT_GE(sum.supported, 150);
}

// A walk through the masks at random, that tends to an end; empty if it found none in 600 bytes.
std::string random_text(const GrammarPtr& grammar, uint64_t seed) {
  std::vector<std::string> tokens(257);
  for (int b = 0; b < 256; ++b) tokens[b] = std::string(1, static_cast<char>(b));
  GrammarMatcher matcher(
      std::make_shared<TokenMasks>(grammar, std::make_shared<GrammarVocab>(tokens, std::vector<int32_t>{256})));
  std::vector<uint64_t> bits(matcher.vocab().words());
  const auto random = [&](size_t n) {
    seed = seed * 6364136223846793005 + 1442695040888963407;
    return (seed >> 33) % n;
  };
  std::string text;
  while (text.size() < 600) {
    EXPECT_GT(matcher.mask(bits), 0) << text;
    if (matcher.complete() && (random(3) == 0 || text.size() > 60)) return text;
    std::vector<int> choices, closing;
    for (int b = 0; b < 256; ++b)
      if (bits[b >> 6] >> (b & 63) & 1) {
        choices.push_back(b);
        if (b == '"' || b == '}' || b == ']') closing.push_back(b);
      }
    if (choices.empty()) return text;
    const auto& from = !closing.empty() && random(text.size() > 40 ? 2 : 6) == 0 ? closing : choices;
    const int byte = from[random(from.size())];
    EXPECT_TRUE(matcher.accept(byte));
    text += static_cast<char>(byte);
  }
  return {};
}

// With JEVONS_GRAMMAR_WALKS=FILE in the environment, the texts are written for check_walks.py, which validates them.
TEST(JsonSchema, RandomTextsAreJson) {
  const char* path = std::getenv("JEVONS_GRAMMAR_WALKS");
  std::ofstream out;
  if (path) out.open(path);
  int64_t texts = 0;
  for (const Json& group : suite().as_array()) {
    const auto grammar = Grammar::from_json_schema(group.at("schema"));
    if (!grammar.ok()) continue;
    for (uint64_t seed = 1; seed <= (path ? 40 : 2); ++seed) {
      const std::string text = random_text(*grammar, seed);
      if (text.empty()) continue;
      ++texts;
      if (path) out << group.at("schema").dump() << '\t' << text.size() << '\n' << text << '\n';
      const auto parsed = Json::parse(text);
      const bool twice = !parsed.ok() && parsed.error().message().find("twice") != std::string::npos;
      EXPECT_TRUE(parsed.ok() || twice || parsed.error().message().find("range") != std::string::npos)
          << group.at("schema").dump() << "\n"
          << text << "\n"
          << parsed.error().message();
    }
  }
  EXPECT_GT(texts, 200);
}

TEST(JsonSchema, RecursionSpaceAndOrder) {
  const auto tree = schema(R"({"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{
    "v":{"type":"integer"},"kids":{"type":"array","items":{"$ref":"#/$defs/node"}}},"required":["v"],"additionalProperties":false}}})");
  EXPECT_TRUE(tree->matches(R"({"v":1,"kids":[{"v":2,"kids":[]},{"v":-3}]})"));
  EXPECT_TRUE(tree->matches("{\n  \"v\": 1,\n  \"kids\": [\n    {\n      \"v\": 2\n    }\n  ]\n}"));
  EXPECT_TRUE(tree->matches(R"({"v": 1, "kids": []})"));
  EXPECT_FALSE(tree->matches(R"({"v":1,"kids":[{"v":"2"}]})"));
  EXPECT_FALSE(tree->matches("{\n\n\"v\":1}"));
  const auto compact =
      schema(R"({"type":"array","items":{"type":"boolean"}})", {.space = JsonSchemaOptions::Space::compact});
  EXPECT_TRUE(compact->matches("[true,false]"));
  EXPECT_FALSE(compact->matches("[true, false]"));
}

TEST(JsonSchema, StringsAndEscapes) {
  const auto any = schema(R"({"type":"string"})");
  EXPECT_TRUE(any->matches(R"("a\n\u00e9\ud83d\ude42é🙂\/")"));
  EXPECT_FALSE(any->matches(R"("\ud83d")"));
  EXPECT_FALSE(any->matches("\"\n\""));
  const auto bounded = schema(R"({"type":"string","minLength":2,"maxLength":3,"pattern":"^[^x]"})");
  EXPECT_TRUE(bounded->matches(R"("\"🙂")"));
  EXPECT_TRUE(bounded->matches(R"("\u0001\n")"));
  EXPECT_FALSE(bounded->matches(R"("\n")"));
  EXPECT_FALSE(bounded->matches(R"("xé")"));
  EXPECT_FALSE(bounded->matches(R"("aéaé")"));
}

// Every integer and every decimal with one digit behind the point, against arithmetic.
TEST(JsonSchema, NumberRangesAreExact) {
  for (const double lo : {-120.0, -7.5, 0.0, 0.5, 3.0, 99.0})
    for (const double hi : {-3.5, 0.0, 8.5, 100.0, 121.0}) {
      if (lo > hi) continue;
      const std::string bounds = cat("\"minimum\":", lo, ",\"exclusiveMaximum\":", hi, "}");
      const auto integer = Grammar::from_json_schema(Json::parse("{\"type\":\"integer\"," + bounds).value());
      const auto number = Grammar::from_json_schema(Json::parse("{\"type\":\"number\"," + bounds).value());
      for (int tenth = -1300; tenth <= 1300; ++tenth) {
        const double v = tenth / 10.0;
        const bool in = lo <= v && v < hi;
        const std::string text = fixed(v, 1), whole = cat(tenth / 10);
        EXPECT_EQ(number.ok() && (*number)->matches(text), in) << text << bounds;
        EXPECT_EQ(tenth % 10 == 0 && integer.ok() && (*integer)->matches(whole), tenth % 10 == 0 && in)
            << whole << bounds;
      }
    }
  const auto cents = schema(R"({"type":"number","multipleOf":0.25,"minimum":0})");
  EXPECT_TRUE(cents->matches("10.75"));
  EXPECT_TRUE(cents->matches("3"));
  EXPECT_TRUE(cents->matches("0.500"));
  EXPECT_FALSE(cents->matches("10.7"));
  EXPECT_FALSE(cents->matches("-0.25"));
}

TEST(JsonSchema, DisjointOneOf) {
  const auto tagged = schema(R"({"oneOf":[
    {"type":"object","properties":{"k":{"const":"a"},"x":{"type":"integer"}},"required":["k","x"],"additionalProperties":false},
    {"type":"object","properties":{"k":{"const":"b"},"y":{"type":"string"}},"required":["k"],"additionalProperties":false}]})");
  EXPECT_TRUE(tagged->matches(R"({"k":"a","x":1})"));
  EXPECT_TRUE(tagged->matches(R"({"k":"b"})"));
  EXPECT_FALSE(tagged->matches(R"({"k":"b","x":1})"));
  const std::string overlapping = R"({"oneOf":[{"type":"integer"},{"type":"number","minimum":2}]})";
  EXPECT_NE(refusal(overlapping).find("cannot be shown to exclude"), std::string::npos);
  EXPECT_EQ(schema(overlapping, {.one_of_as_any_of = true})->warnings().size(), 1u);
}

TEST(JsonSchema, RefusalsNameTheKeywordAndThePlace) {
  EXPECT_EQ(refusal(R"~({"properties":{"a":{"not":{}}}})~"),
            "schema at #/properties/a: the keyword \"not\" is not supported; leave it out or check it afterwards");
  EXPECT_NE(refusal(R"~({"$ref":"#/$defs/x"})~").find("points to nothing"), std::string::npos);
  EXPECT_NE(refusal(R"~({"$ref":"http://a/b"})~").find("does not point into this schema"), std::string::npos);
  EXPECT_NE(refusal(R"~({"$ref":"#"})~").find("reference to itself"), std::string::npos);
  EXPECT_NE(refusal(R"~({"type":"strin"})~").find("unknown type"), std::string::npos);
  EXPECT_NE(refusal(R"~({"minLength":-1})~").find("minLength must be"), std::string::npos);
  EXPECT_NE(refusal(R"~({"type":"string","pattern":"a(?=b)"
})~")
                .find("look-ahead"),
            std::string::npos);
  EXPECT_NE(refusal(R"~({"type":"string","maxLength":1000000})~").find("too many"), std::string::npos);
  EXPECT_NE(refusal(R"~({"type":"array","minItems":100000000})~").find("too many"), std::string::npos);
  EXPECT_NE(refusal(R"~({"type":"integer","minimum":3,"maximum":2})~").find("no text fits"), std::string::npos);
  EXPECT_NE(refusal(R"~({"type":"string","pattern":"^(a|b)*a(a|b){40}$"})~").find("too many"), std::string::npos);
  EXPECT_EQ(schema(R"~({"type":"string","minLenght":3})~")->warnings().size(), 1u);
}

TEST(JsonObject, AnyObjectAndNothingElse) {
  const auto object = Grammar::json_object();
  EXPECT_TRUE(object->matches(R"({"a":[1,2.5e3,{"b":null}],"c":"x"})"));
  EXPECT_TRUE(object->matches("{}"));
  EXPECT_FALSE(object->matches("[1]"));
  EXPECT_FALSE(object->matches(R"({"a":01})"));
}

TEST(GrammarEbnf, RulesRecursionAndErrors) {
  const auto grammar =
      Grammar::from_ebnf(
          "# sums\nroot ::= sum \"\\n\"?\nsum ::= term ( [+-] term )*\nterm ::= [0-9]{1,3} |\n  \"(\" sum \")\"\n")
          .value();
  EXPECT_TRUE(grammar->matches("1+(22-(3))"));
  EXPECT_TRUE(grammar->matches("999\n"));
  EXPECT_FALSE(grammar->matches("1+"));
  EXPECT_FALSE(grammar->matches("1234"));
  const auto error = [](std::string text) {
    const auto bad = Grammar::from_ebnf(text);
    return bad.ok() ? "accepted" : bad.error().message();
  };
  EXPECT_NE(error("root ::= root \"a\" | \"b\"").find("left recursion"), std::string::npos);
  EXPECT_NE(error("root ::= a\na ::= \"\" root | \"x\"").find("left recursion"), std::string::npos);
  EXPECT_NE(error("root ::= missing").find("not defined"), std::string::npos);
  EXPECT_NE(error("a ::= \"x\"").find("no rule named root"), std::string::npos);
  EXPECT_NE(error("root ::= \"x").find("closing"), std::string::npos);
  EXPECT_NE(error("root ::= \"x\"\nroot ::= \"y\"").find("defined twice"), std::string::npos);
  EXPECT_NE(error("root ::= \"x\" root").find("no text fits"), std::string::npos);
  EXPECT_NE(error("root ::= " + std::string(30'000, '(')).find("nested too deeply"), std::string::npos);
}

TEST(GrammarTags, ThoughtThenAnswer) {
  const auto grammar = Grammar::after("</think>", schema(R"({"type":"integer"})")).value();
  EXPECT_TRUE(grammar->matches("hm, <</think>42"));
  EXPECT_FALSE(grammar->matches("hm</think>"));
  EXPECT_FALSE(grammar->matches("hm"));
  EXPECT_FALSE(grammar->matches("hm</think>42 "));
}

TEST(GrammarTags, WhatFollowsMayBeEmpty) {
  const auto grammar = Grammar::after("<a>", Grammar::from_regex("b*").value()).value();
  for (const char* text : {"<a>", "x<a>bb"}) EXPECT_TRUE(grammar->matches(text)) << text;
  for (const char* text : {"", "<a>c"}) EXPECT_FALSE(grammar->matches(text)) << text;
}

TEST(GrammarBuilder, SequencesChoicesAndRepeats) {
  const auto maybe = Grammar::from_regex("b?").value(), list = schema(R"({"type":"array","items":{"const":1}})");
  GrammarBuilder b;
  const auto item =
      b.sequence({b.grammar(maybe), b.text("<"), b.choice({b.grammar(list), b.text("none")}), b.text(">")});
  const auto grammar = b.build(b.sequence({b.repeat(item, 1, 2), b.grammar(maybe)})).value();
  for (const char* text : {"<[]>", "b<none><[1,1]>b", "<none>b<none>"}) EXPECT_TRUE(grammar->matches(text)) << text;
  for (const char* text : {"", "b", "<[2]>", "<none><none><none>", "<none"})
    EXPECT_FALSE(grammar->matches(text)) << text;
}

TEST(GrammarTags, ToolCallsInText) {
  const std::vector<Grammar::Tag> tags{{"<a>", schema(R"({"const":1})"), "</a>"},
                                       {"<b>", schema("{\"const\":2}"), "</b>"}};
  const auto free = Grammar::with_tags(tags, {}).value();
  for (const char* text : {"", "hello <", "<a>1</a>", "x<a>1</a>y<b>2</b>z"}) EXPECT_TRUE(free->matches(text)) << text;
  for (const char* text : {"<a>", "<a>2</a>", "x<a>1<b>"}) EXPECT_FALSE(free->matches(text)) << text;
  const auto forced = Grammar::with_tags(tags, {.required = true, .several = false, .text = false}).value();
  for (const char* text : {"<a>1</a>", "\n<b>2</b>"}) EXPECT_TRUE(forced->matches(text)) << text;
  for (const char* text : {"", "x<a>1</a>", "<a>1</a><b>2</b>"}) EXPECT_FALSE(forced->matches(text)) << text;
  EXPECT_FALSE(Grammar::with_tags({{"<a>", tags[0].grammar, ""}, {"<a>b", tags[0].grammar, ""}}, {}).ok());
}

}  // namespace
}  // namespace jevons
