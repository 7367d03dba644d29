#include "engine/kv_store.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/file.h"

namespace jevons {
namespace {

// Cache bytes a token in 16 bit. Source: V3, V2, V2-Lite and Llama-3.1-405B of "Insights into DeepSeek-V3" table 1
// (KB there is 1000 bytes); the distilled models by 2 * kv heads * head width * layers * 2.
TEST(KvStore, BytesPerTokenOfPublishedModels) {
  const std::pair<const char*, int64_t> known[] = {
      {"deepseek_v3", 70'272},          {"deepseek_v2", 69'120},          {"deepseek_v2_lite", 31'104},
      {"r1_distill_qwen_1.5b", 28'672}, {"r1_distill_qwen_7b", 57'344},   {"r1_distill_qwen_14b", 196'608},
      {"r1_distill_qwen_32b", 262'144}, {"r1_distill_llama_8b", 131'072}, {"r1_distill_llama_70b", 327'680},
  };
  const auto config_of = [](const std::string& name) {
    const std::string path = std::string(JEVONS_SOURCE_DIR) + "/tests/golden/configs/" + name + ".json";
    return parse_config(Json::parse(read_file(path).value()).value()).value();
  };
  for (const auto& [name, bytes] : known) {
    const Config config = config_of(name);
    EXPECT_EQ(KvStore::bytes_per_token(config, config.num_hidden_layers, DType::bf16), bytes) << name;
  }
  Config large = config_of("r1_distill_llama_70b");  // Llama 3.1 405B: 126 layers, 8 key heads of 128
  EXPECT_EQ(KvStore::bytes_per_token(large, 126, DType::f16), 516'096);
}

// Page by page, the parts are all of the store's bytes, each once.
TEST(KvStore, PagesAreApartAndWhole) {
  for (const char* name : {"r1_distill_qwen_1.5b", "deepseek_v3"}) {
    const std::string path = std::string(JEVONS_SOURCE_DIR) + "/tests/golden/configs/" + name + ".json";
    const Config config = parse_config(Json::parse(read_file(path).value()).value()).value();
    const KvStore store(config, 3, 4, 64, DType::f16);
    EXPECT_EQ(store.page_bytes(), 64 * KvStore::bytes_per_token(config, 3, DType::f16));
    std::vector<std::pair<std::byte*, size_t>> parts;
    for (int64_t p = 0; p < 4; ++p)
      for (const auto& part : store.page(p)) parts.emplace_back(part.data(), part.size());
    std::sort(parts.begin(), parts.end());
    EXPECT_EQ(parts.front().first, store.layers().front().key);
    for (size_t i = 1; i < parts.size(); ++i)
      EXPECT_EQ(parts[i].first, parts[i - 1].first + parts[i - 1].second) << name << " " << i;
  }
}

}  // namespace
}  // namespace jevons
