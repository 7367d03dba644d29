// jevons bench train: speed of training steps on a model shape, beside another trainer.
#include <sys/resource.h>

#include <cstdlib>
#include <fstream>

#include "base/interrupt.h"
#include "base/progress.h"
#include "base/rng.h"
#include "cli/bench_peer.h"
#include "cli/bench_text.h"
#include "kernels/bench.h"
#include "models/config.h"
#include "models/flops.h"
#include "train/run.h"

namespace jevons {
namespace {

struct Options {
  std::string config, peer;
  int batch = 16, seq = 256, steps = 4, rounds = 5;
  std::string optimizer = "adamw";
};

// A folder for the run's files that goes with the object.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "jevons-bench-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw Error(Code::io, cat("cannot make the folder ", name));
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

void write_random_tokens(const std::filesystem::path& path, const Options& o, int64_t vocabulary) {
  std::ofstream file(path, std::ios::binary);
  const int64_t count = int64_t{o.batch} * o.seq * o.steps + 2;
  for (int64_t i = 0; i < count; ++i) {
    const auto id = static_cast<uint32_t>(uniform(0, static_cast<uint64_t>(i)) * static_cast<double>(vocabulary));
    file.write(reinterpret_cast<const char*>(&id), sizeof id);
  }
  if (!file.flush()) throw Error(Code::io, cat(path.string(), ": cannot write; is the disk full?"));
}

// Tokens a second of every step but the first, which also touches memory for the first time.
void measure_self(const Options& o, const std::filesystem::path& folder, Exec& exec, std::vector<double>& speeds) {
  TrainRun run;
  run.settings.tokens = (folder / "tokens.u32").string();
  run.settings.batch = o.batch, run.settings.seq = o.seq, run.settings.steps = o.steps;
  run.settings.optimizer = o.optimizer;
  run.init = cat("random:", o.config), run.out = folder / "out";
  bool first = true;
  TrainHooks hooks;
  hooks.step = [&](const StepReport&, double seconds) {
    if (!std::exchange(first, false)) speeds.push_back(o.batch * o.seq / seconds);
  };
  train(run, exec, hooks);
  std::filesystem::remove_all(run.out);
}

int64_t measure_peer(const Options& o, int threads, std::vector<double>& speeds) {
  const Json out = run_peer(cat(o.peer, " ", shell_word(o.config), " --batch ", o.batch, " --seq ", o.seq, " --steps ",
                                o.steps, " --threads ", threads, " 2>/dev/null"),
                            '{');
  for (const Json& speed : out.at("tokens_per_s").as_array()) speeds.push_back(speed.as_double());
  return out.at("peak_bytes").as_int();
}

int64_t peak_bytes() {
  rusage use{};
  ::getrusage(RUSAGE_SELF, &use);
  return use.ru_maxrss * 1024;
}

int run(const Options& o, const Common& common) {
  const Result<Json> json = Json::parse(read_file(o.config).value());
  if (!json.ok()) throw json.error().within(o.config);
  const Result<Config> parsed = parse_config(*json);
  if (!parsed.ok()) throw parsed.error().within(o.config);
  Exec exec(thread_count(common));
  const TemporaryFolder folder;
  write_random_tokens(folder.path() / "tokens.u32", o, parsed->vocab_size);
  std::vector<double> own, peer;
  int64_t peer_peak = 0;
  const MachineReport before = measure_machine(exec);
  Progress progress("measuring", static_cast<uint64_t>(o.rounds), "rounds");
  for (int round = 0; round < o.rounds; ++round) {
    measure_self(o, folder.path(), exec, own);
    check_interrupt();
    if (!o.peer.empty()) peer_peak = std::max(peer_peak, measure_peer(o, exec.threads(), peer));
    progress.set(static_cast<uint64_t>(round + 1));
  }
  const MachineReport after = measure_machine(exec);
  const double flops = training_flops_per_token(*parsed, o.seq), peak = std::max(before.f32_all, after.f32_all);
  const double lost = std::max(before.lost, after.lost), speed = median(own), other = median(peer);
  if (common.json) {
    const auto list = [](const std::vector<double>& v) { return Json(Json::Array(v.begin(), v.end())); };
    print_json(Json::Object{{"config", o.config},
                            {"threads", exec.threads()},
                            {"lost", lost},
                            {"disturbed", lost > MachineReport::kLimit},
                            {"tokens_per_s", list(own)},
                            {"median", speed},
                            {"peer_tokens_per_s", list(peer)},
                            {"ratio", peer.empty() ? 0 : speed / other},
                            {"flops_per_token", flops},
                            {"mfu", speed * flops / peak},
                            {"peak_bytes", peak_bytes()},
                            {"peer_peak_bytes", peer_peak}});
    return 0;
  }
  const auto line = [&](const char* who, double tokens, int64_t bytes) {
    return cat(pad_right(who, 8), pad_left(fixed(tokens, 0), 8), " tokens/s",
               pad_left(fixed(tokens * flops / 1e9, 1), 8), " Gflop/s",
               pad_left(fixed(100 * tokens * flops / peak, 0), 5), " % of the f32 peak",
               pad_left(fixed(static_cast<double>(bytes) / 1e6, 0), 7), " MB\n");
  };
  print(line("jevons", speed, peak_bytes()));
  if (!peer.empty()) print(cat(line("peer", other, peer_peak), "ratio   ", fixed(speed / other, 2), "\n"));
  if (lost > MachineReport::kLimit)
    note(cat("the machine was disturbed (", fixed(100 * lost, 1),
             " % of the time lost): the ratio may stand, the speeds not"));
  return 0;
}

}  // namespace

Command bench_train_command() {
  auto o = std::make_shared<Options>();
  const OptionRules positive{.min = 1, .max = 1 << 20};
  return {
      .name = "bench train",
      .summary = "speed of training steps on a model shape, beside a peer",
      .details = "Random weights and tokens; a round is one short run of each, the first step of a run does not count.",
      .options = {{"CONFIG", &o->config, "config.json of the model's shape", {.required = true}},
                  {"--peer",
                   &o->peer,
                   "a trainer to alternate with; it gets CONFIG and --batch --seq --steps --threads and prints one "
                   "JSON object (tools/bench_train.py)",
                   {.value = "COMMAND"}},
                  {"--batch", &o->batch, "rows of a step", positive},
                  {"--seq", &o->seq, "tokens of a row", positive},
                  {"--steps", &o->steps, "steps of a round", {.min = 2, .max = 1000}},
                  {"--optimizer", &o->optimizer, "adamw or muon", {.choices = {"adamw", "muon"}}},
                  {"-r,--rounds", &o->rounds, "rounds of which the median counts", {.min = 1, .max = 1000}}},
      .examples = {"jevons bench train configs/shapes/nano.json",
                   "jevons bench train configs/shapes/nano.json --peer 'python3 tools/bench_train.py'"},
      .run = [o](const Common& common) { return run(*o, common); }};
}

}  // namespace jevons
