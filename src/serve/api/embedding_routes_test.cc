#include <algorithm>
#include <cmath>
#include <cstring>

#include "serve/api/api_testing.h"

namespace jevons {
namespace {

class EmbeddingsTest : public ApiTest {
 protected:
  Json embed(const std::string& more) {
    const Answer answer = post("/v1/embeddings", "{" + more + "}");
    EXPECT_EQ(answer.status, 200) << answer.text;
    return answer.json;
  }
  static std::vector<double> vector(const Json& reply, size_t index = 0) {
    std::vector<double> out;
    for (const Json& x : reply.at("data").as_array().at(index).at("embedding").as_array()) out.push_back(x.as_double());
    return out;
  }
  static double dot(const std::vector<double>& a, const std::vector<double>& b) {
    double out = 0;
    for (size_t i = 0; i < a.size(); ++i) out += a[i] * b.at(i);
    return out;
  }
  // The hidden states of the tiny model, normalised mean or last row: by an engine of the test's own.
  std::vector<double> expected(const std::vector<int32_t>& ids, bool last) {
    ModelOptions options;
    const auto model = Model::load(folder_ / "tiny" / "model.gguf", options).value();
    std::vector<double> sum(static_cast<size_t>(model->config().hidden_size));
    model->engine()
        .submit({.prompt = ids,
                 .on_hidden =
                     [&](int64_t, const Tensor& rows) {
                       for (int64_t i = last ? rows.shape()[0] - 1 : 0; i < rows.shape()[0]; ++i)
                         for (size_t d = 0; d < sum.size(); ++d)
                           sum[d] += rows.as<float>()[static_cast<size_t>(i) * sum.size() + d];
                     }})
        .value();
    while (model->engine().step()) {
    }
    const double length = std::sqrt(dot(sum, sum));
    for (double& x : sum) x /= length;
    return sum;
  }
};

TEST_F(EmbeddingsTest, AreTheMeanOrTheLastOfTheHiddenStates) {
  const std::vector<int32_t> ids = {40, 41, 42, 77, 5};
  for (const bool last : {false, true}) {
    const std::string pooling = last ? "last" : "mean";
    const Json reply = embed(R"("input":[40,41,42,77,5],"pooling":")" + pooling + "\"");
    const std::vector<double> got = vector(reply), wanted = expected(ids, last);
    EXPECT_NEAR(dot(got, got), 1, 1e-6);
    EXPECT_GT(dot(got, wanted), 1 - 1e-6) << pooling;
  }
  EXPECT_LT(dot(expected(ids, true), expected(ids, false)), 0.99);
}

TEST_F(EmbeddingsTest, ManyComeInOrderAndAsTheyWouldAlone) {
  std::string list;
  const auto text = [](int i) { return "text " + std::string(static_cast<size_t>(i % 7), 'x') + std::to_string(i); };
  for (int i = 0; i < 40; ++i) list += (i ? ",\"" : "\"") + text(i) + "\"";
  const Json all = embed("\"input\":[" + list + "]");
  EXPECT_EQ(all.at("object").as_string(), "list");
  EXPECT_EQ(all.at("model").as_string(), "tiny");
  ASSERT_EQ(all.at("data").size(), 40u);
  int64_t tokens = 0;
  for (int i = 0; i < 40; ++i) {
    EXPECT_EQ(all.at("data").as_array()[static_cast<size_t>(i)].at("index").as_int(), i);
    const Json one = embed("\"input\":\"" + text(i) + "\"");
    EXPECT_EQ(vector(all, static_cast<size_t>(i)), vector(one)) << i;
    tokens += one.at("usage").at("prompt_tokens").as_int();
    EXPECT_EQ(one.at("usage").at("prompt_tokens").as_int(),
              post("/tokenize", R"({"content":")" + text(i) + "\"}").json.at("count").as_int());
  }
  EXPECT_EQ(all.at("usage").at("total_tokens").as_int(), tokens);
  EXPECT_EQ(service_->counts().generated_tokens, 0);
}

TEST_F(EmbeddingsTest, Base64IsLittleEndianFloat32) {
  const Json numbers = embed(R"("input":"hello")"), coded = embed(R"("input":"hello","encoding_format":"base64")");
  const std::string text = coded.at("data").as_array()[0].at("embedding").as_string();
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  for (size_t i = 0; i < text.size(); i += 4) {
    uint32_t word = 0;
    for (size_t k = 0; k < 4; ++k)
      word = word << 6 | (text[i + k] == '=' ? 0 : static_cast<uint32_t>(digits.find(text[i + k])));
    for (int shift = 16; shift >= 0; shift -= 8) bytes += static_cast<char>(word >> shift);
  }
  bytes.resize(bytes.size() - static_cast<size_t>(std::count(text.begin(), text.end(), '=')));
  std::vector<float> values(bytes.size() / 4);
  std::memcpy(values.data(), bytes.data(), bytes.size());
  EXPECT_EQ(std::vector<double>(values.begin(), values.end()), vector(numbers));
}

TEST_F(EmbeddingsTest, RefusesByName) {
  const std::vector<std::tuple<std::string, std::string, std::string>> cases = {
      {"", "input", "missing"},
      {R"("input":[])", "input", "must be"},
      {R"("input":["a",1])", "input", "only"},
      {R"("input":["a",""])", "input", "input[1] has no tokens"},
      {R"("input":[[1],[]])", "input", "input[1] has no tokens"},
      {R"("input":[100000])", "input", "vocabulary"},
      {R"("input":")" + std::string(5000, 'a') + "\"", "input", "context"},
      {R"("input":"a","dimensions":8)", "dimensions", "not trained to be cut"},
      {R"("input":"a","encoding_format":"hex")", "encoding_format", "expected one of"},
      {R"("input":"a","pooling":"max")", "pooling", "expected one of"}};
  for (const auto& [body, param, words] : cases) {
    const Answer answer = post("/v1/embeddings", "{" + body + "}");
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_EQ(answer.json.at("error").at("param").as_string(), param) << answer.text;
    EXPECT_NE(answer.json.at("error").at("message").as_string().find(words), std::string::npos) << answer.text;
  }
  const size_t width = vector(embed(R"("input":"a")")).size();
  embed(R"("input":"a","dimensions":)" + std::to_string(width));
}

}  // namespace
}  // namespace jevons
