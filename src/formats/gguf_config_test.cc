// The metadata that llama.cpp's converter writes for published models, against their published config.json.
#include "formats/gguf_config.h"

#include <gtest/gtest.h>

#include "base/strings.h"
#include "formats/raw_gguf.h"

namespace jevons {
namespace {

struct Meta {
  std::string key;
  std::variant<uint32_t, float, bool, const char*> value;
};

// `head`: the model has an output.weight, so embeddings are not tied.
Json config(const char* arch, uint64_t vocab, bool head, const std::vector<Meta>& facts) {
  RawGguf out;
  out.head(head ? 2 : 1, facts.size() + 1).text("general.architecture").put(uint32_t{8}).text(arch);
  for (const Meta& fact : facts) {
    out.text(cat(arch, ".", fact.key));
    if (const auto* u = std::get_if<uint32_t>(&fact.value)) out.put(uint32_t{4}).put(*u);
    if (const auto* f = std::get_if<float>(&fact.value)) out.put(uint32_t{6}).put(*f);
    if (const auto* b = std::get_if<bool>(&fact.value)) out.put(uint32_t{7}).put(static_cast<uint8_t>(*b));
    if (const auto* s = std::get_if<const char*>(&fact.value)) out.put(uint32_t{8}).text(*s);
  }
  out.tensor("token_embd.weight", {1, vocab}, 1, 0);
  const size_t second = (2 * vocab + 31) / 32 * 32;
  if (head) out.tensor("output.weight", {1, 1}, 1, second);
  const std::string file = out.data(second + 2);
  return config_from_gguf(*Gguf::parse(bytes_of(file))).value();
}

void expect_fields(const Json& config, const char* expected) {
  const Json fields = Json::parse(expected).value();
  for (const auto& [key, value] : fields.as_object()) {
    const Json* found = config.find(key);
    ASSERT_TRUE(found) << key;
    if (value.is_number())
      EXPECT_EQ(found->as_double(), value.as_double()) << key;
    else
      EXPECT_EQ(found->dump(), value.dump()) << key;
  }
}

std::vector<Meta> sizes(uint32_t layers, uint32_t width, uint32_t ffn, uint32_t heads, uint32_t kv, float eps,
                        float theta, uint32_t context) {
  return {{"block_count", layers},         {"embedding_length", width},     {"feed_forward_length", ffn},
          {"attention.head_count", heads}, {"attention.head_count_kv", kv}, {"attention.layer_norm_rms_epsilon", eps},
          {"rope.freq_base", theta},       {"context_length", context}};
}

std::vector<Meta> operator+(std::vector<Meta> a, const std::vector<Meta>& b) {
  return a.insert(a.end(), b.begin(), b.end()), a;
}

std::vector<Meta> deepseek(uint32_t shared, float scale, float log_multiplier) {
  return {{"attention.kv_lora_rank", 512u},
          {"rope.dimension_count", 64u},
          {"expert_shared_count", shared},
          {"expert_weights_scale", scale},
          {"rope.scaling.type", "yarn"},
          {"rope.scaling.factor", 40.f},
          {"rope.scaling.original_context_length", 4096u},
          {"rope.scaling.yarn_log_multiplier", log_multiplier}};
}

const char* const kYarn = R"({"rope_type":"yarn","factor":40,"original_max_position_embeddings":4096,"beta_fast":32,
                             "beta_slow":1})";

TEST(PublishedConfig, DeepSeekV3) {
  const std::vector<Meta> experts = {{"leading_dense_block_count", 3u},   {"expert_count", 256u},
                                     {"expert_used_count", 8u},           {"expert_feed_forward_length", 2048u},
                                     {"expert_weights_norm", true},       {"expert_gating_func", 2u},
                                     {"attention.q_lora_rank", 1536u},    {"attention.key_length", 576u},
                                     {"attention.value_length", 512u},    {"attention.key_length_mla", 192u},
                                     {"attention.value_length_mla", 128u}};
  // Multi-query form: one key head in the file, 128 in config.json.
  const Json c = config("deepseek2", 129280, true,
                        sizes(61, 7168, 18432, 128, 1, 1e-6f, 10000, 163840) + deepseek(1, 2.5f, 0.1f) + experts);
  expect_fields(c, R"({"model_type":"deepseek_v3","vocab_size":129280,"hidden_size":7168,"num_hidden_layers":61,
      "intermediate_size":18432,"moe_intermediate_size":2048,"n_routed_experts":256,"n_shared_experts":1,
      "num_experts_per_tok":8,"n_group":8,"topk_group":4,"topk_method":"noaux_tc","scoring_func":"sigmoid",
      "norm_topk_prob":true,"routed_scaling_factor":2.5,"first_k_dense_replace":3,"num_attention_heads":128,
      "num_key_value_heads":128,"q_lora_rank":1536,"kv_lora_rank":512,"qk_nope_head_dim":128,"qk_rope_head_dim":64,
      "v_head_dim":128,"rms_norm_eps":1e-6,"rope_theta":10000,"max_position_embeddings":163840,
      "tie_word_embeddings":false})");
  expect_fields(c.at("rope_scaling"), kYarn);
  expect_fields(c.at("rope_scaling"), R"({"mscale":1.0,"mscale_all_dim":1.0})");
}

