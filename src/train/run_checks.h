// What a run stands on, opened and checked before its first step.
#pragma once
#include "train/row_plan.h"
#include "train/run.h"

namespace jevons {

struct RunBasis {
  TrainStart start;
  Config config;
  TokenData data;
  std::optional<TokenData> held_out;
  RowPlan plan;
  int64_t first = 0;  // steps done already
};

// Throws what can be refused: settings, files, tokens outside the vocabulary, too little memory (`available`
// bytes; 0: unknown; train/memory.h), too little disk for the states.
RunBasis open_run(const TrainRun& run, int64_t available);

}  // namespace jevons
