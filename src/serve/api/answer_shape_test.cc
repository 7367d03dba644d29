// Answers of a given form through the routes: whatever a random model draws, all that ends fits. And the grammars
// themselves: which texts they take.
#include "serve/api/answer_shape.h"

#include <sstream>

#include "base/strings.h"
#include "serve/api/api_testing.h"
#include "serve/api/schema_testing.h"

namespace jevons {
namespace {

Json parse(const std::string& text) { return Json::parse(text).value(); }

// Schemas whose values have an end that a random walk finds in a few hundred tokens.
const std::vector<std::string>& schemas() {
  static const std::vector<std::string> all = {
      R"({"type":"object","properties":{"yes":{"type":"boolean"}},"required":["yes"],"additionalProperties":false})",
      R"({"type":"object","properties":{"name":{"type":"string","maxLength":4},"age":{"type":"integer","minimum":0,"maximum":130},
          "mood":{"enum":["good","bad",null]}},"required":["name","age"],"additionalProperties":false})",
      R"({"type":"array","items":{"type":"number","minimum":-1.5,"maximum":2,"multipleOf":0.25},"minItems":1,"maxItems":3})",
      R"({"type":"string","pattern":"^[a-f]{2,5}-[0-9]+x$","maxLength":12})",
      R"({"anyOf":[{"type":"null"},{"type":"object","properties":{"k":{"const":"é\n"}},"required":["k"],"additionalProperties":false}]})",
      R"({"type":"array","prefixItems":[{"type":"integer","exclusiveMinimum":7,"maximum":12},{"type":["boolean","null"]}],
          "items":{"const":[1,{"a":"}"}]},"minItems":2,"maxItems":3})",
      R"({"$ref":"#/$defs/tree","$defs":{"tree":{"type":"object","properties":{"v":{"enum":[1,2]},
          "kid":{"anyOf":[{"type":"null"},{"$ref":"#/$defs/tree"}]}},"required":["v","kid"],"additionalProperties":false}}})",
  };
  return all;
}

std::string format(const std::string& schema) {
  return R"("response_format":{"type":"json_schema","json_schema":{"name":"x","strict":true,"schema":)" + schema + "}}";
}
const std::string kPlain = R"("thinking":{"type":"disabled"})";

class AnswerShapeTest : public ApiTest {
 protected:
  static const Json& choice(const Answer& a) { return a.json.at("choices").as_array().at(0); }
  static std::string content(const Answer& a) {
    EXPECT_EQ(a.status, 200) << a.text;
    return choice(a).at("message").at("content").as_string();
  }
  static std::string finish(const Answer& a) { return choice(a).at("finish_reason").as_string(); }
  // All texts of a stream's events.
  static std::string streamed(const Answer& a) {
    std::string out;
    for (const Json& event : events(a.text))
      for (const Json& c : event.at("choices").as_array())
        if (const Json* text = c.at("delta").find("content"); text && text->is_string()) out += text->as_string();
    return out;
  }
  static void check(const std::string& schema, const std::string& text) {
    const Json root = parse(schema);
    const Result<Json> value = Json::parse(text);
    ASSERT_TRUE(value.ok()) << text << "\n" << value.error().message();
    EXPECT_EQ(SchemaCheck(root)(*value), "") << text;
  }
  // The message of a refusal, with its param in front.
  std::string refusal(const std::string& path, const std::string& body, int status = 400) {
    const Answer a = post(path, body);
    EXPECT_EQ(a.status, status) << a.text;
    const Json* param = a.json.at("error").find("param");
    return cat(param && param->is_string() ? param->as_string() : "-", " | ",
               a.json.at("error").at("message").as_string());
  }
};

