#include <algorithm>

#include "base/strings.h"
#include "serve/api/api_testing.h"
#include "serve/api/response_sink.h"

namespace jevons {
namespace {

const std::string kShort = R"("max_output_tokens":40,"seed":7)", kPlain = R"("reasoning":{"effort":"none"},)" + kShort;

class ResponsesTest : public ApiTest {
 protected:
  Json respond(const std::string& more) {
    const Answer answer = post("/v1/responses", "{" + more + "}");
    EXPECT_EQ(answer.status, 200) << answer.text;
    return answer.json;
  }
  // The same as a chat without thought; the answer's text.
  std::string chat_text(const std::string& messages) {
    const Answer answer = post("/v1/chat/completions",
                               R"({"reasoning_effort":"none","max_tokens":40,"seed":7,"messages":)" + messages + "}");
    EXPECT_EQ(answer.status, 200) << answer.text;
    return answer.json.at("choices").as_array()[0].at("message").at("content").as_string();
  }
  static std::string text(const Json& response) {
    for (const Json& item : response.at("output").as_array())
      if (item.at("type").as_string() == "message") return item.at("content").as_array()[0].at("text").as_string();
    return "(no message)";
  }
  // `value` with every id replaced by its kind and times left out: what must be the same in both forms.
  static Json lasting(const Json& value) {
    if (value.is_array()) {
      Json out = Json::array();
      for (const Json& v : value.as_array()) out.push_back(lasting(v));
      return out;
    }
    if (!value.is_object()) return value;
    Json out = Json::object();
    for (const auto& [key, v] : value.as_object()) {
      if (key == "timings" || key.ends_with("_at")) continue;
      const bool id = (key == "id" || key == "item_id" || key == "call_id") && v.is_string();
      out[key] = id ? Json(v.as_string().substr(0, v.as_string().find('_'))) : lasting(v);
    }
    return out;
  }
  static Json messages_of(const std::string& body, const ResponseStore& store = {}) {
    const Json json = Json::parse(body).value();
    Fields fields(json);
    return parse_response(fields, store).chat.messages;
  }
};

TEST_F(ResponsesTest, ABodyHasTheAnswerOfAChat) {
  const Json r =
      respond(R"("input":"hello","instructions":"be short","metadata":{"a":"b"},"temperature":0.5,)" + kPlain);
  EXPECT_EQ(r.at("object").as_string(), "response");
  EXPECT_TRUE(r.at("id").as_string().starts_with("resp_"));
  for (const char* key : {"error", "previous_response_id"}) EXPECT_TRUE(r.at(key).is_null()) << key;
  EXPECT_EQ(r.at("instructions").as_string(), "be short");
  EXPECT_EQ(r.at("metadata").dump(), R"({"a":"b"})");
  EXPECT_EQ(r.at("temperature").as_double(), 0.5);
  EXPECT_EQ(r.at("tool_choice").as_string(), "auto");
  EXPECT_EQ(r.at("text").dump(), R"({"format":{"type":"text"}})");
  const Json& item = r.at("output").as_array().at(0);
  EXPECT_EQ(r.at("output").size(), 1u);
  EXPECT_EQ(item.at("role").as_string(), "assistant");
  EXPECT_EQ(item.at("content").as_array()[0].at("annotations").size(), 0u);

  const Answer chat = post("/v1/chat/completions",
                           R"({"reasoning_effort":"none","max_tokens":40,"seed":7,"temperature":0.5,"messages":[)"
                           R"({"role":"system","content":"be short"},{"role":"user","content":"hello"}]})");
  const Json& choice = chat.json.at("choices").as_array()[0];
  EXPECT_EQ(text(r), choice.at("message").at("content").as_string());
  const bool cut = choice.at("finish_reason").as_string() == "length";
  EXPECT_EQ(r.at("status").as_string(), cut ? "incomplete" : "completed");
  EXPECT_EQ(r.at("incomplete_details").is_null(), !cut);
  EXPECT_EQ(r.at("usage").at("input_tokens").as_int(), chat.json.at("usage").at("prompt_tokens").as_int());
  EXPECT_EQ(r.at("usage").at("output_tokens").as_int(), chat.json.at("usage").at("completion_tokens").as_int());
}

TEST_F(ResponsesTest, WhatIsCutSaysSo) {
  const Json r =
      respond(R"("input":"hello","ignored":1,"logit_bias":{},"max_output_tokens":1,"reasoning":{"effort":"none"})");
  EXPECT_EQ(r.at("status").as_string(), "incomplete");
  EXPECT_EQ(r.at("incomplete_details").at("reason").as_string(), "max_output_tokens");
  EXPECT_EQ(r.at("warnings").size(), 1u);
}

TEST_F(ResponsesTest, TheStreamOpensAndClosesItemAfterItem) {
  const std::string body = R"("input":"hello","include":["message.output_text.logprobs"],"top_logprobs":2,)" + kShort;
  const Json plain = respond(body);
  const Answer stream = post("/v1/responses", "{\"stream\":true," + body + "}");
  const std::vector<Json> all = events(stream.text);
  std::vector<std::string> types;
  std::map<std::string, std::string> said;  // by item
  Json tokens = Json::array();
  for (size_t i = 0; i < all.size(); ++i) {
    const std::string type = all[i].at("type").as_string();
    EXPECT_EQ(all[i].at("sequence_number").as_int(), static_cast<int64_t>(i));
    EXPECT_NE(stream.text.find("event: " + type + "\ndata: " + all[i].dump() + "\n\n"), std::string::npos);
    if (type.ends_with("text.delta")) {
      said[all[i].at("item_id").as_string()] += all[i].at("delta").as_string();
      if (type == "response.output_text.delta")
        for (const Json& token : all[i].at("logprobs").as_array()) tokens.push_back(token);
    }
    if (types.empty() || types.back() != type) types.push_back(type);
  }
  std::vector<std::string> wanted = {"response.created", "response.in_progress"};
  for (const std::string kind : {"reasoning_text", "output_text"})
    for (const std::string& type :
         {std::string("output_item.added"), std::string("content_part.added"), kind + ".delta", kind + ".done",
          std::string("content_part.done"), std::string("output_item.done")})
      wanted.push_back("response." + type);
  wanted.push_back("response." + plain.at("status").as_string());
  EXPECT_EQ(types, wanted);
  EXPECT_EQ(stream.text.find("[DONE]"), std::string::npos);
  EXPECT_EQ(lasting(all.back().at("response")), lasting(plain));
  for (const Json& item : all.back().at("response").at("output").as_array()) {
    const Json& part = item.at("content").as_array()[0];
    EXPECT_EQ(said[item.at("id").as_string()], part.at("text").as_string());
    if (part.find("logprobs")) {
      EXPECT_GT(part.at("logprobs").size(), 0u);
      for (const Json& token : part.at("logprobs").as_array()) EXPECT_EQ(token.at("top_logprobs").size(), 2u);
      EXPECT_LE(tokens.size(), part.at("logprobs").size());
    }
  }
}

TEST_F(ResponsesTest, OneContinuesAnother) {
  const Json first = respond(R"("input":"hello","instructions":"one",)" + kPlain);
  const std::string id = first.at("id").as_string();
  const Json second =
      respond(R"("input":"and then?","instructions":"two","previous_response_id":")" + id + "\"," + kPlain);
  const auto said = [](const std::string& role, const std::string& what) {
    return Json(Json::Object{{"role", role}, {"content", what}});
  };
  const Json wanted = Json::Array{said("system", "two"), said("user", "hello"), said("assistant", text(first)),
                                  said("user", "and then?")};
  EXPECT_EQ(text(second), chat_text(wanted.dump()));
  EXPECT_EQ(second.at("previous_response_id").as_string(), id);
  // What continues a response keeps it, even when it is deleted itself.
  EXPECT_EQ(call("DELETE", "/v1/responses/" + id).json.at("deleted").as_bool(), true);
  const Json third = respond(R"("input":"?","previous_response_id":")" + second.at("id").as_string() + "\"," + kPlain);
  Json longer = Json::Array{wanted.as_array()[1], wanted.as_array()[2], wanted.as_array()[3],
                            said("assistant", text(second)), said("user", "?")};
  EXPECT_EQ(text(third), chat_text(longer.dump()));
}

