// Tool calls as clients of the APIs see them. The tiny model does not call by itself: its answer is played, token by
// token, into the same Generation and sink that a chat has.
#include "serve/api/api_testing.h"
#include "serve/api/openai_chat.h"

namespace jevons {
namespace {

const std::string kTools =
    R"("tools":[{"type":"function","function":{"name":"get_weather","description":"Weather","parameters":{"type":"object"}}},
       {"type":"function","function":{"name":"f"}}])";

class ToolCallsTest : public ApiTest {
 protected:
  // A short template that lists tools: the tiny model's context holds 512 bytes.
  ToolCallsTest() {
    std::ofstream(folder_ / "tiny" / "chat_template.jinja")
        << "{% for t in tools or [] %}{{ t.function.name }} {% endfor %}"
           "{% for m in messages %}[{{ m.role }}]{{ m.reasoning_content or '' }}{{ m.content }}\n{% endfor "
           "%}[assistant]"
           "{% if enable_thinking is not defined or enable_thinking %}<think>\n{% endif %}";
    reset({});
  }

  // The reply to a chat in which the model writes `answer`.
  Answer play(Dialect dialect, const std::string& body, const std::string& answer, bool to_the_end = true) {
    const auto exchange = std::make_shared<MemoryExchange>();
    service_->post([&] {
      service_->with_model("tiny",
                           [&](Result<Model*> model) { run(dialect, body, answer, to_the_end, **model, exchange); });
    });
    exchange->wait();
    Result<Json> json = Json::parse(exchange->body());
    return {exchange->status(), exchange->body(), json.ok() ? *json : Json()};
  }

  // The deltas and finish reasons of a stream, ids of calls replaced by their pattern.
  static Json deltas(const std::string& stream) {
    Json out = Json::array();
    for (const Json& event : events(stream))
      for (const Json& choice : event.at("choices").as_array()) {
        Json delta = choice.at("delta");
        if (delta.find("tool_calls"))
          for (Json& call : delta["tool_calls"].as_array())
            if (call.find("id")) call["id"] = pattern(call.at("id").as_string());
        out.push_back(Json::Object{{"delta", delta}, {"finish_reason", choice.at("finish_reason")}});
      }
    return out;
  }
  static std::string pattern(const std::string& id) {
    const size_t at = id.rfind('_') + 1;
    return id.substr(0, at) + std::to_string(id.size() - at);
  }

 private:
  void run(Dialect dialect, const std::string& body, const std::string& answer, bool to_the_end, Model& model,
           const std::shared_ptr<MemoryExchange>& exchange) {
    const Json json = Json::parse(body).value();
    Fields fields(json);
    ChatRequest request = parse_chat(fields, dialect);
    resolve_model(*service_, request);
    const PreparedChat prepared = prepare_chat(request, model);
    const auto sink = openai_chat_sink(dialect, "id", Reply(exchange));
    sink->begin(request, prepared, model);
    Generation generation(model.tokenizer(), prepared.options, 1000, [&](const Piece& p) { sink->piece(0, p); });
    const Request tokens = generation.request(prepared.prompt, prepared.sampling);
    bool ended = false;
    for (const int32_t id : model.tokenizer().encode(answer))
      if (!ended) ended = tokens.on_token(id, true).stop;
    if (!ended && to_the_end) tokens.on_token(model.stop_ids().at(0), true);
    sink->choice_end(0, generation.finish());
    sink->end({});
  }
};

const std::string kPlain = R"("thinking":{"type":"disabled"},)";
const std::string kCall = "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"place\": \"Ulm\"}}\n</tool_call>";

TEST_F(ToolCallsTest, OneBody) {
  for (const Dialect dialect : {Dialect::openai, Dialect::deepseek}) {
    const Answer a = play(dialect, chat(kPlain + kTools), kCall + "\n" + kCall);
    ASSERT_EQ(a.status, 200) << a.text;
    const Json& choice = a.json.at("choices").as_array().at(0);
    EXPECT_EQ(choice.at("finish_reason").as_string(), "tool_calls");
    EXPECT_TRUE(choice.at("message").at("content").is_null());
    const auto& calls = choice.at("message").at("tool_calls").as_array();
    ASSERT_EQ(calls.size(), 2u);
    for (size_t i = 0; i < 2; ++i) {
      EXPECT_EQ(calls[i].at("type").as_string(), "function");
      EXPECT_EQ(calls[i].at("function").at("name").as_string(), "get_weather");
      EXPECT_EQ(calls[i].at("function").at("arguments").as_string(), "{\"place\": \"Ulm\"}");
      const std::string id = pattern(calls[i].at("id").as_string());
      EXPECT_EQ(id, dialect == Dialect::openai ? "call_24" : i == 0 ? "call_00_22" : "call_01_22");
    }
    EXPECT_NE(calls[0].at("id").as_string(), calls[1].at("id").as_string());
  }
}