TEST_F(AnswerShapeTest, EveryAnswerThatEndsFitsItsSchema) {
  for (const std::string& schema : schemas()) {
    int ended = 0;
    for (const char* temperature : {"0", "1", "2"})
      for (int seed = 1; seed <= 4; ++seed)
        for (const bool thinks : {false, true}) {
          const std::string more = cat(format(schema), ",\"temperature\":", temperature, ",\"seed\":", seed,
                                       thinks ? ",\"thinking_budget\":12" : "," + kPlain);
          const Answer a = post("/v1/chat/completions", chat(more));
          const std::string text = content(a);
          if (thinks) {
            EXPECT_GT(choice(a).at("message").at("reasoning_content").as_string().size(), 0u);
          }
          if (finish(a) == "length") continue;
          EXPECT_EQ(finish(a), "stop");
          check(schema, text);
          ++ended;
          if (seed == 1) {
            EXPECT_EQ(streamed(post("/v1/chat/completions", chat(more + ",\"stream\":true"))), text);
          }
        }
    EXPECT_GE(ended, 6) << schema;
  }
}

TEST_F(AnswerShapeTest, ACutAnswerIsTheBeginningOfOneThatFits) {
  for (const std::string& schema : schemas()) {
    const std::string more = cat(format(schema), ",\"temperature\":1.5,\"seed\":5,", kPlain);
    const std::string whole = content(post("/v1/chat/completions", chat(more)));
    for (const int n : {1, 2, 5}) {
      const Answer a = post("/v1/chat/completions", chat(cat(more, ",\"max_tokens\":", n)));
      EXPECT_TRUE(whole.starts_with(content(a))) << whole << "\n" << content(a);
      EXPECT_EQ(finish(a), content(a) == whole ? "stop" : "length");
    }
  }
}

TEST_F(AnswerShapeTest, AStopTextEndsItAnywhere) {
  const std::string more = format(R"({"const":"alphabet"})") + "," + kPlain;
  const Answer a = post("/v1/chat/completions", chat(more + R"(,"stop":["hab"])"));
  EXPECT_EQ(content(a), "\"alp");
  EXPECT_EQ(finish(a), "stop");
  EXPECT_EQ(content(post("/v1/chat/completions", chat(more))), "\"alphabet\"");
}

