// /chat/completions as its clients see it.
#include "serve/api/api_testing.h"

namespace jevons {
namespace {

const std::string kPlain =
    R"("max_tokens":24,"temperature":1,"seed":5,"ignore_eos":true,"thinking":{"type":"disabled"})";
const std::string kThought = R"("max_tokens":40,"temperature":1,"seed":5,"ignore_eos":true,"thinking_budget":10)";

std::string delta_text(const Json& event, const char* key) {
  if (event.at("choices").size() == 0) return {};
  const Json* text = event.at("choices").as_array()[0].at("delta").find(key);
  return text && text->is_string() ? text->as_string() : "";
}

TEST_F(ApiTest, AnswersWithAllFields) {
  const Answer a = post("/v1/chat/completions", chat(kPlain));
  ASSERT_EQ(a.status, 200) << a.text;
  EXPECT_EQ(a.json.at("object").as_string(), "chat.completion");
  EXPECT_EQ(a.json.at("id").as_string().rfind("chatcmpl-", 0), 0u);
  EXPECT_EQ(a.json.at("model").as_string(), "tiny");
  const Json& choice = a.json.at("choices").as_array().at(0);
  EXPECT_EQ(choice.at("finish_reason").as_string(), "length");
  EXPECT_EQ(choice.at("message").at("role").as_string(), "assistant");
  EXPECT_TRUE(choice.at("message").at("refusal").is_null());
  EXPECT_FALSE(choice.at("message").find("reasoning_content"));
  const Json& usage = a.json.at("usage");
  EXPECT_EQ(usage.at("completion_tokens").as_int(), 24);
  EXPECT_EQ(usage.at("prompt_tokens").as_int(),
            usage.at("prompt_cache_hit_tokens").as_int() + usage.at("prompt_cache_miss_tokens").as_int());
  EXPECT_EQ(usage.at("total_tokens").as_int(), usage.at("prompt_tokens").as_int() + 24);
  // DeepSeek's own path: a UUID.
  EXPECT_EQ(post("/chat/completions", chat(kPlain)).json.at("id").as_string().size(), 36u);
}

TEST_F(ApiTest, AStreamSaysWhatOneBodySays) {
  for (const std::string& options : {kPlain, kThought})
    for (const char* path : {"/v1/chat/completions", "/chat/completions"}) {
      const Answer whole = post(path, chat(options));
      const Answer stream = post(path, chat(options + R"(,"stream":true,"stream_options":{"include_usage":true})"));
      ASSERT_EQ(stream.status, 200) << stream.text;
      EXPECT_TRUE(stream.text.ends_with("data: [DONE]\n\n"));
      std::string text, thought;
      int usages = 0, ends = 0;
      for (const Json& event : events(stream.text)) {
        const std::string t = delta_text(event, "content"), r = delta_text(event, "reasoning_content");
        EXPECT_TRUE(t.empty() || r.empty());
        text += t, thought += r;
        usages += event.find("usage") && event.at("usage").is_object();
        for (const Json& c : event.at("choices").as_array()) ends += c.at("finish_reason").is_string();
      }
      const Json& message = whole.json.at("choices").as_array().at(0).at("message");
      EXPECT_EQ(text, message.at("content").as_string());
      const Json* reasoning = message.find("reasoning_content");
      EXPECT_EQ(thought, reasoning ? reasoning->as_string() : "");
      EXPECT_EQ(usages, 1);
      EXPECT_EQ(ends, 1);
    }
}

TEST_F(ApiTest, TheThoughtIsClosedAndTheAnswerFollows) {
  const Answer a = post("/v1/chat/completions", chat(kThought));
  ASSERT_EQ(a.status, 200) << a.text;
  EXPECT_EQ(a.text.find("think>"), std::string::npos) << a.text;
  const Json& message = a.json.at("choices").as_array().at(0).at("message");
  EXPECT_FALSE(message.at("reasoning_content").as_string().empty());
  EXPECT_FALSE(message.at("content").as_string().empty());
  EXPECT_TRUE(a.json.at("timings").at("thought_cut").as_bool());
  // Without a budget the thought still leaves the answer its part of max_tokens.
  const Answer b = post("/v1/chat/completions", chat(R"("max_tokens":60,"temperature":1,"seed":5,"ignore_eos":true)"));
  EXPECT_FALSE(b.json.at("choices").as_array().at(0).at("message").at("content").as_string().empty()) << b.text;
}

TEST_F(ApiTest, SeveralChoicesShareThePrompt) {
  const std::string text(300, 'x');
  const Answer a = post("/v1/chat/completions", chat(kPlain + R"(,"n":3)", text));
  ASSERT_EQ(a.status, 200) << a.text;
  ASSERT_EQ(a.json.at("choices").size(), 3u);
  const auto content = [&](size_t i) {
    return a.json.at("choices").as_array()[i].at("message").at("content").as_string();
  };
  EXPECT_NE(content(0), content(1));
  EXPECT_NE(content(1), content(2));
  EXPECT_EQ(a.json.at("usage").at("completion_tokens").as_int(), 72);
  EXPECT_EQ(service_->counts().cached_tokens % 64, 0);
  EXPECT_GE(service_->counts().cached_tokens, 2 * 256);
}

TEST_F(ApiTest, LogprobsOfEveryToken) {
  const Answer a = post("/v1/chat/completions", chat(kThought + R"(,"logprobs":true,"top_logprobs":3)"));
  ASSERT_EQ(a.status, 200) << a.text;
  const Json& logprobs = a.json.at("choices").as_array().at(0).at("logprobs");
  EXPECT_EQ(static_cast<int64_t>(logprobs.at("content").size() + logprobs.at("reasoning_content").size()),
            a.json.at("usage").at("completion_tokens").as_int());
  const Json& token = logprobs.at("reasoning_content").as_array().at(0);
  EXPECT_EQ(token.at("top_logprobs").size(), 3u);
  EXPECT_LE(token.at("logprob").as_double(), 0);
  EXPECT_TRUE(token.at("bytes").is_array());
}

TEST_F(ApiTest, TheSameRequestGivesTheSameTextInAnyCompany) {
  std::vector<std::string> alone;
  for (int i = 0; i < 8; ++i)
    alone.push_back(post("/v1/chat/completions", chat(kPlain, "question " + std::to_string(i)))
                        .json.at("choices")
                        .as_array()
                        .at(0)
                        .at("message")
                        .at("content")
                        .as_string());
  std::vector<std::shared_ptr<MemoryExchange>> together;
  for (int i = 0; i < 8; ++i)
    together.push_back(start("POST", "/v1/chat/completions", chat(kPlain, "question " + std::to_string(i))));
  for (size_t i = 0; i < 8; ++i) {
    together[i]->wait();
    EXPECT_EQ(Json::parse(together[i]->body())->at("choices").as_array().at(0).at("message").at("content").as_string(),
              alone[i]);
  }
}

TEST_F(ApiTest, ACutConnectionFreesItsPlace) {
  post("/v1/chat/completions", chat(kPlain));  // the model is loaded now
  std::shared_ptr<Hold> held;
  const auto stream = begin(chat(R"("ignore_eos":true,"stream":true)"), held);
  stream->close();
  held->go();
  until_idle();
  EXPECT_EQ(service_->counts().running, 0);
  EXPECT_EQ(service_->counts().cancelled, 1);
}

TEST_F(ApiTest, AnswerNowAndStopByTheId) {
  post("/v1/chat/completions", chat(kPlain));
  for (const std::string action : {"answer_now", "stop"}) {
    std::shared_ptr<Hold> held;
    const auto stream = begin(chat(R"("ignore_eos":true,"stream":true,"temperature":1,"seed":1)"), held);
    const std::string id = events(stream->body()).at(0).at("id").as_string();
    const Answer wrong = post("/v1/chat/completions/" + id + "/control", R"({"action":"explode"})");
    EXPECT_EQ(wrong.status, 400);
    EXPECT_EQ(wrong.json.at("error").at("param").as_string(), "action");
    EXPECT_EQ(post("/v1/chat/completions/nobody/control", R"({"action":"stop"})").status, 404);
    EXPECT_EQ(post("/v1/chat/completions/" + id + "/control", "{\"action\":\"" + action + "\"}").status, 200);
    held->go();
    stream->wait();
    EXPECT_TRUE(stream->body().ends_with("data: [DONE]\n\n"));
    std::string text, thought;
    for (const Json& event : events(stream->body()))
      text += delta_text(event, "content"), thought += delta_text(event, "reasoning_content");
    // A thought that is cut at once is short; one that is stopped has no answer.
    EXPECT_LT(thought.size(), 40u) << action;
    EXPECT_EQ(text.empty(), action == "stop") << action;
  }
}

TEST_F(ApiTest, SaysWhatIsWrong) {
  struct Case {
    std::string body, param, words;
    int status = 400;
  };
  const Case cases[] = {
      {"{", "", "no JSON"},
      {"[]", "", "expected a JSON object"},
      {"{}", "messages", "missing"},
      {R"({"messages":[]})", "messages", "at least one"},
      {R"({"messages":[{"role":"king","content":"x"}]})", "messages[0].role", "king"},
      {R"({"messages":[{"role":"user"}]})", "messages[0].content", "missing"},
      {R"({"messages":[{"role":"user","content":[{"type":"image_url"}]}]})", "messages[0].content", "image_url"},
      {chat(R"("model":"tini")"), "model", "did you mean tiny", 404},
      {chat(R"("temperature":3)"), "temperature", "0 to 2"},
      {chat(R"("temperature":"hot")"), "temperature", "a number"},
      {chat(R"("max_tokens":0)"), "max_tokens", "expected 1"},
      {chat(R"("max_tokens":1.5)"), "max_tokens", "whole number"},
      {chat(R"("n":1000)"), "n", "1 to 16"},
      {chat(R"("stop":[1])"), "stop", "strings"},
      {chat(R"("top_logprobs":3)"), "top_logprobs", "logprobs: true"},
      {chat(R"("logit_bias":{"x":1})"), "logit_bias", "token id"},
      {chat(R"("logit_bias":{"99999":1})"), "logit_bias", "vocabulary"},
      {chat(R"("reasoning_effort":"huge")"), "reasoning_effort", "minimal"},
      {chat(R"("response_format":{"type":"grammar"})"), "response_format", "text"},
      {chat("", std::string(5000, 'x')), "messages", "the context of tiny holds 512"},
  };
  for (const Case& c : cases) {
    const Answer a = post("/v1/chat/completions", c.body);
    EXPECT_EQ(a.status, c.status) << a.text;
    const Json& error = a.json.at("error");
    EXPECT_NE(error.at("message").as_string().find(c.words), std::string::npos) << a.text;
    EXPECT_EQ(error.at("param").is_null() ? "" : error.at("param").as_string(), c.param) << a.text;
  }
  EXPECT_EQ(post("/chat/completions", chat(R"("temperature":3)")).status, 422);
  EXPECT_EQ(call("GET", "/v1/chat/completions").status, 405);
  EXPECT_EQ(call("GET", "/nowhere").status, 404);
}

TEST_F(ApiTest, NamesWhatHasNoEffect) {
  const Answer a = post("/v1/chat/completions", chat(kPlain + R"(,"store":true,"wombat":1)"));
  ASSERT_EQ(a.status, 200);
  ASSERT_EQ(a.json.at("warnings").size(), 2u) << a.text;
  EXPECT_EQ(post("/v1/chat/completions", chat(kPlain)).json.find("warnings"), nullptr);
  const Answer alias = post("/v1/chat/completions", chat(kPlain + R"(,"model":"deepseek-chat")"));
  EXPECT_EQ(alias.json.at("model").as_string(), "deepseek-chat");
  EXPECT_NE(alias.text.find("is answered by tiny"), std::string::npos);
}

TEST_F(ApiTest, AFullQueueIsRefused) {
  reset({.models = {}, .model = {}, .slots = 1, .queue = 2});
  post("/v1/chat/completions", chat(kPlain));
  const auto held = hold();
  held->wait();
  std::vector<std::shared_ptr<MemoryExchange>> all;
  for (int i = 0; i < 2; ++i) all.push_back(start("POST", "/v1/chat/completions", chat(kPlain)));
  const Answer refused = post("/v1/chat/completions", chat(kPlain));
  EXPECT_EQ(refused.status, 429) << refused.text;
  EXPECT_EQ(refused.json.at("error").at("code").as_string(), "rate_limit_exceeded");
  held->go();
  for (auto& one : all) one->wait();
  until_idle();
  EXPECT_EQ(post("/v1/chat/completions", chat(kPlain)).status, 200);
}

TEST_F(ApiTest, AnotherModelIsLoadedWhenAsked) {
  EXPECT_EQ(call("GET", "/v1/models").json.at("data").as_array().at(1).at("status").as_string(), "available");
  const Answer a = post("/v1/chat/completions", chat(kPlain + R"(,"model":"other")"));
  ASSERT_EQ(a.status, 200) << a.text;
  const Answer one = call("GET", "/v1/models/other");
  EXPECT_EQ(one.json.at("status").as_string(), "loaded");
  EXPECT_EQ(one.json.at("context_window").as_int(), 512);
  EXPECT_TRUE(one.json.at("thinks").as_bool());
  EXPECT_EQ(call("GET", "/v1/models/nobody").status, 404);
}

TEST_F(ApiTest, TheLeastRecentlyUsedModelMakesRoom) {
  reset({.models = {}, .model = {}, .memory_limit = 30'000'000});  // one tiny model takes 19 MB
  EXPECT_EQ(post("/v1/chat/completions", chat(kPlain)).status, 200);
  EXPECT_EQ(post("/v1/chat/completions", chat(kPlain + R"(,"model":"other")")).status, 200);
  EXPECT_EQ(call("GET", "/v1/models/tiny").json.at("status").as_string(), "available");
  EXPECT_EQ(service_->counts().unloads, 1);
  reset({.models = {}, .model = {}, .memory_limit = 1'000'000});
  const Answer refused = post("/v1/chat/completions", chat(kPlain));
  EXPECT_NE(refused.text.find("the limit is 1.0"), std::string::npos) << refused.text;
}

TEST_F(ApiTest, AContinuedAnswerGoesOn) {
  const std::string body =
      R"({"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"Once","prefix":true}],)" + kPlain +
      "}";
  EXPECT_EQ(post("/beta/chat/completions", body).status, 200);
  const Answer prompt = post("/apply-template", body);
  EXPECT_TRUE(prompt.json.at("prompt").as_string().ends_with("[assistant]Once")) << prompt.text;
}

