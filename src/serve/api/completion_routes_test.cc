// /completions as its clients see it.
#include "serve/api/api_testing.h"

namespace jevons {
namespace {

const std::string kOptions = R"("max_tokens":8,"temperature":1,"seed":3,"ignore_eos":true)";

TEST_F(ApiTest, CompletesTextIdsAndListsOfBoth) {
  const Answer text = post("/v1/completions", R"({"prompt":"abc",)" + kOptions + "}");
  ASSERT_EQ(text.status, 200) << text.text;
  const std::string answer = text.json.at("choices").as_array().at(0).at("text").as_string();
  const std::string ids = post("/tokenize", R"({"content":"abc","add_special":true})").json.at("tokens").dump();
  const std::string plain = post("/tokenize", R"({"content":"abc"})").json.at("tokens").dump();
  const bool bos = call("GET", "/tokenizer_info").json.at("add_bos").as_bool();
  const std::string same = bos ? ids : plain;
  EXPECT_EQ(post("/v1/completions", "{\"prompt\":" + same + "," + kOptions + "}")
                .json.at("choices")
                .as_array()
                .at(0)
                .at("text")
                .as_string(),
            answer);
  const Answer lists = post("/v1/completions", "{\"prompt\":[" + same + "," + same + "]," + kOptions + "}");
  ASSERT_EQ(lists.json.at("choices").size(), 2u) << lists.text;
  EXPECT_EQ(lists.json.at("choices").as_array().at(1).at("text").as_string(), answer);
  EXPECT_EQ(lists.json.at("usage").at("completion_tokens").as_int(), 16);
  const Answer n = post("/v1/completions", R"({"prompt":["abc","b"],"n":2,)" + kOptions + "}");
  EXPECT_EQ(n.json.at("choices").size(), 4u);
  EXPECT_EQ(n.json.at("choices").as_array().at(0).at("text").as_string(), answer);
}

// What lm-eval sends: token ids, echo, one token, and the log-probability of every position.
TEST_F(ApiTest, EchoGivesThePromptsOwnProbabilities) {
  const Answer a =
      post("/v1/completions",
           R"({"prompt":[5,6,7,8],"echo":true,"max_tokens":1,"logprobs":1,"temperature":0,"ignore_eos":true})");
  ASSERT_EQ(a.status, 200) << a.text;
  const Json& l = a.json.at("choices").as_array().at(0).at("logprobs");
  ASSERT_EQ(l.at("token_logprobs").size(), 5u) << a.text;
  EXPECT_TRUE(l.at("token_logprobs").as_array()[0].is_null());
  for (size_t i = 1; i < 5; ++i) EXPECT_LT(l.at("token_logprobs").as_array()[i].as_double(), 0);
  EXPECT_EQ(l.at("top_logprobs").as_array()[3].size(), 1u);
  // The last one is the greedy token: its own alternative is itself.
  EXPECT_EQ(l.at("top_logprobs").as_array()[4].as_object()[0].second.as_double(),
            l.at("token_logprobs").as_array()[4].as_double());
  // The probability of a prompt's token is what generating it would have had.
  const Answer shorter = post(
      "/v1/completions",
      R"({"prompt":[5,6,7],"max_tokens":1,"logprobs":20,"temperature":0,"logit_bias":{"8":100},"ignore_eos":true})");
  EXPECT_NEAR(shorter.json.at("choices").as_array().at(0).at("logprobs").at("token_logprobs").as_array()[0].as_double(),
              l.at("token_logprobs").as_array()[3].as_double(), 1e-4);
  const Answer none = post("/v1/completions", R"({"prompt":[5,6,7,8],"echo":true,"max_tokens":0,"logprobs":1})");
  EXPECT_EQ(none.json.at("choices").as_array().at(0).at("logprobs").at("tokens").size(), 4u) << none.text;
}

TEST_F(ApiTest, ACompletionStreamsWhatOneBodySays) {
  const Answer whole = post("/v1/completions", R"({"prompt":"abc","echo":true,"logprobs":2,)" + kOptions + "}");
  const Answer stream =
      post("/v1/completions",
           R"({"prompt":"abc","echo":true,"logprobs":2,"stream":true,"stream_options":{"include_usage":true},)" +
               kOptions + "}");
  std::string text;
  size_t tokens = 0;
  for (const Json& event : events(stream.text))
    for (const Json& choice : event.at("choices").as_array()) {
      text += choice.at("text").as_string();
      tokens += choice.at("logprobs").at("tokens").size();
    }
  EXPECT_EQ(text, whole.json.at("choices").as_array().at(0).at("text").as_string());
  EXPECT_EQ(tokens, whole.json.at("choices").as_array().at(0).at("logprobs").at("tokens").size());
  EXPECT_TRUE(events(stream.text).back().at("usage").is_object());
}

TEST_F(ApiTest, CompletionsSayWhatIsWrong) {
  EXPECT_EQ(post("/v1/completions", "{}").json.at("error").at("param").as_string(), "prompt");
  EXPECT_EQ(post("/v1/completions", R"({"prompt":[]})").status, 400);
  EXPECT_EQ(post("/v1/completions", R"({"prompt":["a",[1]]})").status, 400);
  EXPECT_EQ(post("/v1/completions", R"({"prompt":[99999]})").status, 400);
  EXPECT_EQ(post("/v1/completions", R"({"prompt":"a","best_of":3})").json.at("error").at("param").as_string(),
            "best_of");
  const Answer fim = post("/beta/completions", R"({"prompt":"a","suffix":"b"})");
  EXPECT_NE(fim.text.find("fill in the middle"), std::string::npos) << fim.text;
  EXPECT_EQ(post("/beta/completions", R"({"prompt":"a","temperature":9})").status, 422);
}

}  // namespace
}  // namespace jevons