// The answer ends by itself where nothing may follow, so the end costs no token.
TEST_F(AnswerShapeTest, RegexAndEbnf) {
  for (int seed = 0; seed < 12; ++seed) {
    const std::string more = cat(kPlain, ",\"temperature\":2,\"seed\":", seed, ",\"response_format\":");
    const std::string word =
        content(post("/v1/chat/completions", chat(more + R"({"type":"regex","pattern":"(yes|no|[0-9]{3})!"})")));
    EXPECT_TRUE(std::regex_match(word, std::regex("(yes|no|[0-9]{3})!"))) << word;
    const std::string sum =
        content(post("/v1/chat/completions",
                     chat(more + R"({"type":"ebnf","grammar":"root ::= n (\"+\" n){1,2}\nn ::= [0-9]{1,2}"})")));
    EXPECT_TRUE(std::regex_match(sum, std::regex("[0-9]{1,2}(\\+[0-9]{1,2}){1,2}"))) << sum;
  }
}

TEST_F(AnswerShapeTest, AnyObject) {
  // Nearly all strings and objects of a random model are endless: quotes and brackets are made likely.
  Json bias = Json::object();
  for (const char* text : {"\\\"", "}"})
    bias[cat(post("/tokenize", cat(R"({"content":")", text, "\"}")).json.at("tokens").as_array().at(0).as_int())] = 8;
  int ended = 0;
  for (int seed = 1; seed <= 8; ++seed) {
    const std::string more = cat(kPlain, ",\"temperature\":2,\"seed\":", seed, ",\"logit_bias\":", bias.dump());
    const Answer a = post("/v1/chat/completions", chat(more + R"(,"response_format":{"type":"json_object"})"));
    if (finish(a) != "stop") continue;
    ++ended;
    const Result<Json> value = Json::parse(content(a));
    const bool twice = !value.ok() && value.error().message().find("twice") != std::string::npos;
    EXPECT_TRUE(twice || (value.ok() && value->is_object())) << content(a);
  }
  EXPECT_GE(ended, 4);
}

TEST_F(AnswerShapeTest, SeveralChoicesAndGuessedTokens) {
  const std::string more = cat(format(schemas()[1]), ",", kPlain, ",\"temperature\":1.2,\"seed\":3,\"n\":3");
  const auto texts = [&] {
    const Answer a = post("/v1/chat/completions", chat(more));
    std::vector<std::string> out;
    for (const Json& c : a.json.at("choices").as_array()) {
      out.push_back(c.at("message").at("content").as_string());
      if (c.at("finish_reason").as_string() == "stop") check(schemas()[1], out.back());
    }
    return out;
  };
  std::vector<std::vector<std::string>> all;
  for (const Speculation speculation : {Speculation::off, Speculation::always}) {
    ServiceOptions options;
    options.model.speculation = speculation;
    reset(std::move(options));
    all.push_back(texts());
  }
  EXPECT_EQ(all[0], all[1]);
  EXPECT_EQ(all[0].size(), 3u);
}

TEST_F(AnswerShapeTest, AGrammarIsCompiledOnce) {
  const std::string more = format(schemas()[0]) + "," + kPlain;
  for (int i = 0; i < 3; ++i) post("/v1/chat/completions", chat(more));
  EXPECT_EQ(service_->grammars().counts().compiled, 1);
  EXPECT_EQ(service_->grammars().counts().found, 2);
  post("/v1/chat/completions", chat(format(schemas()[2]) + "," + kPlain));
  EXPECT_EQ(service_->grammars().counts().compiled, 2);
}

TEST_F(AnswerShapeTest, FormatsOfTheOtherApis) {
  const std::string schema = schemas()[0];
  for (int seed = 1; seed <= 3; ++seed) {
    const std::string ollama =
        cat(R"("stream":false,"think":false,"options":{"temperature":2,"seed":)", seed, R"(},"format":)");
    check(schema, post("/api/chat", chat(ollama + schema)).json.at("message").at("content").as_string());
    check(schema,
          post("/api/generate", cat(R"({"prompt":"hello",)", ollama, schema, "}")).json.at("response").as_string());
    const Answer a =
        post("/v1/messages", chat(cat(R"("max_tokens":200,"output_config":{"format":{"type":"json_schema","schema":)",
                                      schema, "}},", kPlain)));
    ASSERT_EQ(a.status, 200) << a.text;
    check(schema, a.json.at("content").as_array().at(0).at("text").as_string());
    check(schema, content(post("/chat/completions", chat(format(schema) + "," + kPlain))));
  }
  const Answer json =
      post("/api/chat", chat(R"("stream":false,"think":false,"format":"json","options":{"num_predict":3})"));
  EXPECT_TRUE(json.json.at("message").at("content").as_string().starts_with("{")) << json.text;
}

const std::string kTools =
    R"("tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{
         "place":{"enum":["Ulm","Rom"]},"days":{"type":"integer","minimum":1,"maximum":9}},"required":["place"],"additionalProperties":false}}},
       {"type":"function","function":{"name":"now"}}])";

class ForcedCallsTest : public AnswerShapeTest {
 protected:
  ForcedCallsTest() {
    std::ofstream(folder_ / "tiny" / "chat_template.jinja")
        << "{% for t in tools or [] %}{{ t.function.name }} {% endfor %}"
           "{% for m in messages %}[{{ m.role }}]{{ m.content }}\n{% endfor %}[assistant]"
           "{% if enable_thinking is not defined or enable_thinking %}<think>\n{% endif %}";
    reset({});
  }

  static void check_call(const std::string& name, const std::string& arguments) {
    const Json tools = parse("{" + kTools + "}").at("tools");
    const Json& schema = tools.as_array().at(0).at("function").at("parameters");
    const Json value = parse(arguments);
    EXPECT_TRUE(name == "weather" || name == "now") << name;
    EXPECT_EQ(name == "weather"   ? SchemaCheck(schema)(value)
              : value.size() == 0 ? ""
                                  : "has no parameters",
              "")
        << arguments;
  }
};

