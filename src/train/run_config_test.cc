#include "train/run_config.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/strings.h"

namespace jevons {
namespace {

const std::string kGood =
    "out = \"o\"\nseed = 3\n[model]\npreset = \"micro\"\n[data]\ntrain = [\"a.txt\"]\n[schedule]\nsteps = 10\n";

std::string refusal(const std::string& text, const std::vector<std::string>& sets = {}) {
  const Result<RunConfig> config = read_run_config("c.toml", text, sets);
  return config.ok() ? "accepted" : config.error().message();
}

TEST(RunConfigTest, ReadsSectionsAndSets) {
  const Result<RunConfig> read = read_run_config(
      "c.toml", kGood + "lr = 1\n",
      {"schedule.lr=0.5", "data.train=[\"x.txt\", \"y.u32\"]", "out=runs/a b", "model.n_routed_experts=4", "seed=9"});
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(read->seed, 9);
  EXPECT_EQ(read->out, "runs/a b");
  EXPECT_EQ(read->schedule.lr, 0.5);
  EXPECT_EQ(read->schedule.steps, 10);
  EXPECT_EQ(read->data.train, (std::vector<std::string>{"x.txt", "y.u32"}));
  EXPECT_EQ(described_model(read->model, 700)->at("n_routed_experts").as_int(), 4);
  EXPECT_EQ(described_model(read->model, 700)->at("vocab_size").as_int(), 700);
  // What was said, sets included, says the same again.
  const Result<RunConfig> again = run_config_from_json(read->given, {});
  ASSERT_TRUE(again.ok()) << again.error().message();
  EXPECT_EQ(again->given, read->given);
  EXPECT_EQ(again->schedule.lr, 0.5);
}

TEST(RunConfigTest, TheExamplesAreRead) {
  for (const char* name : {"micro", "nano"}) {
    const std::string path = cat(JEVONS_SOURCE_DIR, "/configs/", name, ".toml");
    const Result<RunConfig> config = read_run_config(path, *read_file(path), {});
    EXPECT_TRUE(config.ok()) << config.error().message();
  }
}

TEST(RunConfigTest, RefusesByNameWithLineAndSuggestion) {
  const std::pair<std::string, std::string> cases[] = {
      {kGood + "warmupp = 3\n", "c.toml line 9: unknown key \"warmupp\" in [schedule]; did you mean warmup?"},
      {kGood + "[optimiser]\nlr = 1\n", "c.toml line 9: unknown section \"optimiser\"; did you mean optimizer?"},
      {kGood + "[model.x]\n", "[model]"},
      {"ouput = 1\n" + kGood, "c.toml line 1: unknown key \"ouput\"; did you mean output?"},
      {kGood + "lr = \"fast\"\n", "c.toml line 9: schedule.lr: expected a number, found string"},
      {kGood + "lr = -1\n", "c.toml line 9: schedule.lr is -1"},
      {kGood + "warmup = \n", "c.toml line 9: "},
      {kGood + "kind = \"cosin\"\n", "c.toml line 9: schedule.kind is \"cosin\"; did you mean cosine?"},
      {kGood + "epochs = 1\n", "contradict each other"},
      {kGood + "kind = \"cosine\"\ndecay = 5\n", "c.toml line 10: schedule.decay belongs to kind = \"wsd\""},
      {kGood + "[evaluation]\nevery = 5\n", "c.toml line 10: [evaluation] needs text"},
      {kGood + "[batch]\nramp_from = 4\n", "belong together"},
      {kGood + "[batch]\nrows = 2\nramp_from = 4\nramp_steps = 3\n", "c.toml line 11: batch.ramp_from is above"},
      {"out = \"o\"\n[data]\ntrain = [\"a\"]\n[schedule]\nsteps = 1\n", "[model] says no shape"}};
  for (const auto& [text, words] : cases)
    EXPECT_NE(refusal(text).find(words), std::string::npos) << refusal(text) << "\nexpected: " << words;
}

TEST(RunConfigTest, RefusesContradictionsOfTheModel) {
  const std::pair<std::string, std::string> cases[] = {
      {"model.preset=mikro", "there is no preset \"mikro\"; did you mean micro?"},
      {"model.hiden_size=64",
       "--set model.hiden_size=64: unknown key \"hiden_size\" in [model]; did you mean hidden_size?"},
      {"model.init=folder", "takes one of init"},
      {"model.num_experts_per_tok=9", "num_experts_per_tok 9 exceeds the 8 experts"},
      {"model.shape=nothing.json", "takes one of init"},
      {"data.held_out_share=1.5", "must be below 1"},
      {"schedule", "expected KEY=VALUE"}};
  for (const auto& [set, words] : cases)
    EXPECT_NE(refusal(kGood, {set}).find(words), std::string::npos) << refusal(kGood, {set}) << "\nexpected: " << words;
  EXPECT_NE(refusal(kGood, {"data.held_out_share=0.1", "data.held_out=[\"b.txt\"]"}).find("contradict"),
            std::string::npos);
  EXPECT_NE(refusal(kGood, {"schedule.steps=0"}).find("says no length"), std::string::npos);
  EXPECT_NE(refusal(kGood, {"optimizer.beta2=1"}).find("beta2 must be below 1"), std::string::npos);
}

}  // namespace
}  // namespace jevons
