// A training run: opens, checks everything that can be refused before the first step, loops, logs, evaluates, saves.
// By flags it is a plain loop; from a configuration (train/prepare.h) it also keeps a diary of events and a page.
#pragma once
#include <functional>

#include "train/checkpoint.h"

namespace jevons {

struct TrainRun {
  TrainSettings settings;
  std::string init{};                            // folder or random:CONFIG.json; empty when resuming or with `start`
  std::filesystem::path resume{}, out{}, log{};  // resume: a folder with the state of an earlier run
  std::optional<TrainStart> start{};
  int64_t save_every = 0;  // steps; 0: only at the end
  int64_t piece_rows = 0;  // rows computed at a time; 0: as fits
  bool recompute = false;  // layers are computed twice, for less memory; changes no bit
  bool log_tensor_norms = false;

  Json described{};                     // of the configuration and the data; null: a run by flags
  std::filesystem::path held_out{};     // token stream; empty: no evaluation
  int64_t held_out_tokens = 0;          // of it, that an evaluation reads
  int64_t evaluate_every = 0;           // steps; 0: at the end. Every evaluation saves first
  int64_t keep = 0;                     // earlier states kept in OUT/checkpoints
  bool keep_best = false;               // OUT/best
  std::vector<uint16_t> token_bytes{};  // length of every token's text; empty: unknown, no bits per byte
};

struct TrainSummary {
  int64_t first = 0, steps = 0, tokens = 0;
  StepReport last{};
  double seconds = 0;
  double held_out_bits = 0;  // bits per byte of the last evaluation; 0: none
};

struct Sample {
  std::string prompt, text;
};

// What the caller lends a run.
struct TrainHooks {
  std::function<void(const StepReport&, double seconds)> step{};
  std::function<void(const Json& event)> event{};                                   // every line of the log
  std::function<std::vector<Sample>(const std::filesystem::path& model)> sample{};  // after an evaluation
  int64_t available_memory = 0;                                                     // bytes; 0: unknown, not checked
};

// Saves and throws on Ctrl-C (Error{interrupted}) and on a number that is not finite (Error{invalid}). Errors of
// foreign bytes are thrown as they are found, before the first step; so are too little memory
// (train/memory.h) and too little disk (Error{too_large}).
TrainSummary train(TrainRun run, Exec& exec, const TrainHooks& hooks = {});

// Throws if `out` is empty or holds a model already.
void refuse_overwriting(const std::filesystem::path& out);

}  // namespace jevons