TEST_F(ResponsesTest, StoredOnesCanBeFetchedAndDeleted) {
  const Json kept = respond(R"("input":"a",)" + kPlain);
  const std::string path = "/v1/responses/" + kept.at("id").as_string();
  EXPECT_EQ(call("GET", path).json, kept);
  EXPECT_EQ(call("DELETE", path).status, 200);
  for (const char* method : {"GET", "DELETE"}) EXPECT_EQ(call(method, path).status, 404) << method;
  const Json not_kept = respond(R"("input":"a","store":false,)" + kPlain);
  EXPECT_EQ(call("GET", "/v1/responses/" + not_kept.at("id").as_string()).status, 404);
  const Answer lost =
      post("/v1/responses", R"({"input":"a","previous_response_id":")" + not_kept.at("id").as_string() + "\"}");
  EXPECT_EQ(lost.status, 400);
  EXPECT_EQ(lost.json.at("error").at("code").as_string(), "previous_response_not_found");
}

TEST(ResponseStore, HoldsTheNewestOnly) {
  ResponseStore store;
  for (int i = 0; i < 1001; ++i) store.add(std::to_string(i), {Json(i), Json::array(), nullptr, 0});
  EXPECT_EQ(store.find("0"), nullptr);
  EXPECT_NE(store.find("1"), nullptr);
  const std::string large(size_t{40} << 20, 'x');
  store.add("a", {Json(large), Json::array(), nullptr, 0});
  EXPECT_NE(store.find("1000"), nullptr);
  store.add("b", {Json(large), Json::array(), nullptr, 0});
  EXPECT_EQ(store.find("a"), nullptr);
  EXPECT_NE(store.find("b"), nullptr);
}