TEST_F(ApiTest, TokensThereAndBack) {
  const Answer ids = post("/tokenize", R"({"content":"Grüße"})");
  ASSERT_EQ(ids.status, 200) << ids.text;
  const Answer text = post("/detokenize", "{\"tokens\":" + ids.json.at("tokens").dump() + "}");
  EXPECT_EQ(text.json.at("content").as_string(), "Grüße");
  EXPECT_EQ(post("/detokenize", R"({"tokens":[-1]})").status, 400);
  EXPECT_EQ(post("/detokenize", R"({"tokens":[99999999]})").status, 400);
  EXPECT_EQ(call("GET", "/tokenizer_info").json.at("vocab_size").as_int(), 264);
}

TEST_F(ApiTest, StatusRoutes) {
  EXPECT_EQ(call("GET", "/health").status, 200);
  post("/v1/chat/completions", chat(kPlain));
  const std::string metrics = call("GET", "/metrics").text;
  EXPECT_NE(metrics.find("\njevons_generated_tokens_total 24\n"), std::string::npos) << metrics;
  EXPECT_NE(metrics.find("jevons_model_loaded{model=\"tiny\"} 1"), std::string::npos) << metrics;
  const Json paths = call("GET", "/openapi.json").json.at("paths");
  EXPECT_TRUE(paths.find("/v1/chat/completions"));
  EXPECT_EQ(call("GET", "/user/balance").json.at("is_available").as_bool(), true);
}

}  // namespace
}  // namespace jevons
