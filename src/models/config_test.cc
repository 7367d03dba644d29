#include "models/config.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/file.h"
#include "models/flops.h"
#include "models/loader.h"

namespace jevons {
namespace {

Json published(const std::string& name) {
  const std::string path = std::string(JEVONS_SOURCE_DIR) + "/tests/golden/configs/" + name + ".json";
  return Json::parse(read_file(path).value()).value();
}

Config config_of(const std::string& name) {
  std::vector<std::string> unknown;
  const Config config = parse_config(published(name), &unknown).value();
  EXPECT_TRUE(unknown.empty()) << name << ": " << unknown[0];
  return config;
}

// Parameters of the published models, by hand from their reports and model cards (V3 report table 1 and its
// arithmetic; the sizes that the distilled checkpoints' indices give).
TEST(Config, ParametersOfPublishedModels) {
  const std::pair<const char*, int64_t> known[] = {
      {"deepseek_v3", 671'026'419'200},
      {"deepseek_v2", 235'741'434'880},
      {"deepseek_v2_lite", 15'706'484'224},
      {"r1_distill_qwen_1.5b", 1'777'088'000},
      {"r1_distill_qwen_7b", 7'615'616'512},
      {"r1_distill_qwen_14b", 14'770'033'664},
      {"r1_distill_qwen_32b", 32'763'876'352},
      {"r1_distill_llama_8b", 8'030'261'248},
      {"r1_distill_llama_70b", 70'553'706'496},
      {"smollm2_135m", 134'515'008},
      {"qwen3_8b", 8'190'735'360},
      {"qwen3_30b_a3b", 30'532'122'624},
      {"r1_0528_qwen3_8b", 8'190'735'360},
  };
  for (const auto& [name, total] : known) EXPECT_EQ(count_parameters(config_of(name)).total, total) << name;
}

TEST(Config, ActiveParametersAndPrediction) {
  const auto active = [](const char* name) { return static_cast<double>(count_parameters(config_of(name)).active); };
  EXPECT_NEAR(active("deepseek_v3"), 36.63e9, 5e6);
  EXPECT_NEAR(active("deepseek_v2"), 20.85e9, 5e6);
  EXPECT_NEAR(active("deepseek_v2_lite"), 2.45e9, 5e6);
  EXPECT_EQ(count_parameters(config_of("deepseek_v3")).prediction, 11'610'068'224);
}

TEST(Config, TrainingFlops) {
  EXPECT_NEAR(training_flops_per_token(config_of("deepseek_v3"), 4096), 250.5e9, 5e7);
  EXPECT_NEAR(training_flops_per_token(config_of("deepseek_v2"), 4096), 155.3e9, 5e7);
}

TEST(Config, YarnOfDeepseek) {
  const Config v3 = config_of("deepseek_v3");
  const Rope rope = make_rope(v3.rope, v3.rope_dim(), true);
  EXPECT_NEAR(rope.score_factor, 1.873854, 5e-7);
  EXPECT_NEAR(rope.score_factor / std::sqrt(128.0 + 64.0), 0.1352338, 5e-8);
  EXPECT_EQ(rope.magnitude, 1.0);
  // The ramp leaves frequencies up to index 10 alone and divides those from 23 on by 40.
  const auto plain = [](size_t i) { return std::pow(10000.0, -2.0 * static_cast<double>(i) / 64); };
  for (size_t i = 0; i < 32; ++i) {
    const double kept = rope.inv_freq[i] / plain(i);
    const double ramp = std::clamp((static_cast<double>(i) - 10) / 13, 0.0, 1.0);
    EXPECT_NEAR(kept, ramp / 40 + (1 - ramp), 1e-12) << i;
  }
}

TEST(Config, AttentionFactorOfR1Qwen3) {
  const Config config = config_of("r1_0528_qwen3_8b");
  EXPECT_NEAR(make_rope(config.rope, config.rope_dim(), false).magnitude, 1.0, 1e-12);
  const Config plain = config_of("qwen3_8b");
  EXPECT_EQ(plain.rope.type, "default");
}

struct Change {
  const char* base;
  const char* field;
  Json value;
  const char* words;
};

std::string refusal(const Change& change) {
  Json json = published(change.base);
  json[change.field] = change.value;
  const auto config = parse_config(json);
  return config.ok() ? "accepted" : config.error().message();
}

Json rope(const char* type) {
  Json scaling = Json::object();
  scaling["rope_type"] = type;
  scaling["factor"] = 4.0;
  return scaling;
}

Json object(const char* key, Json value) {
  Json out = Json::object();
  out[key] = std::move(value);
  return out;
}

TEST(Config, ValuesWithAnEffectAreRefusedByName) {
  const Change changes[] = {
      {"deepseek_v3", "model_type", "gpt_oss", "model_type \"gpt_oss\" is not implemented; this program knows llama"},
      {"deepseek_v3", "model_type", "DeepseekV3", "is not implemented"},
      {"deepseek_v3", "scoring_func", "softplus", "\"scoring_func\" has the value \"softplus\""},
      {"deepseek_v3", "topk_method", "noaux", "\"topk_method\" has the value \"noaux\""},
      {"deepseek_v3", "hidden_act", "gelu", "\"hidden_act\" has the value \"gelu\"; only \"silu\""},
      {"deepseek_v3", "attention_bias", true, "\"attention_bias\" has the value true"},
      {"deepseek_v3", "index_topk", 2048, "\"index_topk\""},
      {"deepseek_v3", "quantization_config", object("quant_method", "gptq"), "quant_method\" has the value \"gptq\""},
      {"qwen3_8b", "quantization_config", object("quant_method", "awq"), "quant_method\" has the value \"awq\""},
      {"qwen3_8b", "quantization_config", object("bits", 4), "does not say its quant_method"},
      {"qwen3_8b", "quantization_config", "gptq", "does not say its quant_method"},
      {"qwen3_8b", "attention_bias", true, "\"attention_bias\""},
      {"qwen3_8b", "use_sliding_window", true, "\"use_sliding_window\" has the value true"},
      {"qwen3_8b", "layer_types", Json(Json::Array{"sliding_attention"}), "layer_types holds \"sliding_attention\""},
      {"qwen3_30b_a3b", "decoder_sparse_step", 2, "\"decoder_sparse_step\""},
      {"smollm2_135m", "mlp_bias", true, "\"mlp_bias\""},
      {"smollm2_135m", "sliding_window", 4096, "\"sliding_window\""},
      {"smollm2_135m", "partial_rotary_factor", 0.5, "\"partial_rotary_factor\""},
      {"smollm2_135m", "rope_scaling", rope("dynamic"), "rope_scaling type \"dynamic\""},
      {"smollm2_135m", "rope_scaling", rope("longrope"), "rope_scaling type \"longrope\""},
      {"smollm2_135m", "rope_scaling", "yarn", "\"rope_scaling\" is string, expected an object"},
      {"smollm2_135m", "rope_scaling", object("short_factor", 1), "has the field \"short_factor\""},
  };
  for (const Change& change : changes)
    EXPECT_NE(refusal(change).find(change.words), std::string::npos) << change.field << ": " << refusal(change);
}

TEST(Config, WrongTypesAndAbsurdSizesAreRefusedByName) {
  const double nan = std::nan("");
  const Change changes[] = {
      {"deepseek_v3", "hidden_size", "7168", "\"hidden_size\": expected an integer, found string"},
      {"deepseek_v3", "hidden_size", 7168.5, "expected an integer"},
      {"deepseek_v3", "hidden_size", 0, "has the value 0, expected 1 to"},
      {"deepseek_v3", "hidden_size", -1, "has the value -1"},
      {"deepseek_v3", "hidden_size", int64_t{1} << 40, "expected 1 to"},
      {"deepseek_v3", "hidden_size", nullptr, "\"hidden_size\" is missing"},
      {"deepseek_v3", "kv_lora_rank", nullptr, "\"kv_lora_rank\" is missing"},
      {"deepseek_v3", "norm_topk_prob", 1, "\"norm_topk_prob\": expected a boolean"},
      {"deepseek_v3", "num_hidden_layers", 1'000'000, "expected 1 to 100000"},
      {"deepseek_v3", "num_experts_per_tok", 300, "num_experts_per_tok 300 exceeds the 256 experts"},
      {"deepseek_v3", "num_experts_per_tok", 200, "exceeds the experts of the allowed groups"},
      {"deepseek_v3", "n_group", 7, "n_group 7 must divide 256"},
      {"deepseek_v3", "n_group", 0, "\"n_group\""},
      {"deepseek_v3", "topk_group", 9, "topk_group 9 must not exceed"},
      {"deepseek_v3", "moe_layer_freq", 0, "\"moe_layer_freq\""},
      {"deepseek_v3", "qk_rope_head_dim", 63, "the rotary width 63 must be even"},
      {"deepseek_v3", "intermediate_size", nullptr, "\"intermediate_size\" is missing, and layer 0 needs it"},
      {"deepseek_v3", "num_nextn_predict_layers", 17, "\"num_nextn_predict_layers\""},
      {"deepseek_v3", "eos_token_id", "x", "\"eos_token_id\": expected an integer"},
      {"deepseek_v3", "hidden_size", 16'000'000, "parameters; at most 1e+16"},
      {"smollm2_135m", "max_position_embeddings", int64_t{1} << 40, "expected 1 to 2147483647"},
      {"smollm2_135m", "num_attention_heads", 7, "must be a multiple of num_key_value_heads 3"},
      {"smollm2_135m", "num_attention_heads", 600, "rotary numbers"},
      {"smollm2_135m", "rms_norm_eps", 0, "\"rms_norm_eps\" has the value 0, expected"},
      {"smollm2_135m", "rms_norm_eps", nan, "\"rms_norm_eps\""},
      {"smollm2_135m", "rope_theta", -10000, "\"rope_theta\""},
      {"smollm2_135m", "rope_scaling", object("factor", 0), "\"factor\""},
  };
  for (const Change& change : changes)
    EXPECT_NE(refusal(change).find(change.words), std::string::npos)
        << change.base << ' ' << change.field << ": " << refusal(change);
  Json deep = published("smollm2_135m");
  deep["num_hidden_layers"] = 100'000;
  deep["head_dim"] = 65'536;
  EXPECT_NE(parse_config(deep).error().message().find("numbers in the cache"), std::string::npos);
  for (const char* text : {"{}", "[]", "7", "{\"model_type\":7}"}) {
    const auto config = parse_config(Json::parse(text).value());
    ASSERT_FALSE(config.ok()) << text;
    EXPECT_FALSE(config.error().message().empty());
  }
}

TEST(Config, UnknownFieldsAreReported) {
  Json json = published("qwen3_8b");
  json["new_field"] = 1;
  std::vector<std::string> unknown;
  ASSERT_TRUE(parse_config(json, &unknown).ok());
  EXPECT_EQ(unknown, std::vector<std::string>{"new_field"});
}

}  // namespace
}  // namespace jevons
