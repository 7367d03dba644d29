// From a checkpoint to a Decoder whose weights lie as the kernels want them, and the memory that takes.
//
// cpu: quantised matrices are repacked into panels (the file's pages are given back as this goes on), dense ones (f32,
// f16, bf16, fp8) are used straight from the mapping. exact, ref: everything straight from the mapping. Plain numbers
// that are not aligned to their size in the file (both formats allow it) are used from an aligned copy.
#pragma once
#include "base/thread_pool.h"
#include "models/checkpoint.h"
#include "models/decoder.h"

namespace jevons {

struct LoadOptions {
  DeviceKind device = DeviceKind::cpu;
  bool exact = false;
  bool expanded = false;  // build what the expanded evaluation of Mla needs too
};

struct WeightMemory {
  int64_t owned = 0;       // bytes that this process allocates
  int64_t mapped = 0;      // bytes of the file that stay in use
  int64_t parameters = 0;  // numbers in the model
  int64_t active = 0;      // of these, used per token: head yes, embedding and idle experts no (as the reports count)
  int64_t read_per_token = 0;  // bytes of weights that one token's step reads
};

// What load_decoder() will hold; reads no weight. Also checks that every tensor is there with the right shape.
Result<WeightMemory> plan_weights(const Checkpoint& checkpoint, const Config& config, const LoadOptions& options);

// Throws nothing for foreign bytes: a missing, misshapen or oversized tensor is an Error naming the tensor and the
// file.
Result<Decoder> load_decoder(const Checkpoint& checkpoint, const Config& config, const LoadOptions& options,
                             Exec& exec);

// The config of a checkpoint; prediction layers that the file does not hold are dropped with a note.
Result<Config> read_config(const Checkpoint& checkpoint);

// Parameters that a config describes, without a checkpoint.
struct ParameterCount {
  int64_t total = 0, active = 0, prediction = 0;  // prediction: layers of multi-token prediction, not in total
};
ParameterCount count_parameters(const Config& config);

}  // namespace jevons