TEST_F(ForcedCallsTest, OpenAiAndDeepSeek) {
  for (const char* path : {"/v1/chat/completions", "/chat/completions"})
    for (const char* wanted : {R"("required")", R"({"type":"function","function":{"name":"weather"}})"})
      for (const bool thinks : {false, true})
        for (int seed = 1; seed <= 5; ++seed) {
          const std::string more = cat(kTools, ",\"tool_choice\":", wanted,
                                       ",\"parallel_tool_calls\":false,\"temperature\":1.5,\"seed\":", seed,
                                       thinks ? ",\"thinking_budget\":8" : "," + kPlain);
          const Answer a = post(path, chat(more));
          ASSERT_EQ(a.status, 200) << a.text;
          EXPECT_EQ(finish(a), "tool_calls") << a.text;
          EXPECT_TRUE(choice(a).at("message").at("content").is_null());
          const auto& calls = choice(a).at("message").at("tool_calls").as_array();
          ASSERT_EQ(calls.size(), 1u);
          const Json& function = calls[0].at("function");
          check_call(function.at("name").as_string(), function.at("arguments").as_string());
          if (wanted[0] == '{') {
            EXPECT_EQ(function.at("name").as_string(), "weather");
          }

          std::string name, arguments;
          for (const Json& event : events(post(path, chat(more + ",\"stream\":true")).text))
            for (const Json& c : event.at("choices").as_array())
              if (const Json* part = c.at("delta").find("tool_calls")) {
                const Json& f = part->as_array().at(0).at("function");
                if (const Json* n = f.find("name")) name = n->as_string();
                arguments += f.at("arguments").as_string();
              }
          EXPECT_EQ(name, function.at("name").as_string());
          EXPECT_EQ(arguments, function.at("arguments").as_string());
        }
}

TEST_F(ForcedCallsTest, SeveralCallsInOneAnswer) {
  size_t most = 0;
  for (int seed = 1; seed <= 12; ++seed) {
    const Answer a = post("/v1/chat/completions",
                          chat(cat(kTools, R"(,"tool_choice":"required","temperature":2,"seed":)", seed, ",", kPlain)));
    const auto& calls = choice(a).at("message").at("tool_calls").as_array();
    most = std::max(most, calls.size());
    for (size_t i = 0; i + (finish(a) == "length") < calls.size(); ++i)
      check_call(calls[i].at("function").at("name").as_string(), calls[i].at("function").at("arguments").as_string());
  }
  EXPECT_GT(most, 1u);
}

TEST_F(ForcedCallsTest, Anthropic) {
  const std::string tools =
      R"("max_tokens":300,"tools":[{"name":"weather","input_schema":{"type":"object","properties":{"place":{"enum":["Ulm","Rom"]}},
          "required":["place"],"additionalProperties":false}},{"name":"now","input_schema":{"type":"object","additionalProperties":false}}],)";
  for (const char* wanted : {R"({"type":"any","disable_parallel_tool_use":true})",
                             R"({"type":"tool","name":"weather","disable_parallel_tool_use":true})"}) {
    const std::string more = cat(tools, R"("tool_choice":)", wanted, R"(,"temperature":1,)", kPlain);
    const Answer a = post("/v1/messages", chat(more));
    ASSERT_EQ(a.status, 200) << a.text;
    EXPECT_EQ(a.json.at("stop_reason").as_string(), "tool_use");
    ASSERT_EQ(a.json.at("content").size(), 1u) << a.text;
    const Json& block = a.json.at("content").as_array()[0];
    EXPECT_EQ(block.at("type").as_string(), "tool_use");
    check_call(block.at("name").as_string(), block.at("input").dump());
    std::string input, kinds;
    for (const Json& e : events(post("/v1/messages", chat(more + ",\"stream\":true")).text)) {
      const std::string type = e.at("type").as_string();
      kinds += type + " ";
      if (type == "content_block_start") {
        EXPECT_EQ(e.at("content_block").at("type").as_string(), "tool_use");
      }
      if (type == "content_block_delta") input += e.at("delta").at("partial_json").as_string();
    }
    EXPECT_TRUE(parse(input).is_object());
    EXPECT_TRUE(std::regex_match(
        kinds, std::regex("message_start content_block_start (content_block_delta )+content_block_stop message_delta "
                          "message_stop ")))
        << kinds;
  }
  EXPECT_NE(refusal("/v1/messages", chat(tools + R"("tool_choice":{"type":"tool","name":"fly"})")).find("fly"),
            std::string::npos);
}