TEST(PublishedConfig, DeepSeekV2) {
  const std::vector<Meta> experts = {{"leading_dense_block_count", 1u}, {"expert_count", 160u},
                                     {"expert_used_count", 6u},         {"expert_feed_forward_length", 1536u},
                                     {"attention.q_lora_rank", 1536u},  {"attention.key_length", 192u},
                                     {"attention.value_length", 128u}};
  const Json c = config("deepseek2", 102400, true,
                        sizes(60, 5120, 12288, 128, 128, 1e-6f, 10000, 163840) + deepseek(2, 16, 0.0707f) + experts);
  expect_fields(c, R"({"model_type":"deepseek_v2","hidden_size":5120,"num_hidden_layers":60,"n_routed_experts":160,
      "n_shared_experts":2,"num_experts_per_tok":6,"n_group":8,"topk_group":3,"topk_method":"group_limited_greedy",
      "scoring_func":"softmax","norm_topk_prob":false,"routed_scaling_factor":16,"first_k_dense_replace":1,
      "q_lora_rank":1536,"qk_nope_head_dim":128,"v_head_dim":128})");
  expect_fields(c.at("rope_scaling"), R"({"mscale":0.707,"mscale_all_dim":0.707})");
}

TEST(PublishedConfig, DeepSeekV2Lite) {
  const std::vector<Meta> experts = {{"leading_dense_block_count", 1u}, {"expert_count", 64u},
                                     {"expert_used_count", 6u},         {"expert_feed_forward_length", 1408u},
                                     {"attention.key_length", 192u},    {"attention.value_length", 128u}};
  const Json c = config("deepseek2", 102400, true,
                        sizes(27, 2048, 10944, 16, 16, 1e-6f, 10000, 163840) + deepseek(2, 1, 0.0707f) + experts);
  expect_fields(c, R"({"model_type":"deepseek_v2","n_routed_experts":64,"topk_method":"greedy","v_head_dim":128,
      "routed_scaling_factor":1,"moe_intermediate_size":1408,"qk_nope_head_dim":128})");
  EXPECT_EQ(c.find("q_lora_rank"), nullptr);
  EXPECT_EQ(c.find("n_group"), nullptr);
}

TEST(PublishedConfig, DistilledAndSmallModels) {
  const Json qwen = config("qwen2", 151936, true, sizes(28, 1536, 8960, 12, 2, 1e-6f, 10000, 131072));
  expect_fields(qwen, R"({"model_type":"qwen2","vocab_size":151936,"hidden_size":1536,"num_hidden_layers":28,
      "intermediate_size":8960,"num_attention_heads":12,"num_key_value_heads":2,"rope_theta":10000,
      "tie_word_embeddings":false,"jevons_rope_interleaved":false})");
  const Json llama =
      config("llama", 128256, true,
             sizes(32, 4096, 14336, 32, 8, 1e-5f, 5e5f, 131072) + std::vector<Meta>{{"rope.dimension_count", 128u}});
  expect_fields(llama, R"({"model_type":"llama","hidden_size":4096,"rms_norm_eps":1e-5,"rope_theta":500000,
      "jevons_rope_interleaved":true})");
  const Json smol = config("llama", 49152, false, sizes(30, 576, 1536, 9, 3, 1e-5f, 1e5f, 8192));
  expect_fields(smol, R"({"num_attention_heads":9,"num_key_value_heads":3,"tie_word_embeddings":true})");
  EXPECT_EQ(smol.find("rope_scaling"), nullptr);
}

TEST(PublishedConfig, Qwen3) {
  const std::vector<Meta> head = {{"attention.key_length", 128u}, {"attention.value_length", 128u}};
  const Json dense = config("qwen3", 151936, true, sizes(36, 4096, 12288, 32, 8, 1e-6f, 1e6f, 40960) + head);
  expect_fields(dense, R"({"model_type":"qwen3","head_dim":128,"rope_theta":1000000,"intermediate_size":12288})");
  const std::vector<Meta> experts = {
      {"expert_count", 128u}, {"expert_used_count", 8u}, {"expert_feed_forward_length", 768u}};
  const Json moe = config("qwen3moe", 151936, true, sizes(48, 2048, 6144, 32, 4, 1e-6f, 1e6f, 40960) + head + experts);
  expect_fields(moe, R"({"model_type":"qwen3_moe","num_experts":128,"num_experts_per_tok":8,"head_dim":128,
      "moe_intermediate_size":768,"norm_topk_prob":true})");
}

}  // namespace
}  // namespace jevons
