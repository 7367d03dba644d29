#include "text/chat_template.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <string>

#include "base/file.h"
#include "base/strings.h"
#include "text/jinja_template.h"

namespace jevons {
namespace {

const std::string kFolder = JEVONS_SOURCE_DIR "/tests/golden/templates/";

std::string read(const std::string& name) { return read_file(kFolder + name).value(); }

Json read_json(const std::string& name) { return Json::parse(read(name)).value(); }

// 2025-03-09 08:05:07, local time, as in make_expected.py.
std::time_t noon() {
  std::tm parts{};
  parts.tm_year = 125, parts.tm_mon = 2, parts.tm_mday = 9, parts.tm_hour = 8, parts.tm_min = 5, parts.tm_sec = 7;
  parts.tm_isdst = -1;
  return std::mktime(&parts);
}

std::string hash(std::string_view text) {
  uint64_t h = 0xCBF29CE484222325u;
  for (char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  char out[17];
  std::snprintf(out, sizeof out, "%016llx", static_cast<unsigned long long>(h));
  return out;
}

Result<std::string> render(const ChatTemplate& chat, const Json& conversation) {
  return chat.render(conversation.at("messages"), conversation.at("tools"),
                     conversation.at("add_generation_prompt").as_bool(), conversation.at("extra"), noon());
}

// Every published template on every conversation: the text of jinja2, or an error where jinja2 fails.
TEST(ChatTemplate, PublishedTemplatesGiveJinja2sBytes) {
  const Json conversations = read_json("conversations.json"), expected = read_json("expected.json");
  size_t compared = 0, errors = 0;
  for (const auto& [name, golden] : expected.as_object()) {
    const auto chat = ChatTemplate::parse(read(name + ".jinja"), golden.at("specials"));
    ASSERT_TRUE(chat.ok()) << name << ": " << chat.error().message();
    const auto& results = golden.at("results").as_array();
    ASSERT_EQ(results.size(), conversations.size());
    for (size_t i = 0; i < results.size(); ++i) {
      const Json& conversation = conversations.as_array()[i];
      const auto text = render(*chat, conversation);
      const std::string where = cat(name, ", conversation ", i, ": ", conversation.dump());
      ++compared;
      if (results[i].is_null()) {
        EXPECT_FALSE(text.ok()) << where << "\njinja2 fails, we give " << *text;
        ++errors;
        continue;
      }
      ASSERT_TRUE(text.ok()) << where << "\n" << text.error().message();
      if (results[i].is_string()) {
        EXPECT_EQ(*text, results[i].as_string()) << where;
      } else {
        EXPECT_EQ(static_cast<int64_t>(text->size()), results[i].as_array()[0].as_int()) << where << "\n" << *text;
        EXPECT_EQ(hash(*text), results[i].as_array()[1].as_string()) << where << "\n" << *text;
      }
    }
  }
  EXPECT_GE(compared, 17u * 240u);
  EXPECT_GT(errors, 100u);
}

// One feature of the language each, errors included.
TEST(Jinja, SnippetsGiveJinja2sBytes) {
  const Json snippets = read_json("snippets.json");
  const Json& context = snippets.as_array()[0].at("context");
  for (size_t i = 1; i < snippets.size(); ++i) {
    const auto& snippet = snippets.as_array()[i].as_array();
    const std::string& source = snippet[0].as_string();
    const auto parsed = jinja::Template::parse(source);
    const auto text = parsed.ok() ? parsed->render(context, noon()) : Result<std::string>(parsed.error());
    if (snippet[1].is_null()) {
      EXPECT_FALSE(text.ok()) << source << "\njinja2 fails, we give " << *text;
    } else if (!text.ok()) {
      // a part of Jinja outside the subset may be refused, but only by name
      EXPECT_EQ(text.error().code(), Code::unsupported) << source << "\n" << text.error().message();
    } else {
      EXPECT_EQ(*text, snippet[1].as_string()) << source;
    }
  }
}

std::string failure(std::string_view source, const jinja::Limits& limits = {}) {
  const auto parsed = jinja::Template::parse(source, limits);
  if (!parsed.ok()) return parsed.error().message();
  const auto text = parsed->render(Json::object(), 0);
  return text.ok() ? "no error" : text.error().message();
}

std::string repeated(std::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

TEST(Jinja, LimitsAreSentences) {
  const jinja::Limits small{.source_bytes = 1000, .nesting = 50, .steps = 10'000, .output_bytes = 1000};
  const auto expect = [&](const std::string& source, const std::string& words) {
    const std::string message = failure(source, small);
    EXPECT_NE(message.find(words), std::string::npos) << source.substr(0, 80) << "\n" << message;
  };
  expect(repeated(" ", 1001), "at most 1000 are accepted");
  expect("{{ " + repeated("(", 100) + "1" + repeated(")", 100) + " }}", "nested deeper than the limit of 50");
  expect("{{ " + repeated("-", 100) + "1 }}", "nested deeper");
  expect(repeated("{% if 1 %}", 90), "nested deeper");
  expect("{{ 1" + repeated("+1", 300) + " }}", "more than 200 operators");
  expect("{{ x" + repeated(".a", 300) + " }}", "more than 200 operators");
  expect("{% for a in range(1000) %}{% for b in range(1000) %}{% endfor %}{% endfor %}", "limit of 10000 steps");
  expect("{% for a in range(600) %}ab{% endfor %}", "longer than the limit of 1000 bytes");
  expect("{{ 'a' * 2000 }}", "longer than the limit");
  expect("{{ [1] * 9999999999 }}", "longer than the limit");
  expect("{% set ns = namespace(s='ab') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
         "longer than");
  expect("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "calls nest deeper");
  const jinja::Limits roomy;
  EXPECT_NE(failure("{{ range(200000) }}", roomy).find("more than 100000"), std::string::npos);
  EXPECT_NE(failure("{% set ns = namespace(x=[]) %}{% for i in range(200) %}{% set ns.x = [ns.x] %}{% endfor %}", roomy)
                .find("nest deeper than 100"),
            std::string::npos);
  EXPECT_NE(
      failure("{% set ns = namespace(x=['a']) %}{% for i in range(90) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}",
              roomy)
          .find("would take more than"),
      std::string::npos);
  // namespaces and macros that refer to each other in rings and long chains end without a deep recursion or a leak
  EXPECT_EQ(
      failure(
          "{% set ns = namespace(p=none) %}{% for i in range(50000) %}{% set ns.p = namespace(q=ns.p) %}{% endfor %}"
          "{% set ns.me = ns %}{% macro m() %}{% endmacro %}{% set ns.m = m %}",
          roomy),
      "no error");
}

TEST(Jinja, ErrorsNameTheLine) {
  EXPECT_EQ(failure("a\n{{ 1 + }}"), "template: line 2: expected an expression, found \"}}\"");
  EXPECT_EQ(failure("a\n\n{% include 'x' %}"),
            "template: line 3: the tag {% include %} is not part of this Jinja subset");
  EXPECT_EQ(failure("a\n{{ x.y }}"), "template, line 2: 'x' is undefined");
  EXPECT_EQ(failure("\n\n{{ raise_exception('no tools here') }}"),
            "template, line 3: the template refuses this conversation: no tools here");
}

TEST(ChatTemplate, RefusesOtherShapes) {
  const auto chat = ChatTemplate::parse("{{ messages[0].content }}{{ bos_token }}{{ x }}", Json::object()).value();
  const Json hi = Json::parse(R"([{"role":"user","content":"hi"}])").value();
  EXPECT_EQ(chat.render(hi, {}, true).value(), "hi");
  EXPECT_EQ(chat.render(hi, {}, true, Json::parse(R"({"x":1})").value()).value(), "hi1");
  EXPECT_EQ(chat.render(Json("hi"), {}, true).error().message(), "messages: expected an array, found string");
  EXPECT_EQ(chat.render(Json::parse(R"([{"content":"a"}])").value(), {}, true).error().message(),
            "messages[0]: expected an object with a text \"role\", found \"{\\\"content\\\":\\\"a\\\"}\"");
  EXPECT_FALSE(chat.render(hi, Json::object(), true).ok());
  EXPECT_FALSE(chat.render(hi, {}, true, Json(1)).ok());
}

TEST(ChatTemplate, WithoutTemplateChatMlOrRefused) {
  const Json talk = Json::parse(R"([{"role":"system","content":"s"},{"role":"user","content":"hi"}])").value();
  const auto chatml = ChatTemplate::of_model({}, Json::object(), true);
  EXPECT_EQ(chatml->render(talk, {}, true).value(),
            "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n");
  const auto none = ChatTemplate::of_model({}, Json::object(), false);
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().code(), Code::unsupported);
  EXPECT_EQ(ChatTemplate::of_model("x", Json::object(), false)->render(talk, {}, true).value(), "x");
}

}  // namespace
}  // namespace jevons
