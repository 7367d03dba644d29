// /v1/messages as Anthropic's clients see it.
#include "serve/api/api_testing.h"

namespace jevons {
namespace {

const std::string kMessages =
    R"("messages":[{"role":"user","content":[{"type":"text","text":"hello"}]}],"max_tokens":40,"temperature":1,"top_k":50)";

std::vector<std::string> event_names(const std::string& stream) {
  std::vector<std::string> out;
  for (size_t at = 0; (at = stream.find("event: ", at)) != std::string::npos;) {
    const size_t end = stream.find('\n', at);
    out.push_back(stream.substr(at + 7, end - at - 7));
    at = end;
  }
  return out;
}

TEST_F(ApiTest, MessagesHaveAThoughtAndAText) {
  const Answer a = post("/v1/messages", "{" + kMessages + R"(,"thinking":{"type":"enabled","budget_tokens":10}})");
  ASSERT_EQ(a.status, 200) << a.text;
  EXPECT_EQ(a.json.at("type").as_string(), "message");
  ASSERT_EQ(a.json.at("content").size(), 2u) << a.text;
  EXPECT_EQ(a.json.at("content").as_array()[0].at("type").as_string(), "thinking");
  EXPECT_EQ(a.json.at("content").as_array()[1].at("type").as_string(), "text");
  const int64_t output = a.json.at("usage").at("output_tokens").as_int();
  EXPECT_GT(output, 0);
  EXPECT_LE(output, 40);
  const Answer off = post("/anthropic/v1/messages", "{" + kMessages + R"(,"thinking":{"type":"disabled"}})");
  ASSERT_EQ(off.json.at("content").size(), 1u) << off.text;
}

TEST_F(ApiTest, MessagesStreamInAnthropicsOrder) {
  const Answer a =
      post("/v1/messages", "{" + kMessages + R"(,"stream":true,"thinking":{"type":"enabled","budget_tokens":10}})");
  const std::vector<std::string> names = event_names(a.text);
  std::vector<std::string> order;  // runs of deltas count once
  for (const std::string& name : names)
    if (order.empty() || order.back() != name) order.push_back(name);
  const std::vector<std::string> expected = {"message_start",      "content_block_start", "content_block_delta",
                                             "content_block_stop", "content_block_start", "content_block_delta",
                                             "content_block_stop", "message_delta",       "message_stop"};
  EXPECT_EQ(order, expected) << a.text;
  std::string text, thought;
  for (const Json& event : events(a.text)) {
    if (event.at("type").as_string() != "content_block_delta") continue;
    const Json& delta = event.at("delta");
    if (delta.at("type").as_string() == "text_delta") text += delta.at("text").as_string();
    if (delta.at("type").as_string() == "thinking_delta") thought += delta.at("thinking").as_string();
  }
  EXPECT_FALSE(text.empty());
  EXPECT_FALSE(thought.empty());
}

TEST_F(ApiTest, MessagesCountTokensAndToolResults) {
  const std::string body = R"({"system":"be brief","messages":[{"role":"user","content":"a"},
    {"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"f","input":{"x":1}}]},
    {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"result"},{"type":"text","text":"go on"}]}]})";
  const Answer a = post("/v1/messages/count_tokens", body);
  ASSERT_EQ(a.status, 200) << a.text;
  EXPECT_GT(a.json.at("input_tokens").as_int(), 20);
}

TEST_F(ApiTest, MessagesSayWhatIsWrongInAnthropicsForm) {
  const auto error = [&](const std::string& body, int status = 400) {
    const Answer a = post("/v1/messages", body);
    EXPECT_EQ(a.status, status) << a.text;
    EXPECT_EQ(a.json.at("type").as_string(), "error") << a.text;
    return a.json.at("error").at("message").as_string();
  };
  EXPECT_NE(error("{").find("no JSON"), std::string::npos);
  EXPECT_NE(error(R"({"messages":[{"role":"user","content":"a"}]})").find("max_tokens"), std::string::npos);
  EXPECT_NE(error(R"({"max_tokens":5,"messages":[]})").find("at least one"), std::string::npos);
  EXPECT_NE(error(R"({"max_tokens":5,"messages":[{"role":"system","content":"a"}]})").find("role"), std::string::npos);
  EXPECT_NE(error(R"({"max_tokens":5,"messages":[{"role":"user","content":[{"type":"image"}]}]})").find("image"),
            std::string::npos);
  EXPECT_NE(error(R"({"max_tokens":5,"messages":[{"role":"user","content":[{"type":"tool_use"}]}]})").find("id"),
            std::string::npos);
  error(R"({"model":"nobody",)" + kMessages + "}", 404);
}

}  // namespace
}  // namespace jevons
