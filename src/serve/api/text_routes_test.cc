#include "serve/api/api_testing.h"

namespace jevons {
namespace {

// What evaluation programs do that use the server's tokenizer: names of special tokens, and their ids by /tokenize.
TEST_F(ApiTest, SpecialTokensAreFoundByTheirText) {
  const Json info = call("GET", "/tokenizer_info").json;
  for (const char* name : {"bos_token", "eos_token"}) {
    const Json ids = post("/tokenize", R"({"add_special_tokens":false,"prompt":)" + info.at(name).dump() + "}").json;
    ASSERT_EQ(ids.at("tokens").size(), 1u) << name;
    const Json& id = ids.at("tokens").as_array()[0];
    EXPECT_EQ(id, name == std::string("bos_token") ? info.at("bos_token_id") : info.at("eos_token_ids").as_array()[0]);
    EXPECT_EQ(post("/detokenize", R"({"tokens":[)" + id.dump() + "]}").json.at("prompt"), info.at(name));
  }
}

TEST_F(ApiTest, TheFirstTokenIsPutThereOnlyWhenAskedFor) {
  const auto count = [&](const std::string& more) {
    return post("/tokenize", R"({"content":"hello")" + more + "}").json.at("count").as_int();
  };
  EXPECT_EQ(count(R"(,"add_special":true)"), count("") + 1);
  EXPECT_EQ(count(R"(,"add_special_tokens":true)"), count("") + 1);
  EXPECT_EQ(count(R"(,"add_special_tokens":false)"), count(""));
}

}  // namespace
}  // namespace jevons
