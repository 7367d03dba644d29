#include "models/quant_recipe.h"

#include <gtest/gtest.h>

#include "base/strings.h"

namespace jevons {
namespace {

Pack pack(std::string_view type, std::string_view name, std::vector<int64_t> shape,
          QuantFacts facts = {30, 0, 3, true}) {
  return choose_pack(quant_recipe(type).value(), facts, name, shape);
}

TEST(QuantRecipe, UniformTypes) {
  EXPECT_EQ(pack("q8_0", "blk.0.attn_q.weight", {512, 512}), Pack::q8_0);
  EXPECT_EQ(pack("q8_0", "output.weight", {512, 512}), Pack::q8_0);
  EXPECT_EQ(pack("q4_0", "blk.0.ffn_down.weight", {512, 512}), Pack::q4_0);
  EXPECT_EQ(pack("q4_0", "output.weight", {512, 512}), Pack::q6_k);
  EXPECT_EQ(pack("q4_0", "token_embd.weight", {512, 512}), Pack::q4_0);
  EXPECT_EQ(pack("q4_0", "token_embd.weight", {512, 512}, {30, 0, 3, false}), Pack::q6_k);  // the embedding is the head
  EXPECT_EQ(pack("bf16", "blk.0.attn_q.weight", {3, 5}), Pack::bf16);
}

TEST(QuantRecipe, NormsBiasesAndRoutersStayF32) {
  for (const char* type : {"q4_k_m", "q8_0", "f16"}) {
    EXPECT_EQ(pack(type, "blk.1.attn_norm.weight", {512}), Pack::f32);
    EXPECT_EQ(pack(type, "blk.1.attn_q.bias", {512}), Pack::f32);
    EXPECT_EQ(pack(type, "blk.1.ffn_gate_inp.weight", {8, 512}), Pack::f32);
    EXPECT_EQ(pack(type, "blk.1.exp_probs_b.bias", {256}), Pack::f32);
  }
}

// The layers that llama.cpp's Q4_K_M of a 30-layer model has in Q6_K: 0-2, every third from 5 on, 26-29.
TEST(QuantRecipe, MixesSpendMoreOnSomeLayers) {
  std::string high;
  for (int layer = 0; layer < 30; ++layer)
    if (pack("q4_k_m", cat("blk.", layer, ".ffn_down.weight"), {512, 1536}) == Pack::q6_k) high += cat(layer, " ");
  EXPECT_EQ(high, "0 1 2 5 8 11 14 17 20 23 26 27 28 29 ");
  EXPECT_EQ(pack("q5_k_m", "blk.3.ffn_down.weight", {512, 1536}), Pack::q5_k);
  EXPECT_EQ(pack("q5_k_m", "blk.2.attn_v.weight", {512, 512}), Pack::q6_k);
  EXPECT_EQ(pack("q4_k_m", "blk.3.attn_v.weight", {512, 512}), Pack::q4_k);
  EXPECT_EQ(pack("q4_k_m", "blk.3.attn_v.weight", {512, 512}, {30, 0, 4, true}), Pack::q5_k);
  EXPECT_EQ(pack("q4_k_m", "blk.2.ffn_down_exps.weight", {8, 512, 1536}), Pack::q6_k);
  EXPECT_EQ(pack("q4_k_m", "blk.2.attn_kv_a_mqa.weight", {576, 512}, {27, 64, 1, true}), Pack::q8_0);
  EXPECT_EQ(pack("q4_k_m", "blk.2.attn_output.weight", {576, 512}, {27, 64, 1, true}), Pack::q5_k);
}

TEST(QuantRecipe, RowsThatAreNotWholeBlocksGetAWiderType) {
  EXPECT_EQ(pack("q4_k_m", "blk.3.attn_q.weight", {576, 576}), Pack::q5_0);
  EXPECT_EQ(pack("q5_k_m", "blk.3.attn_q.weight", {576, 576}), Pack::q5_1);
  EXPECT_EQ(pack("q6_k", "blk.3.attn_q.weight", {576, 576}), Pack::q8_0);
  EXPECT_EQ(pack("q4_0", "blk.3.attn_q.weight", {576, 100}), Pack::f16);
  EXPECT_EQ(pack("q4_k_m", "blk.3.attn_q.weight", {576, 100}), Pack::f16);
}

TEST(QuantRecipe, UnknownTypesAreRefusedWithTheKnownOnes) {
  const auto recipe = quant_recipe("q3_k_xxl");
  ASSERT_FALSE(recipe.ok());
  EXPECT_NE(recipe.error().message().find("q4_k_m"), std::string::npos);
}

}  // namespace
}  // namespace jevons
