#include "train/run_checks.h"

#include <algorithm>

#include "base/strings.h"
#include "models/loader.h"
#include "train/memory.h"

namespace jevons {
namespace {

std::string human(int64_t bytes) { return human_bytes(static_cast<double>(bytes)); }

TrainStart start_of(const TrainRun& run) {
  if (run.start) return *run.start;
  return open_start(run.resume.empty() ? run.init : run.resume.string()).value();
}

Config config_of(const TrainStart& start, const std::string& where) {
  if (!start.weights.empty()) return read_config(Checkpoint::open(start.weights).value()).value();
  Result<Config> config = parse_config(start.config);
  if (!config.ok()) throw config.error().within(where);
  return *config;
}

void check_data(const TrainRun& run, const TokenData& data, const RowPlan& plan, int64_t first, int64_t vocabulary) {
  const TrainSettings& s = run.settings;
  if (first > s.steps)
    throw Error(Code::usage, cat("--steps ", s.steps, " is the total; ", first, " steps are done already"));
  const int64_t from = plan.rows_before(first) * s.seq, end = plan.rows_before(s.steps) * s.seq + 1;
  const bool shuffled = s.order == "shuffled";
  if (!shuffled && end > data.size())
    throw Error(Code::invalid,
                cat(data.path().string(), " has ", data.size(), " tokens; ", s.steps, " steps of ", s.batch,
                    " rows of ", s.seq, " tokens and one more target need ", end, "; take fewer steps or more text"));
  data.check(shuffled ? 0 : from, shuffled ? data.size() : end, vocabulary).value();
}

TokenData open_held_out(const TrainRun& run, int64_t vocabulary) {
  TokenData data = TokenData::open(run.held_out, "").value();
  data.check(0, data.size(), vocabulary).value();
  if (data.size() <= run.settings.seq)
    throw Error(Code::invalid,
                cat(run.held_out.string(), ": the held-out text has ", data.size(),
                    " tokens; an evaluation needs at least ", run.settings.seq + 1, " (a row and one more target)"));
  return data;
}

// Weights, gradients and two moments in memory; on disk the states that will lie there at once.
void check_room(const TrainRun& run, const Config& config, int64_t available) {
  const TrainMemory memory = plan_training(config, run.settings, {run.piece_rows, run.recompute});
  const int64_t state = memory.weights + memory.gradients + memory.moments;
  if (available > 0 && state > available)
    throw Error(Code::too_large,
                cat("weights, gradients and moments of ", memory.parameters, " parameters need ", human(state),
                    " of memory, ", human(available), " are available; train a smaller model"));
  if (available > 0 && memory.total() > available)
    throw Error(Code::too_large,
                cat("training needs ", human(memory.total()), " of memory, ", human(memory.step), " of it for a step; ",
                    human(available), " are available; compute fewer rows at a time (--piece-rows, batch.piece_rows), ",
                    "or --recompute (batch.recompute)"));
  std::filesystem::path folder = std::filesystem::absolute(run.out);
  while (!std::filesystem::exists(folder)) folder = folder.parent_path();
  const int64_t disk = (2 + run.keep) * state + state / 4;  // the new one beside the old, the kept ones, the best
  const auto space = static_cast<int64_t>(std::min<uintmax_t>(std::filesystem::space(folder).available, INT64_MAX));
  if (disk > space)
    throw Error(Code::too_large, cat("the states of this run need ", human(disk), " on the disk of ", folder.string(),
                                     ", which has ", human(space), " left; free space or keep fewer states"));
}

}  // namespace

RunBasis open_run(const TrainRun& run, int64_t available) {
  run.settings.check().value();
  if (run.resume.empty() && run.init.empty() && !run.start)
    throw Error(Code::usage, "--init HFDIR is missing: the model to start from (or --resume DIR)");
  if (run.resume.empty()) refuse_overwriting(run.out);
  if (run.out.empty()) throw Error(Code::usage, "--out DIR is missing: the folder for the trained model");
  const TrainStart start = start_of(run);
  const Config config = config_of(start, run.init);
  TokenData data = TokenData::open(run.settings.tokens, run.settings.mask).value();
  const RowPlan plan(data.size(), run.settings);
  RunBasis basis{start, config, std::move(data), std::nullopt, plan, 0};
  if (!run.resume.empty()) basis.first = read_saved_run(run.resume).value().done;
  check_data(run, basis.data, plan, basis.first, config.vocab_size);
  if (!run.held_out.empty()) basis.held_out = open_held_out(run, config.vocab_size);
  check_room(run, config, available);
  return basis;
}

}  // namespace jevons