TEST_F(ResponsesTest, ItemsBecomeTheMessagesOfATurn) {
  EXPECT_EQ(messages_of(R"({"input":[
      {"role":"developer","content":"d"},
      {"type":"message","role":"user","content":[{"type":"input_text","text":"a"},{"type":"input_text","text":"b"}]},
      {"type":"reasoning","id":"rs_1","summary":[],"content":[{"type":"reasoning_text","text":"hm"}]},
      {"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},
      {"type":"function_call","call_id":"c2","name":"g","arguments":"{\"x\":1}","status":"completed"},
      {"type":"function_call_output","call_id":"c1","output":"1"},
      {"type":"function_call_output","call_id":"c2","output":[{"type":"input_text","text":"2"}]},
      {"type":"reasoning","summary":[{"type":"summary_text","text":"so"}]},
      {"type":"message","role":"assistant","content":[{"type":"output_text","text":"done","annotations":[]}]},
      {"role":"user","content":"next"}]})"),
            Json::parse(R"([
      {"role":"system","content":"d"},
      {"role":"user","content":"ab"},
      {"role":"assistant","content":null,"reasoning_content":"hm","tool_calls":[
        {"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}},
        {"id":"c2","type":"function","function":{"name":"g","arguments":"{\"x\":1}"}}]},
      {"role":"tool","tool_call_id":"c1","content":"1"},
      {"role":"tool","tool_call_id":"c2","content":"2"},
      {"role":"assistant","content":"done","reasoning_content":"so"},
      {"role":"user","content":"next"}])")
                .value());
}

TEST_F(ResponsesTest, RefusesByName) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"("input":null)", "input"},
      {R"("input":[])", "input"},
      {R"("input":[1])", "input[0]"},
      {R"("input":[{"type":"item_reference","id":"x"}])", "input[0]"},
      {R"("input":[{"role":"user","content":[{"type":"input_image","image_url":"x"}]}])", "input[0].content"},
      {R"("input":[{"type":"function_call_output","call_id":"x","output":"1"}])", "input[0].tool_call_id"},
      {R"("input":[{"type":"function_call_output","call_id":"x"}])", "input[0].output"},
      {R"("input":[{"type":"function_call","call_id":"x","name":"f"}])", "input[0].arguments"},
      {R"("input":"a","max_output_tokens":0)", "max_output_tokens"},
      {R"("input":"a","temperature":3)", "temperature"},
      {R"("input":"a","reasoning":{"effort":"huge"})", "effort"},
      {R"("input":"a","metadata":{"a":1})", "metadata"},
      {R"("input":"a","background":true)", "background"},
      {R"("input":"a","conversation":"c")", "conversation"},
      {R"("input":"a","prompt":{"id":"p"})", "prompt"},
      {R"("input":"a","truncation":"some")", "truncation"},
      {R"("input":"a","tools":[{"type":"function"}])", "tools[0]"},
      {R"("input":"a","tool_choice":"required")", "tool_choice"},
      {R"("input":"a","text":{"format":{"type":"xml"}})", "type"},
      {R"("input":"a","text":{"format":{"type":"json_schema","name":"n"}})", "text.format.schema"},
      {R"("input":"a","text":{"format":{"type":"json_schema","name":"n","schema":{"type":"x"}}})",
       "text.format.schema"},
      {R"("input":"a","top_logprobs":21)", "top_logprobs"}};
  for (const auto& [body, param] : cases) {
    const Answer answer = post("/v1/responses", "{" + body + "}");
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_EQ(
        answer.json.at("error").at("param").is_string() ? answer.json.at("error").at("param").as_string() : "null",
        param)
        << body << answer.text;
    EXPECT_EQ(post("/responses", "{" + body + "}").status / 100, 4);
  }
  EXPECT_EQ(post("/v1/responses", R"({"input":"a","model":"nobody"})").status, 404);
}

