// What docs/train.md says about schedules, masks, first weights and bits, each against its own formula.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

#include "models/loader.h"
#include "train/run.h"

namespace jevons {
namespace {

namespace fs = std::filesystem;
const fs::path kGolden = fs::path(JEVONS_SOURCE_DIR) / "tests/golden";

TEST(Schedule, Formulas) {
  TrainSettings s;
  s.lr = 0.01, s.min_lr = 0.001, s.steps = 50, s.warmup = 5;
  s.schedule = "constant";
  for (int k = 0; k < 50; ++k) EXPECT_DOUBLE_EQ(s.rate(k), k < 5 ? 0.01 * (k + 1) / 5 : 0.01);
  s.schedule = "cosine";
  for (int k = 0; k < 50; ++k)
    EXPECT_NEAR(s.rate(k), k < 5 ? 0.002 * (k + 1) : 0.0055 + 0.0045 * std::cos(std::numbers::pi * (k - 5) / 45), 1e-15)
        << k;
  EXPECT_DOUBLE_EQ(s.rate(5), 0.01);
  s.schedule = "wsd", s.decay = 9;
  for (int k = 0; k < 50; ++k) {
    const double falling = 0.01 - 0.009 * (k - 40) / 10.0;  // one part of ten at step 41, nine at 49
    EXPECT_NEAR(s.rate(k), k < 5 ? 0.002 * (k + 1) : k < 41 ? 0.01 : falling, 1e-15) << k;
  }
  s.decay = 0, s.warmup = 0;
  EXPECT_DOUBLE_EQ(s.rate(0), 0.01);
  EXPECT_DOUBLE_EQ(s.rate(49), 0.01);
}

Config config_of(const char* model) { return *read_config(*Checkpoint::open(kGolden / "models" / model)); }

fs::path fresh(const std::string& name) {
  const fs::path path = fs::path(testing::TempDir()) / ("jevons_promises_" + name);
  fs::remove_all(path);
  return path;
}

struct Masked {
  double loss, aux;
  std::vector<double> gradients;
};

// Loss and gradients in float64 of two rows of six tokens, of which the listed targets count; all if none is listed.
Masked masked(const std::vector<int64_t>& counted) {
  TrainSettings s;
  s.tokens = (kGolden / "train/stream.u32").string();
  s.batch = 2, s.seq = 6, s.aux_loss = 0;
  const fs::path file = fresh("mask.u8");
  if (!counted.empty()) {
    std::string mask(fs::file_size(s.tokens) / 4, '\0');
    for (const int64_t i : counted) mask[static_cast<size_t>(i)] = 1;
    write_file(file, mask).value();
    s.mask = file.string();
  }
  Exec exec(1);
  Trainer trainer(config_of("llama"), s, exec, DeviceKind::ref);
  trainer.parameters().randomize(3, 0.1);
  const StepReport report = trainer.gradient(*TokenData::open(s.tokens, s.mask), 0);
  const auto* g = reinterpret_cast<const double*>(trainer.gradients());
  return {report.loss, report.aux, {g, g + trainer.parameters().size()}};
}

TEST(Mask, TheLossIsTheMeanOverCountedTargets) {
  const Masked a = masked({2}), b = masked({9}), c = masked({12}), all = masked({2, 9, 12});
  EXPECT_NEAR(all.loss, (a.loss + b.loss + c.loss) / 3, 1e-12);
  EXPECT_GT(std::fabs(a.loss - b.loss), 1e-6);
  for (size_t i = 0; i < all.gradients.size(); ++i)
    ASSERT_NEAR(all.gradients[i], (a.gradients[i] + b.gradients[i] + c.gradients[i]) / 3, 1e-12) << i;
  std::vector<int64_t> every;
  for (int64_t i = 1; i <= 12; ++i) every.push_back(i);
  const Masked full = masked(every), none = masked({});
  EXPECT_EQ(full.loss, none.loss);
  EXPECT_EQ(full.gradients, none.gradients);
}

TEST(Mask, AStepWithoutATargetIsRefused) {
  TrainSettings s;
  try {
    (void)masked({13});
    FAIL() << "accepted";
  } catch (const Error& e) {
    EXPECT_NE(e.message().find("counts no target in step 0"), std::string::npos) << e.message();
  }
}

TEST(RandomWeights, AreAFunctionOfSeedAndPlace) {
  const auto weights = [](uint64_t seed) {
    Decoder decoder(config_of("deepseek_v3"));
    Parameters p(decoder, DeviceKind::cpu);
    p.randomize(seed, 0.02);
    return std::pair{std::vector<std::byte>(p.bytes().begin(), p.bytes().end()), p.list()};
  };
  const auto [first, list] = weights(1);
  EXPECT_EQ(first, weights(1).first);
  EXPECT_NE(first, weights(2).first);
  const auto* numbers = reinterpret_cast<const float*>(first.data());
  double sum = 0, squares = 0, fourth = 0;
  int64_t count = 0;
  for (const Parameter& p : list)
    for (int64_t i = p.first; i < p.first + p.count; ++i) {
      const double x = numbers[i];
      if (p.shape.size() == 2)
        sum += x, squares += x * x, fourth += x * x * x * x, ++count;
      else
        ASSERT_EQ(x, p.role == Parameter::Role::balance_bias ? 0 : 1) << p.name;
    }
  const double n = static_cast<double>(count), variance = squares / n;
  EXPECT_NEAR(sum / n, 0, 5 * 0.02 / std::sqrt(n));
  EXPECT_NEAR(std::sqrt(variance), 0.02, 5 * 0.02 / std::sqrt(2 * n));
  EXPECT_NEAR(fourth / n / (variance * variance), 3, 5 * std::sqrt(24 / n));  // a normal distribution's
}

// The files of three steps.
std::vector<std::string> files(const char* model, const char* optimizer, int threads, int64_t piece_rows,
                               int64_t batch) {
  const fs::path out = fresh("run");
  TrainRun run;
  run.init = (kGolden / "models" / model).string(), run.out = out, run.piece_rows = piece_rows;
  TrainSettings& s = run.settings;
  s.tokens = (kGolden / "train/stream.u32").string();
  s.batch = batch, s.seq = 8, s.steps = 3, s.optimizer = optimizer;
  Exec exec(threads);
  (void)train(std::move(run), exec);
  return {*read_file(out / "model.safetensors"), *read_file(out / "training_state/model.safetensors")};
}

TEST(Bits, DependNeitherOnThreadsNorOnTheSplit) {
  for (const char* model : {"deepseek_v3", "llama"})
    for (const char* optimizer : {"adamw", "muon"}) {
      const auto want = files(model, optimizer, 1, 4, 4);
      EXPECT_EQ(want, files(model, optimizer, 2, 4, 4)) << model << " " << optimizer;
      EXPECT_EQ(want, files(model, optimizer, 2, 1, 4)) << model << " " << optimizer;
      EXPECT_EQ(want, files(model, optimizer, 1, 3, 4)) << model << " " << optimizer;
    }
}

}  // namespace
}  // namespace jevons