// The text that an event of a stream carries a piece of; null if it carries none.
Json* piece_of(Json& event) {
  Json& delta = event["delta"];
  if (delta.find("role")) return nullptr;
  for (const char* key : {"content", "reasoning_content"})
    if (const Json* text = delta.find(key); text && text->is_string()) return &delta[key];
  if (!delta.find("tool_calls")) return nullptr;
  Json& function = delta["tool_calls"].as_array().at(0)["function"];
  return function.find("name") ? nullptr : &function["arguments"];
}

// The shapes of the streams, as written down in tests/golden/api/tool_streams.json.
TEST_F(ToolCallsTest, StreamsHaveTheShapesOfTheContracts) {
  std::ifstream file(std::filesystem::path(JEVONS_SOURCE_DIR) / "tests/golden/api/tool_streams.json");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const Json golden = Json::parse(text).value();
  ASSERT_GE(golden.size(), 6u);
  for (const Json& one : golden.as_array()) {
    const bool openai = one.at("dialect").as_string() == "openai";
    const std::string thinking = one.at("thinking").as_bool() ? "" : kPlain;
    const Answer a = play(openai ? Dialect::openai : Dialect::deepseek, chat(thinking + kTools + R"(,"stream":true)"),
                          one.at("answer").as_string(), one.at("ends").as_bool());
    // The pieces of a text depend on the tokens: joined here, their order kept.
    Json joined = Json::array(), blank = Json::array();
    const Json given = deltas(a.text);
    for (Json event : given.as_array()) {
      const Json whole = event;
      Json* part = piece_of(event);
      const std::string more = part ? std::exchange(*part, Json("")).as_string() : "";
      if (!more.empty() && blank.size() > 0 && blank.as_array().back() == event) {
        Json& all = *piece_of(joined.as_array().back());
        all = all.as_string() + more;
        continue;
      }
      blank.push_back(event);
      joined.push_back(whole);
    }
    EXPECT_EQ(joined.dump(1), one.at("events").dump(1)) << one.at("about").as_string();
    EXPECT_TRUE(a.text.ends_with("data: [DONE]\n\n"));
  }
}

TEST_F(ToolCallsTest, WhatIsNoCallIsContent) {
  const std::string unknown = "<tool_call>\n{\"name\": \"fly\", \"arguments\": {}}\n</tool_call>";
  const Answer a = play(Dialect::openai, chat(kPlain + kTools), unknown);
  const Json& choice = a.json.at("choices").as_array().at(0);
  EXPECT_EQ(choice.at("finish_reason").as_string(), "stop");
  EXPECT_EQ(choice.at("message").at("content").as_string(), unknown);
  EXPECT_EQ(choice.at("message").find("tool_calls"), nullptr);
  // Nobody asked for calls: all is text.
  for (const std::string& tools : {std::string(), "," + kTools + R"(,"tool_choice":"none")"}) {
    const Answer b = play(Dialect::openai, chat(kPlain.substr(0, kPlain.size() - 1) + tools), kCall);
    EXPECT_EQ(b.json.at("choices").as_array().at(0).at("message").at("content").as_string(), kCall);
  }
}

TEST_F(ToolCallsTest, ACallInAThoughtThatIsNeverClosed) {
  const Answer a = play(Dialect::openai, chat(kTools), "I look it up.\n" + kCall);
  const Json& choice = a.json.at("choices").as_array().at(0);
  EXPECT_EQ(choice.at("finish_reason").as_string(), "tool_calls");
  EXPECT_EQ(choice.at("message").at("tool_calls").size(), 1u);
  EXPECT_NE(choice.at("message").at("reasoning_content").as_string().find("I look it up."), std::string::npos);
  // A call that is only thought about is none.
  const Answer b = play(Dialect::openai, chat(kTools), "Perhaps " + kCall + "?\n</think>\n\nNo.");
  EXPECT_EQ(b.json.at("choices").as_array().at(0).at("finish_reason").as_string(), "stop");
}

TEST_F(ToolCallsTest, OneCallOnlyIfAskedFor) {
  const Answer a =
      play(Dialect::openai, chat(kPlain + kTools + R"(,"parallel_tool_calls":false)"), kCall + "\n" + kCall);
  const Json& choice = a.json.at("choices").as_array().at(0);
  EXPECT_EQ(choice.at("message").at("tool_calls").size(), 1u);
  EXPECT_EQ(choice.at("finish_reason").as_string(), "tool_calls");
}

