// Whole models, forward, backward and optimizer, against PyTorch in float64 (tools/train_oracle.py wrote the fixtures),
// and the promises about bits: threads, pieces, resuming.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>

#include "base/strings.h"
#include "models/loader.h"
#include "train/memory.h"
#include "train/run.h"
#include "train/run_checks.h"

namespace jevons {
namespace {

const std::filesystem::path kGolden = std::filesystem::path(JEVONS_SOURCE_DIR) / "tests/golden";

struct Case {
  std::filesystem::path model;
  TrainSettings settings;
  Json facts;
  explicit Case(const std::string& name) : facts(*Json::parse(*read_file(kGolden / "train" / (name + ".json")))) {
    model = kGolden / "models" / facts.at("model").as_string();
    settings.tokens = (kGolden / "train/stream.u32").string();
    const Json::Array& flags = facts.at("flags").as_array();
    for (size_t i = 0; i + 1 < flags.size(); ++i) {
      const std::string &flag = flags[i].as_string(), &value = flags[i + 1].as_string();
      if (flag == "--batch") settings.batch = std::stoll(value);
      if (flag == "--seq") settings.seq = std::stoll(value);
      if (flag == "--steps") settings.steps = std::stoll(value);
      if (flag == "--document-start") settings.document_start = std::stoll(value);
      if (flag == "--aux-loss") settings.aux_loss = std::stod(value);
      if (flag == "--mtp-weight") settings.mtp_weight = std::stod(value);
      if (flag == "--lr") settings.lr = std::stod(value);
      if (flag == "--optimizer") settings.optimizer = value;
    }
  }
};

struct Learner {
  Case test;
  Exec exec;
  Checkpoint checkpoint;
  Trainer trainer;
  TokenData data;
  Learner(const std::string& name, DeviceKind device, int threads = 1)
      : test(name),
        exec(threads),
        checkpoint(*Checkpoint::open(test.model)),
        trainer(*read_config(checkpoint), test.settings, exec, device),
        data(*TokenData::open(test.settings.tokens, "")) {
    trainer.parameters().load(checkpoint).value();
  }
  double gradient(const Parameter& p, int64_t i) const {
    const std::byte* g = trainer.gradients();
    return trainer_type() == DType::f64 ? reinterpret_cast<const double*>(g)[p.first + i]
                                        : double{reinterpret_cast<const float*>(g)[p.first + i]};
  }
  DType trainer_type() const { return const_cast<Trainer&>(trainer).parameters().dtype(); }
};

void expect_near(double got, double want, double relative, const std::string& what) {
  EXPECT_LE(std::fabs(got - want), relative * std::fabs(want) + 1e-14) << what << ": " << got << ", PyTorch " << want;
}

class GoldenTraining : public testing::TestWithParam<std::tuple<const char*, bool>> {};

TEST_P(GoldenTraining, GradientsOfEveryParameter) {
  const bool exact = std::get<1>(GetParam());
  Learner run(std::get<0>(GetParam()), exact ? DeviceKind::ref : DeviceKind::cpu);
  const Json& first = run.test.facts.at("log").as_array()[0];
  const StepReport report = run.trainer.gradient(run.data, 0);
  expect_near(report.loss, first.at("loss").as_double(), exact ? 1e-9 : 1e-5, "loss");
  expect_near(report.aux, first.at("aux").as_double(), exact ? 1e-9 : 1e-5, "aux");
  if (const Json* ahead = first.find("mtp_loss"))
    expect_near(report.mtp_loss, ahead->as_double(), exact ? 1e-9 : 1e-5, "mtp_loss");
  expect_near(report.grad_norm, first.at("grad_norm").as_double(), exact ? 1e-8 : 1e-4, "grad_norm");
  size_t compared = 0;
  for (size_t i = 0; i < run.trainer.norms().size(); ++i) {
    const Parameter& p = run.trainer.parameters().list()[i];
    if (!run.trainer.trained()[i]) continue;
    const double norm = run.test.facts.at("norms").at(p.name).as_double();
    expect_near(run.trainer.norms()[i], norm, exact ? 1e-7 : 1e-3, p.name);
    const Json::Array& samples = run.test.facts.at("samples").at(p.name).as_array();
    const int64_t step = std::max<int64_t>(1, p.count / 5);
    for (size_t s = 0; s < samples.size(); ++s)
      EXPECT_NEAR(run.gradient(p, static_cast<int64_t>(s) * step), samples[s].as_double(),
                  (exact ? 1e-8 : 1e-4) * norm + 1e-14)
          << p.name;
    ++compared;
  }
  EXPECT_EQ(compared, run.test.facts.at("norms").size());
}

TEST_P(GoldenTraining, TwentyFourSteps) {
  const bool exact = std::get<1>(GetParam());
  Learner run(std::get<0>(GetParam()), exact ? DeviceKind::ref : DeviceKind::cpu);
  const Json::Array& log = run.test.facts.at("log").as_array();
  for (int64_t step = 0; step < run.test.settings.steps; ++step) {
    const StepReport report = run.trainer.gradient(run.data, step);
    run.trainer.update(step);
    const Json& want = log[static_cast<size_t>(step)];
    expect_near(report.loss, want.at("loss").as_double(), exact ? 1e-8 : 2e-3, cat("loss of step ", step));
    expect_near(report.grad_norm, want.at("grad_norm").as_double(), exact ? 1e-6 : 5e-2, cat("norm of step ", step));
  }
  if (!exact) return;
  for (const Parameter& p : run.trainer.parameters().list()) {
    double squares = 0;
    for (int64_t i = 0; i < p.count; ++i) {
      const double v = reinterpret_cast<const double*>(run.trainer.parameters().bytes().data())[p.first + i];
      squares += v * v;
    }
    expect_near(std::sqrt(squares), run.test.facts.at("final_norms").at(p.name).as_double(), 1e-6, p.name);
  }
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenTraining,
                         testing::Combine(testing::Values("llama", "qwen2", "deepseek_v2_lite", "deepseek_v3_flat",
                                                          "deepseek_v3", "deepseek_v3_muon"),
                                          testing::Bool()),
                         [](const auto& p) {
                           return std::string(std::get<0>(p.param)) + (std::get<1>(p.param) ? "_f64" : "_f32");
                         });

std::vector<std::byte> gradient_bytes(const std::string& name, int threads, int64_t piece_rows) {
  Learner run(name, DeviceKind::cpu, threads);
  run.trainer.set_piece_rows(piece_rows);
  (void)run.trainer.gradient(run.data, 0);
  return {run.trainer.gradients(), run.trainer.gradients() + run.trainer.parameters().bytes().size()};
}

TEST(Training, SameBitsForAnyThreadsAndPieces) {
  const std::vector<std::byte> want = gradient_bytes("deepseek_v3_flat", 1, 2);
  EXPECT_EQ(want, gradient_bytes("deepseek_v3_flat", 2, 2));
  EXPECT_EQ(want, gradient_bytes("deepseek_v3_flat", 3, 2));
  EXPECT_EQ(want, gradient_bytes("deepseek_v3_flat", 2, 1));
}

std::filesystem::path folder(const std::string& name) {
  const std::filesystem::path path = std::filesystem::path(testing::TempDir()) / ("jevons_train_" + name);
  std::filesystem::remove_all(path);
  return path;
}

TrainRun run_of(const std::string& name, int64_t steps, const std::filesystem::path& out) {
  const Case test(name);
  TrainRun run{.settings = test.settings, .init = test.model.string(), .out = out};
  run.settings.steps = steps;
  return run;
}

TEST(Training, ResumesBitForBit) {
  Exec one(1), two(2);
  const auto whole = folder("whole"), half = folder("half"), rest = folder("rest");
  (void)train(run_of("deepseek_v3", 8, whole), one);
  (void)train(run_of("deepseek_v3", 3, half), two);
  TrainRun next = run_of("deepseek_v3", 8, rest);
  next.init.clear(), next.resume = half;
  EXPECT_EQ(train(next, two).first, 3);
  for (const char* file : {"model.safetensors", "config.json", "training_state/model.safetensors"})
    EXPECT_EQ(*read_file(whole / file), *read_file(rest / file)) << file;
  const Checkpoint out = *Checkpoint::open(whole);
  const TensorEntry *copy = out.find("model.layers.2.embed_tokens.weight"),
                    *main = out.find("model.embed_tokens.weight");
  if (copy) {
    EXPECT_EQ(std::memcmp(copy->bytes.data(), main->bytes.data(), main->bytes.size()), 0);
  }
}

std::string refusal(const TrainRun& run) {
  Exec exec(1);
  try {
    (void)train(run, exec);
  } catch (const Error& e) {
    return e.message();
  }
  return "accepted";
}

TEST(Training, RefusesByName) {
  const auto out = folder("refused");
  TrainRun run = run_of("llama", 2, out);
  run.settings.optimizer = "sgd";
  EXPECT_NE(refusal(run).find("\"sgd\" is not known"), std::string::npos) << refusal(run);
  run = run_of("llama", 100000, out);
  EXPECT_NE(refusal(run).find("take fewer steps"), std::string::npos) << refusal(run);
  run = run_of("llama", 2, out);
  run.settings.mtp_weight = 0.3;
  EXPECT_NE(refusal(run).find("prediction layer"), std::string::npos) << refusal(run);
  run = run_of("llama", 2, out);
  const std::filesystem::path odd = std::filesystem::path(testing::TempDir()) / "jevons_odd.u32";
  write_file(odd, "12345").value();
  run.settings.tokens = odd.string();
  EXPECT_NE(refusal(run).find("no multiple of 4"), std::string::npos) << refusal(run);
  std::string wild(4 * 200, '\0');
  wild[4 * 7 + 2] = 1;
  write_file(odd, wild).value();
  EXPECT_NE(refusal(run).find("token 7 is 65536"), std::string::npos) << refusal(run);
  EXPECT_FALSE(std::filesystem::exists(out));
}

TEST(Training, ANumberThatIsNotFiniteStopsWithTheStateSaved) {
  const auto out = folder("infinite");
  TrainRun run = run_of("llama", 20, out);
  run.settings.lr = 1e30, run.settings.clip = 0;
  EXPECT_NE(refusal(run).find("not a finite number"), std::string::npos) << refusal(run);
  EXPECT_GT(read_saved_run(out)->done, 0);
}

// Prediction against use: memory_test.cc.
TEST(Training, RefusesWhatDoesNotFitWithBothNumbers) {
  const TrainRun run = run_of("deepseek_v3", 2, folder("memory"));
  const TrainMemory plan = plan_training(open_run(run, 0).config, run.settings);
  EXPECT_NO_THROW((void)open_run(run, plan.total()));
  try {
    (void)open_run(run, plan.total() - 1);
    FAIL() << "accepted";
  } catch (const Error& e) {
    const std::string total = human_bytes(static_cast<double>(plan.total()));
    EXPECT_NE(e.message().find("training needs " + total), std::string::npos) << e.message();
    EXPECT_NE(e.message().find(" are available"), std::string::npos) << e.message();
  }
  EXPECT_THROW((void)open_run(run, 1000), Error);
}

}  // namespace
}  // namespace jevons
