// Guesses of a prediction layer that has learned something: a tiny V3 model is trained, with --mtp-weight, on a stream
// of a few phrases in random order. Inside a phrase the next tokens are known, at its end they are not.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <optional>

#include "base/file.h"
#include "base/rng.h"
#include "engine/engine.h"
#include "models/loader.h"
#include "train/run.h"

namespace jevons {
namespace {

const std::filesystem::path kModel = std::filesystem::path(JEVONS_SOURCE_DIR) / "tests/golden/models/deepseek_v3";

std::vector<int32_t> phrases(size_t tokens, uint64_t seed) {
  std::vector<int32_t> out;
  for (uint64_t i = 0; out.size() < tokens; ++i) {
    const auto phrase = static_cast<int32_t>(philox(seed, i)[0] % 8);
    for (int32_t word = 0; word < 12; ++word) out.push_back(2 + phrase * 12 + word);
  }
  out.resize(tokens);
  return out;
}

class TrainedPrediction : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const auto folder = std::filesystem::path(testing::TempDir()) / "jevons_trained_prediction";
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
    TrainRun run;
    run.init = kModel.string(), run.out = folder / "model";
    run.settings.tokens = (folder / "stream.u32").string();
    run.settings.batch = 4, run.settings.seq = 48, run.settings.steps = 200;
    run.settings.lr = 3e-3, run.settings.mtp_weight = 0.5;
    const std::vector<int32_t> ids = phrases(4 * 48 * 200 + 2, 1);
    std::string bytes(ids.size() * 4, '\0');
    std::memcpy(bytes.data(), ids.data(), bytes.size());
    write_file(run.settings.tokens, bytes).value();
    double last = 0;
    (void)train(run, *exec_, {.step = [&](const StepReport& r, double) { last = r.mtp_loss; }});
    EXPECT_LT(last, 1.0);
    checkpoint_ = *Checkpoint::open(folder / "model");
    decoder_ = *load_decoder(*checkpoint_, *read_config(*checkpoint_), {}, *exec_);
  }
  static void TearDownTestSuite() { decoder_.reset(), checkpoint_.reset(), exec_.reset(); }

  struct Told {
    std::vector<std::vector<int32_t>> texts = std::vector<std::vector<int32_t>>(4);
    Engine::Guesses guesses;
    int64_t steps = 0;
  };
  // Four answers, side by side: two greedy, two drawn.
  static Told tell(Speculation speculation) {
    EngineOptions options;
    options.context = 512, options.cache_tokens = 4096;
    options.speculation = speculation, options.guess_by_lookup = false;
    Engine engine(*decoder_, *exec_, options);
    Told out;
    for (size_t i = 0; i < out.texts.size(); ++i) {
      Request request{phrases(50 + 70 * i, 7 + i)};
      request.sampling.temperature = i < 2 ? 0 : 1;
      request.sampling.seed = i;
      request.on_token = [&text = out.texts[i]](int32_t token, bool) {
        text.push_back(token);
        return Verdict{text.size() == 150, {}};
      };
      (void)engine.submit(std::move(request)).value();
    }
    while (engine.step()) ++out.steps;
    out.guesses = engine.guesses();
    return out;
  }

  static inline std::optional<Exec> exec_{2};
  static inline std::optional<Checkpoint> checkpoint_;
  static inline std::optional<Decoder> decoder_;
};

TEST_F(TrainedPrediction, IsMostlyRightAndChangesNoText) {
  const Told plain = tell(Speculation::off), guessed = tell(Speculation::always), chosen = tell(Speculation::measured);
  EXPECT_EQ(guessed.texts, plain.texts);
  EXPECT_EQ(chosen.texts, plain.texts);
  EXPECT_EQ(plain.guesses.drafted, 0);
  EXPECT_GT(guessed.guesses.accepted, 0.5 * static_cast<double>(guessed.guesses.drafted));
  EXPECT_LT(guessed.steps, plain.steps / 2);
}

}  // namespace
}  // namespace jevons
