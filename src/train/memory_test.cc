// What plan_training() says against the counters of a trainer that ran; and that recomputation changes memory alone.
#include "train/memory.h"

#include <gtest/gtest.h>

#include <cstring>

#include "models/loader.h"
#include "train/trainer.h"

namespace jevons {
namespace {

const std::filesystem::path kGolden = std::filesystem::path(JEVONS_SOURCE_DIR) / "tests/golden";

struct Shape {
  const char* model;
  int64_t batch, seq;
  double mtp_weight;
};

class TrainingMemory : public testing::TestWithParam<Shape> {
 protected:
  // One step; the bytes of parameters and gradients after it, and the arena's peak.
  struct Outcome {
    std::vector<std::byte> parameters, gradients;
    StepReport report;
    int64_t peak, weights;
  };
  TrainSettings settings() const {
    TrainSettings s;
    s.tokens = (kGolden / "train/stream.u32").string();
    s.batch = GetParam().batch, s.seq = GetParam().seq, s.mtp_weight = GetParam().mtp_weight;
    return s;
  }
  Config config() const { return *read_config(*Checkpoint::open(kGolden / "models" / GetParam().model)); }
  Outcome step(const TrainMemoryOptions& options, DeviceKind device = DeviceKind::cpu) const {
    Exec exec(2);
    Trainer trainer(config(), settings(), exec, device);
    trainer.parameters().randomize(7, 0.05);
    if (options.piece_rows > 0) trainer.set_piece_rows(options.piece_rows);
    trainer.set_recompute(options.recompute);
    const TokenData data = *TokenData::open(settings().tokens, "");
    Outcome out;
    out.report = trainer.gradient(data, 0);
    const auto bytes = trainer.parameters().bytes();
    out.gradients = {trainer.gradients(), trainer.gradients() + bytes.size()};
    trainer.update(0);
    out.parameters = {bytes.begin(), bytes.end()};
    out.peak = trainer.step_bytes(), out.weights = static_cast<int64_t>(bytes.size());
    return out;
  }
};

TEST_P(TrainingMemory, IsPredicted) {
  for (const TrainMemoryOptions& options :
       {TrainMemoryOptions{}, TrainMemoryOptions{.recompute = true}, TrainMemoryOptions{.piece_rows = 1}}) {
    const Outcome got = step(options);
    const TrainMemory plan = plan_training(config(), settings(), options);
    EXPECT_EQ(plan.weights, got.weights);
    EXPECT_EQ(plan.gradients + plan.moments, 3 * got.weights);
    EXPECT_NEAR(static_cast<double>(plan.step) / static_cast<double>(got.peak), 1, 0.03)
        << plan.step << " planned, " << got.peak << " used; recompute " << options.recompute << ", rows "
        << options.piece_rows;
  }
}

TEST_P(TrainingMemory, RecomputationChangesNoBit) {
  for (const DeviceKind device : {DeviceKind::cpu, DeviceKind::ref}) {
    const Outcome plain = step({}, device), again = step({.recompute = true}, device);
    EXPECT_EQ(plain.gradients, again.gradients);
    EXPECT_EQ(plain.parameters, again.parameters);  // balance biases too: slots are counted once
    EXPECT_EQ(plain.report.loss, again.report.loss);
    EXPECT_EQ(plain.report.aux, again.report.aux);
    EXPECT_EQ(plain.report.mtp_loss, again.report.mtp_loss);
    EXPECT_LT(again.peak, plain.peak);
  }
}

INSTANTIATE_TEST_SUITE_P(Models, TrainingMemory,
                         testing::Values(Shape{"llama", 4, 16, 0}, Shape{"qwen2", 2, 24, 0},
                                         Shape{"deepseek_v2_lite", 4, 16, 0}, Shape{"deepseek_v3", 4, 16, 0},
                                         Shape{"deepseek_v3", 3, 20, 0.3}),
                         [](const auto& p) {
                           return std::string(p.param.model) + (p.param.mtp_weight > 0 ? "_ahead" : "");
                         });

}  // namespace
}  // namespace jevons
