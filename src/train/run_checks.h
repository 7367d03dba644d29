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

// Throws what can be refused: settings, files, tokens outside the vocabulary, too little memory for the weights
// (`available` bytes; 0: unknown), too little disk for the states.
RunBasis open_run(const TrainRun& run, int64_t available);

// A step's memory is linear in its rows, so a step of one row and one of two tell that of a whole piece. Throws
// Error{too_large} if that does not fit; returns it. Changes nothing that training sees.
int64_t check_step_memory(Trainer& trainer, const RunBasis& basis, int64_t batch, int64_t available);

}  // namespace jevons