TEST_F(ToolCallsTest, LogprobsOfEveryTokenOfACall) {
  const std::string options = kPlain + kTools + R"(,"logprobs":true)";
  const Answer whole = play(Dialect::openai, chat(options), "Hm. " + kCall);
  const Answer stream = play(Dialect::openai, chat(options + R"(,"stream":true)"), "Hm. " + kCall);
  size_t streamed = 0;
  for (const Json& event : events(stream.text))
    for (const Json& choice : event.at("choices").as_array())
      if (choice.at("logprobs").is_object()) streamed += choice.at("logprobs").at("content").size();
  EXPECT_EQ(streamed, whole.json.at("choices").as_array().at(0).at("logprobs").at("content").size());
  EXPECT_EQ(static_cast<int64_t>(streamed), whole.json.at("usage").at("completion_tokens").as_int());
}

const std::string kHistory =
    R"({"messages":[{"role":"user","content":"How warm?"},{"role":"assistant","content":null,"tool_calls":[
      {"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"a\": 1}"}}]},
      {"role":"tool","tool_call_id":"call_1","content":"17 degrees"}],"max_tokens":1,)" +
    kTools + "}";

TEST_F(ToolCallsTest, TheHistoryIsInThePrompt) {
  const std::string prompt = post("/apply-template", kHistory).json.at("prompt").as_string();
  for (const char* words :
       {"get_weather", "[assistant]<tool_call>\n{\"name\": \"f\"", "{\"a\": 1}", "<tool_response>\n17 degrees"})
    EXPECT_NE(prompt.find(words), std::string::npos) << prompt;
}

TEST_F(ToolCallsTest, TheThoughtBeforeACallIsRemembered) {
  const int64_t without = post("/v1/chat/completions", kHistory).json.at("usage").at("prompt_tokens").as_int();
  std::string thought(40, 'x');
  std::atomic<bool> done = false;
  service_->post([&] {
    api_->active.thoughts.remember({{"call_0", "f", "{}"}, {"call_1", "f", "{}"}}, thought);
    done = true;
  });
  while (!done) std::this_thread::yield();
  const int64_t with = post("/v1/chat/completions", kHistory).json.at("usage").at("prompt_tokens").as_int();
  EXPECT_EQ(with - without, 40);
  // A client that sends it itself is believed.
  std::string own = kHistory;
  own.replace(own.find("\"content\":null"), 14, "\"content\":null,\"reasoning_content\":\"\"");
  EXPECT_EQ(post("/v1/chat/completions", own).json.at("usage").at("prompt_tokens").as_int(), without);
}

TEST(ThoughtMemory, IsBounded) {
  ThoughtMemory memory;
  Json messages =
      Json::parse(R"([{"role":"assistant","tool_calls":[{"id":"c0"}]},{"role":"user","content":"x"}])").value();
  const auto known = [&] {
    Json copy = messages;
    memory.recall(copy);
    return copy.as_array()[0].find("reasoning_content") != nullptr;
  };
  memory.remember({{"c0", "f", ""}}, "why");
  EXPECT_TRUE(known());
  for (int i = 1; i < 4096; ++i) memory.remember({{"c" + std::to_string(i), "f", ""}}, "why");
  EXPECT_TRUE(known());
  memory.remember({{"one more", "f", ""}}, "why");
  EXPECT_FALSE(known());
  memory.remember({{"c0", "f", ""}}, "why");
  memory.remember({{"large", "f", ""}}, std::string(size_t{64} << 20, 'x'));
  EXPECT_FALSE(known());
}

TEST_F(ToolCallsTest, SaysWhatIsWrong) {
  const auto error = [&](const std::string& body) {
    const Answer a = post("/v1/chat/completions", body);
    EXPECT_EQ(a.status, 400) << a.text;
    return a.json.at("error").at("param").as_string() + ": " + a.json.at("error").at("message").as_string();
  };
  const auto history = [&](const std::string& from, const std::string& to) {
    std::string body = kHistory;
    body.replace(body.find(from), from.size(), to);
    return error(body);
  };
  EXPECT_NE(history(R"("tool_call_id":"call_1")", R"("tool_call_id":"call_2")").find("no assistant message before it"),
            std::string::npos);
  EXPECT_NE(history(R"("tool_call_id":"call_1",)", "").find("messages[2].tool_call_id: "), std::string::npos);
  EXPECT_NE(history(R"("id":"call_1",)", "").find("messages[1].tool_calls[0].id: "), std::string::npos);
  EXPECT_NE(history(R"("arguments":"{\"a\": 1}")", R"("arguments":7)").find("function.arguments: "), std::string::npos);
  EXPECT_NE(history(R"("name":"f","arguments")", R"("arguments")").find("function.name: "), std::string::npos);
  EXPECT_NE(error(chat(R"("tools":[{"type":"function","function":{"name":"a b"}}])")).find("tools[0]"),
            std::string::npos);
  EXPECT_NE(error(chat(kTools.substr(0, kTools.size() - 1) + R"(,{"type":"function","function":{"name":"f"}}])"))
                .find("another tool"),
            std::string::npos);
}

}  // namespace
}  // namespace jevons
