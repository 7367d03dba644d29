#include <gtest/gtest.h>

#include "formats/gguf_config.h"
#include "formats/gguf_names.h"
#include "formats/safetensors.h"

namespace jevons {
namespace {

const std::string kGolden = std::string(JEVONS_SOURCE_DIR) + "/tests/golden/";

TEST(Formats, ReadsShardsAndSplits) {
  EXPECT_EQ(Safetensors::open(kGolden + "models/llama")->tensors().size(), 21u);
  for (const char* part : {"00001", "00002"})
    EXPECT_EQ(Gguf::open(kGolden + "gguf/qwen2_split_f16-" + part + "-of-00002.gguf")->tensors().size(), 26u);
}

TEST(Formats, GgufMetadataBecomesConfig) {
  const Json config = *config_from_gguf(*Gguf::open(kGolden + "gguf/deepseek2_split_f16.gguf"));
  EXPECT_EQ(config.at("model_type").as_string(), "deepseek_v3");
  EXPECT_EQ(config.at("n_group").as_int(), 4);
  EXPECT_EQ(config.at("qk_nope_head_dim").as_int(), 16);
  EXPECT_EQ(config.at("v_head_dim").as_int(), 16);
  EXPECT_EQ(config.at("routed_scaling_factor").as_double(), 2.5);
  EXPECT_EQ(config.at("rope_scaling").at("mscale_all_dim").as_double(), 1.0);
}

// Every prefix of a valid file is an error or a valid file, and never a crash.
TEST(Formats, TruncationAtEveryByte) {
  const auto file = *MappedFile::open(kGolden + "gguf/llama3_tied_f32.gguf");
  const auto shard = *MappedFile::open(kGolden + "models/qwen3/model.safetensors");
  for (size_t n = 0; n < file->bytes().size(); n += n < 20000 ? 1 : 997)
    EXPECT_FALSE(Gguf::parse(file->bytes().first(n)).ok()) << n;
  for (size_t n = 0; n < shard->bytes().size(); n += n < 6000 ? 1 : 997)
    EXPECT_FALSE(Safetensors::parse(shard->bytes().first(n)).ok()) << n;
}

TEST(Formats, NamesGoBothWays) {
  EXPECT_EQ(gguf_name("model.layers.12.mlp.experts.gate_proj.weight"), "blk.12.ffn_gate_exps.weight");
  EXPECT_EQ(hf_name("blk.3.exp_probs_b.bias"), "model.layers.3.mlp.gate.e_score_correction_bias");
  EXPECT_EQ(gguf_name("model.layers.x.mlp.gate.weight"), std::nullopt);
}

}  // namespace
}  // namespace jevons
