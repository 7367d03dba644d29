// Checkpoints whose numbers lie at odd addresses compute what the aligned ones do, bit for bit.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>

#include "base/file.h"
#include "engine/engine.h"
#include "models/loader.h"

namespace jevons {
namespace {

namespace fs = std::filesystem;
const fs::path kModels = fs::path(JEVONS_SOURCE_DIR) / "tests/golden/models";

class Askew : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/jevons_askew_XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  // The model with `spaces` more at the end of its header.
  void copy_shifted(const fs::path& model, uint64_t spaces) {
    fs::copy_file(model / "config.json", folder_ / "config.json", fs::copy_options::overwrite_existing);
    std::string file = *read_file(model / "model.safetensors");
    uint64_t length = 0;
    std::memcpy(&length, file.data(), 8);
    file.insert(8 + length, spaces, ' ');
    length += spaces;
    std::memcpy(file.data(), &length, 8);
    ASSERT_TRUE(write_file(folder_ / "model.safetensors", file).ok());
  }

  struct Run {
    WeightMemory memory;
    std::vector<float> logits;
  };
  static Run run(const fs::path& model, const LoadOptions& load) {
    Exec exec(2);
    const Checkpoint checkpoint = *Checkpoint::open(model);
    const Config config = *read_config(checkpoint);
    Run out{*plan_weights(checkpoint, config, load), {}};
    const Decoder decoder = *load_decoder(checkpoint, config, load, exec);
    EngineOptions options;
    options.context = 64;
    options.exact = load.exact;
    options.device = load.device;
    options.cache_type = DType::f32;
    Engine engine(decoder, exec, options);
    const std::vector<int32_t> tokens = {1, 2, 3, 4, 5};
    engine.score(tokens, Engine::Score::all, [&](int64_t, const Tensor& logits) {
      if (logits.dtype() == DType::f64)
        out.logits.insert(out.logits.end(), logits.as<double>().begin(), logits.as<double>().end());
      else
        out.logits.insert(out.logits.end(), logits.as<float>().begin(), logits.as<float>().end());
    });
    return out;
  }
  fs::path folder_;
};

TEST_P(Askew, SameLogits) {
  const fs::path model = kModels / GetParam();
  const LoadOptions ways[] = {{}, {.exact = true}, {.exact = true, .expanded = true}, {.device = DeviceKind::ref}};
  for (const LoadOptions& load : ways) {
    const Run straight = run(model, load);
    for (const uint64_t spaces : {1, 2}) {
      copy_shifted(model, spaces);
      const Run shifted = run(folder_, load);
      EXPECT_EQ(straight.logits, shifted.logits) << spaces;
      EXPECT_EQ(straight.memory.owned + straight.memory.mapped, shifted.memory.owned + shifted.memory.mapped);
      EXPECT_GE(shifted.memory.mapped, 0);
      if (spaces == 1) {
        EXPECT_GT(shifted.memory.owned, straight.memory.owned);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Askew,
                         testing::Values("qwen2", "llama_f16", "qwen3_moe", "deepseek_v3", "deepseek_v3_fp8"),
                         [](const auto& param) { return std::string(param.param); });

}  // namespace
}  // namespace jevons
