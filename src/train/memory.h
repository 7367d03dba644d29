// The memory of a training run, known before anything is allocated.
//
//   weights, gradients, moments   one flat buffer each of all parameters (moments: two), float32
//   step                          the arena's largest use: what the tape keeps of a piece's forward pass, the gradients
//                                 of that, and the scratch memory of the kernels
// The step is counted by walking through the ops in the order in which they allocate; memory_test.cc holds the sum
// against the arena's own counter.
#pragma once
#include "models/config.h"
#include "train/settings.h"

namespace jevons {

struct TrainMemory {
  int64_t parameters = 0;  // numbers
  int64_t weights = 0, gradients = 0, moments = 0, step = 0, base = 0;
  int64_t total() const { return weights + gradients + moments + step + base; }
};

// Rows that are computed at a time if nothing else is asked for: as many as have 4096 tokens.
int64_t usual_piece_rows(int64_t seq);

struct TrainMemoryOptions {
  int64_t piece_rows = 0;  // 0: usual_piece_rows
  bool recompute = false;
};
TrainMemory plan_training(const Config& config, const TrainSettings& settings, const TrainMemoryOptions& options = {});

}  // namespace jevons