TEST_F(ForcedCallsTest, ACallOrAnAnswerInAForm) {
  int calls = 0, answers = 0;
  for (int seed = 1; seed <= 16; ++seed) {
    const Answer a = post("/v1/chat/completions",
                          chat(cat(kTools, ",", format(R"({"enum":["<a>","<b>"]})"), R"(,"parallel_tool_calls":false,)",
                                   R"("temperature":2,"seed":)", seed, ",", kPlain)));
    ASSERT_EQ(a.status, 200) << a.text;
    if (finish(a) == "tool_calls") {
      const Json& f = choice(a).at("message").at("tool_calls").as_array().at(0).at("function");
      check_call(f.at("name").as_string(), f.at("arguments").as_string());
      ++calls;
    } else {
      check(R"({"enum":["<a>","<b>"]})", content(a));
      ++answers;
    }
  }
  EXPECT_GT(calls, 0);
  EXPECT_GT(answers, 0);
}

// Ollama's clients cannot force a call: with a format there is a call or an answer. Streams hold the same.
TEST_F(ForcedCallsTest, Ollama) {
  int called = 0;
  for (int seed = 1; seed <= 16; ++seed) {
    const std::string more =
        cat(kTools, R"(,"format":{"enum":["<a>","<b>"]},"think":false,"options":{"temperature":2,"seed":)", seed,
            R"(,"num_predict":300},"stream":)");
    const Answer a = post("/api/chat", chat(more + "false"));
    ASSERT_EQ(a.status, 200) << a.text;
    const Json* calls = a.json.at("message").find("tool_calls");
    std::string streamed, text;
    std::istringstream lines(post("/api/chat", chat(more + "true")).text);
    for (std::string line; std::getline(lines, line);) {
      const Json message = parse(line).at("message");
      text += message.at("content").as_string();
      if (const Json* part = message.find("tool_calls")) streamed += part->dump();
    }
    EXPECT_EQ(text, a.json.at("message").at("content").as_string());
    EXPECT_EQ(streamed, calls ? calls->dump() : "");
    if (!calls || a.json.at("done_reason").as_string() == "length") continue;
    ++called;
    const Json& f = calls->as_array().at(0).at("function");
    check_call(f.at("name").as_string(), f.at("arguments").dump());
  }
  EXPECT_GT(called, 0);
}

