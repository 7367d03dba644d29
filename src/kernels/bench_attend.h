// How fast attention over a cache is: one step of `tokens` consecutive positions of one sequence at the end of
// `context`.
#pragma once
#include <cstdint>

#include "base/thread_pool.h"
#include "tensor/dtype.h"

namespace jevons {

struct AttendShape {
  int64_t heads = 9, kv_heads = 3, key_width = 64, value_width = 64;  // SmolLM2-135M
  bool latent = false;                                                // values are prefixes of the keys
  DType cache = DType::f16;
};

struct AttendReport {
  double seconds = 0;     // of one layer's call; best of the repetitions
  double positions = 0;   // pairs of a query token and a position it sees
  double bytes = 0;       // of the layer's cache that the context fills
  double operations = 0;  // 2 heads (key_width + value_width) positions
};

// context >= tokens. The cache is cold: layers of 128 MB in all (at least two) take turns, as in a model.
AttendReport bench_attend(Exec& exec, const AttendShape& shape, int64_t context, int64_t tokens, int repetitions = 15);

}  // namespace jevons
