// A training run by flags: opens, checks everything that can be refused before the first step, loops, logs, saves.
#pragma once
#include <functional>

#include "train/checkpoint.h"

namespace jevons {

struct TrainRun {
  TrainSettings settings;
  std::string init{};                            // folder or random:CONFIG.json; empty when resuming
  std::filesystem::path resume{}, out{}, log{};  // resume: the out folder of an earlier run
  int64_t save_every = 0;                        // steps; 0: only at the end
  int64_t piece_rows = 0;                        // rows computed at a time; 0: as fits
  bool log_tensor_norms = false;
};

struct TrainSummary {
  int64_t first = 0, steps = 0, tokens = 0;
  StepReport last{};
  double seconds = 0;
};

// Saves and throws on Ctrl-C (Error{interrupted}) and on a number that is not finite (Error{invalid}). `each` sees
// every step. Errors of foreign bytes are thrown as they are found, before the first step.
TrainSummary train(TrainRun run, Exec& exec, const std::function<void(const StepReport&, double seconds)>& each);

}  // namespace jevons
