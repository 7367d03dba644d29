// Brings tensors into a type and hands their bytes to a file, a few megabytes at a time on all threads.
#pragma once
#include <filesystem>
#include <functional>

#include "base/error.h"
#include "base/progress.h"
#include "base/thread_pool.h"
#include "models/tensor_source.h"
#include "tensor/dtype.h"

namespace jevons {

struct TensorJob {
  TensorSource source;
  Pack pack;  // of the written rows; rows that are stored so already are copied
};

// What happened to tensors: |stored - given|^2 and |given|^2 summed over those that were not copied.
struct PackError {
  int64_t tensors = 0, values = 0;
  double error = 0, size = 0;
  double relative_rmse() const;  // sqrt(error / size); 0 if nothing changed
};

using TensorSink = std::function<Status(const void* data, size_t size)>;

// Advances `progress` by the number of values. Refuses NaN, infinities and magnitudes beyond quantize_limit(pack),
// naming tensor and row.
Status write_tensor(const TensorJob& job, const TensorSink& sink, Exec& exec, Progress& progress, PackError& sums);

// An error with both numbers if the place of `out` has less than `needed` bytes free.
Status check_space(const std::filesystem::path& out, uint64_t needed);

}  // namespace jevons