TEST_F(ResponsesTest, NamesWhatHasNoEffect) {
  const Json r =
      respond(R"("input":"a","truncation":"auto","include":["reasoning.encrypted_content","file_search_call.results"],)"
              R"("reasoning":{"effort":"none","summary":"auto"},"text":{"verbosity":"low"},"service_tier":"flex",)"
              R"("tools":[{"type":"web_search"}],"max_output_tokens":3)");
  EXPECT_EQ(r.at("warnings").size(), 7u) << r.at("warnings").dump();
}

TEST_F(ResponsesTest, TheAnswerFitsItsFormat) {
  const Json r = respond(
      R"("input":"a","reasoning":{"effort":"none"},"max_output_tokens":200,"text":{"format":{"type":"json_schema","name":"n",)"
      R"("schema":{"type":"object","properties":{"yes":{"type":"boolean"}},"required":["yes"],"additionalProperties":false}}})");
  EXPECT_TRUE(Json::parse(text(r)).value().at("yes").is_bool()) << text(r);
  EXPECT_EQ(r.at("text").at("format").at("name").as_string(), "n");
}

TEST_F(ResponsesTest, CallsAreItemsAndTheirResultsGoOn) {
  std::ofstream(folder_ / "tiny" / "chat_template.jinja")  // short: the tiny model's context holds 512 tokens
      << "{% for t in tools or [] %}{{ t.function.name }} {% endfor %}{% for m in messages %}[{{ m.role }}]"
         "{{ m.content }}{% for c in m.tool_calls or [] %}{{ c.function.name }}{{ c.function.arguments }}{% endfor %}\n"
         "{% endfor %}[assistant]";
  reset({});
  const std::string ask =
      R"("max_output_tokens":100,"tools":[{"type":"function","name":"f","parameters":{"type":"object","properties":)"
      R"({"on":{"type":"boolean"}},"required":["on"],"additionalProperties":false},"strict":true}],)";
  const std::string forced =
      ask + R"("input":"a","seed":7,"tool_choice":{"type":"function","name":"f"},"parallel_tool_calls":false)";
  const Json r = respond(forced);
  ASSERT_EQ(r.at("output").size(), 1u) << r.dump();
  const Json& item = r.at("output").as_array()[0];
  EXPECT_EQ(item.at("type").as_string() + item.at("name").as_string(), "function_callf");
  EXPECT_TRUE(Json::parse(item.at("arguments").as_string()).value().at("on").is_bool());
  std::string arguments;
  std::vector<std::string> types;
  for (const Json& event : events(post("/v1/responses", "{\"stream\":true," + forced + "}").text)) {
    const std::string type = event.at("type").as_string();
    if (type == "response.function_call_arguments.delta") arguments += event.at("delta").as_string();
    if (types.empty() || types.back() != type) types.push_back(type);
  }
  EXPECT_EQ(arguments, item.at("arguments").as_string());
  EXPECT_EQ(types,
            (std::vector<std::string>{"response.created", "response.in_progress", "response.output_item.added",
                                      "response.function_call_arguments.delta", "response.function_call_arguments.done",
                                      "response.output_item.done", "response.completed"}));
  const std::string result = R"({"type":"function_call_output","output":"1","call_id":)";
  const std::string goes_on = ask + R"("previous_response_id":)" + r.at("id").dump() + R"(,"input":[)" + result;
  EXPECT_EQ(post("/v1/responses", "{" + goes_on + item.at("call_id").dump() + "}]}").status, 200);
  EXPECT_EQ(post("/v1/responses", "{" + goes_on + "\"another\"}]}").status, 400);
}

TEST_F(ResponsesTest, CountsThePrompt) {
  const Json r = respond(R"("input":"hello","instructions":"one",)" + kPlain);
  const Answer count =
      post("/v1/responses/input_tokens", R"({"input":"hello","instructions":"one","reasoning":{"effort":"none"}})");
  EXPECT_EQ(count.json.at("object").as_string(), "response.input_tokens");
  EXPECT_EQ(count.json.at("input_tokens").as_int(), r.at("usage").at("input_tokens").as_int());
}

}  // namespace
}  // namespace jevons