TEST_F(ForcedCallsTest, RefusalsNameThePlace) {
  const auto says = [&](const std::string& more, const std::string& words) {
    const std::string got = refusal("/v1/chat/completions", chat(more + "," + kPlain));
    EXPECT_NE(got.find(words), std::string::npos) << got;
  };
  says(
      format(R"({"properties":{"a":{"items":{"not":{}}}}})"),
      R"(response_format.json_schema.schema.properties.a.items | 'response_format.json_schema.schema.properties.a.items': the keyword "not")");
  says(format(R"({"anyOf":[{"type":"null"},{"type":"strin"}]})"), "response_format.json_schema.schema.anyOf[1] | ");
  says(format("7"), "response_format.json_schema.schema | ");
  says(R"("response_format":{"type":"json_schema"})", "response_format.json_schema.schema | ");
  says(R"("response_format":{"type":"yaml"})", "response_format | ");
  says(R"("response_format":{"type":"regex","pattern":"a(b"})", "response_format.pattern | ");
  says(R"("response_format":{"type":"regex"})", "response_format.pattern | ");
  says(R"("response_format":{"type":"ebnf","grammar":"root ::= root \"a\""})", "response_format.grammar | ");
  says(R"("response_format":{"type":"json_object"},"ignore_eos":true)", "ignore_eos | ");
  says(R"("tool_choice":"required")", "tool_choice | ");
  says(kTools + R"(,"tool_choice":"maybe")", "tool_choice | ");
  says(kTools + R"(,"tool_choice":{"type":"function","function":{"name":"fly"}})", "\"fly\"");
  const std::string strict = R"("tools":[{"type":"function","function":{"name":"f","strict":)";
  const std::string hard = R"(,"parameters":{"type":"object","properties":{"a":{"not":{}}}}}}])";
  says(strict + "true" + hard, "tools[0].function.parameters.properties.a | ");
  // What is not strict can be called all the same, and the reply says how.
  const Answer a = post("/v1/chat/completions",
                        chat(strict + "false" + hard + R"(,"tool_choice":"required","max_tokens":20,)" + kPlain));
  ASSERT_EQ(a.status, 200) << a.text;
  EXPECT_NE(a.json.at("warnings").dump().find("can be any object"), std::string::npos) << a.text;
  EXPECT_NE(refusal("/v1/chat/completions",
                    R"({"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b","prefix":true}],)" +
                        format(schemas()[0]) + "}")
                .find("messages | "),
            std::string::npos);
}

AnswerGrammar shaped(const std::string& schema, AnswerGrammar::Thought thought) {
  AnswerGrammar g{.shape = {}, .tools = {}, .thought = thought};
  g.shape.kind = AnswerShape::Kind::json_schema;
  g.shape.schema = parse(schema);
  return g;
}

TEST(AnswerGrammar, TheThoughtIsFree) {
  using Thought = AnswerGrammar::Thought;
  std::vector<std::string> warnings;
  const auto open = shaped(R"({"const":1})", Thought::open).compile(warnings);
  const auto possible = shaped(R"({"const":1})", Thought::possible).compile(warnings);
  const auto none = shaped(R"({"const":1})", Thought::none).compile(warnings);
  for (const char* text : {"hm {</think>1", "</think>\n\n1"}) {
    EXPECT_TRUE(open->matches(text)) << text;
    EXPECT_TRUE(possible->matches(cat("<think>", text))) << text;
    EXPECT_FALSE(none->matches(text)) << text;
  }
  for (const auto& g : {possible, none}) EXPECT_TRUE(g->matches("1"));
  EXPECT_FALSE(open->matches("1"));
  EXPECT_FALSE(possible->matches("<think>1"));
  EXPECT_FALSE(open->matches("</think>\n\n\n1"));
}

TEST(AnswerGrammar, StrictFunctionsInText) {
  AnswerGrammar g{.shape = {}, .tools = parse("{" + kTools + "}").at("tools"), .format = ToolFormat::hermes};
  EXPECT_FALSE(g.needed());
  g.tools.as_array()[1]["function"]["strict"] = true;
  EXPECT_TRUE(g.needed());
  std::vector<std::string> warnings;
  const GrammarPtr grammar = g.compile(warnings);
  const auto call = [](const std::string& name, const std::string& arguments) {
    return cat("<tool_call>\n{\"name\": \"", name, "\", \"arguments\": ", arguments, "}\n</tool_call>");
  };
  EXPECT_TRUE(grammar->matches("No call."));
  EXPECT_TRUE(grammar->matches("So: " + call("now", "{}") + "\n" + call("weather", R"({"place":"Ulm"})")));
  EXPECT_FALSE(grammar->matches(call("now", R"({"a":1})")));
  EXPECT_FALSE(grammar->matches(call("fly", "{}")));
  const std::string key = g.key();
  g.parallel = false;
  EXPECT_NE(g.key(), key);
  EXPECT_FALSE(g.compile(warnings)->matches(call("now", "{}") + call("now", "{}")));
  EXPECT_TRUE(warnings.empty());
}

}  // namespace
}  // namespace jevons
