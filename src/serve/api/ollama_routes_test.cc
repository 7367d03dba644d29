// /api/... as Ollama's clients see it.
#include "serve/api/api_testing.h"

namespace jevons {
namespace {

const std::string kOptions = R"("options":{"num_predict":30,"temperature":1,"seed":4,"min_p":0})";

TEST_F(ApiTest, OllamaStreamsLinesThatSayWhatOneBodySays) {
  const std::string chat = R"({"model":"tiny:latest","messages":[{"role":"user","content":"hi"}],)" + kOptions;
  const Answer whole = post("/api/chat", chat + R"(,"stream":false})");
  ASSERT_EQ(whole.status, 200) << whole.text;
  EXPECT_TRUE(whole.json.at("done").as_bool());
  const Answer stream = post("/api/chat", chat + "}");
  std::string text, thought;
  std::istringstream lines(stream.text);
  Json last;
  for (std::string line; std::getline(lines, line);) {
    last = Json::parse(line).value();
    text += last.at("message").at("content").as_string();
    if (const Json* t = last.at("message").find("thinking")) thought += t->as_string();
  }
  EXPECT_EQ(text, whole.json.at("message").at("content").as_string());
  EXPECT_EQ(thought, whole.json.at("message").at("thinking").as_string());
  EXPECT_TRUE(last.at("done").as_bool());
  EXPECT_EQ(last.at("eval_count").as_int(), whole.json.at("eval_count").as_int());
}

TEST_F(ApiTest, OllamaGeneratesListsAndShows) {
  const Answer a =
      post("/api/generate", R"({"model":"tiny","prompt":"hi","stream":false,"think":false,)" + kOptions + "}");
  ASSERT_EQ(a.status, 200) << a.text;
  EXPECT_FALSE(a.json.at("response").as_string().empty());
  EXPECT_EQ(a.json.find("thinking"), nullptr);
  EXPECT_EQ(call("GET", "/api/tags").json.at("models").size(), 2u);
  EXPECT_EQ(call("GET", "/api/ps").json.at("models").size(), 1u);
  EXPECT_EQ(post("/api/show", R"({"model":"tiny"})").json.at("model_info").at("llama.context_length").as_int(), 512);
  EXPECT_EQ(post("/api/show", R"({"model":"nobody"})").status, 404);
  const Answer wrong = post("/api/chat", "{}");
  EXPECT_EQ(wrong.status, 400);
  EXPECT_TRUE(wrong.json.at("error").is_string()) << wrong.text;
}

}  // namespace
}  // namespace jevons
