#include "models/write_tensors.h"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "base/interrupt.h"
#include "base/strings.h"
#include "kernels/codec/codec.h"

namespace jevons {
namespace {

constexpr int64_t kBatchValues = int64_t{1} << 22;

// One row of `job` in its new form; the error it got is added to `error` and `size`. False: a number cannot be stored.
bool convert_row(const TensorJob& job, int64_t row, std::byte* out, double& error, double& size) {
  const int64_t n = job.source.cols();
  thread_local std::vector<float> given, kept;
  given.resize(static_cast<size_t>(n)), kept.resize(static_cast<size_t>(n));
  job.source.read_row(row, given.data());
  if (!all_within(given.data(), n, quantize_limit(job.pack))) return false;
  quantize_row(job.pack, given.data(), n, out, nullptr);
  dequantize_row(job.pack, out, n, kept.data());
  error = size = 0;
  for (size_t i = 0; i < given.size(); ++i) {
    const double difference = double{kept[i]} - double{given[i]};
    error += difference * difference, size += double{given[i]} * double{given[i]};
  }
  return true;
}

Error cannot_store(const TensorJob& job, int64_t row) {
  return Error(Code::invalid,
               cat("the tensor ", quote(job.source.name, 120), " holds, in row ", row,
                   ", NaN, an infinity or a magnitude over ", quantize_limit(job.pack), ", which ",
                   pack_info(job.pack).name, " cannot store; choose bf16 or f32, or repair the checkpoint"));
}

}  // namespace

double PackError::relative_rmse() const { return size > 0 ? std::sqrt(error / size) : 0; }

Status write_tensor(const TensorJob& job, const TensorSink& sink, Exec& exec, Progress& progress, PackError& sums) {
  const int64_t rows = job.source.rows(), cols = job.source.cols(), bytes = row_bytes(job.pack, cols);
  const bool copy = job.source.stored_pack() == job.pack;
  const int64_t batch = std::clamp<int64_t>(kBatchValues / cols, 1, rows);
  std::vector<std::byte> out(static_cast<size_t>(batch * bytes));
  std::vector<double> error(static_cast<size_t>(batch)), size(static_cast<size_t>(batch));
  for (int64_t first = 0; first < rows; first += batch) {
    check_interrupt();
    const int64_t count = std::min(batch, rows - first);
    std::atomic<int64_t> bad = rows;
    exec.parallel_for(count, [&](int64_t i) {
      std::byte* row = out.data() + i * bytes;
      if (copy) return void(std::copy_n(job.source.stored_row(first + i), bytes, row));
      if (convert_row(job, first + i, row, error[static_cast<size_t>(i)], size[static_cast<size_t>(i)])) return;
      int64_t seen = bad.load();
      while (first + i < seen && !bad.compare_exchange_weak(seen, first + i)) {
      }
    });
    if (bad < rows) return cannot_store(job, bad);
    JEVONS_TRY_STATUS(sink(out.data(), static_cast<size_t>(count * bytes)));
    for (int64_t i = 0; i < count && !copy; ++i)
      sums.error += error[static_cast<size_t>(i)], sums.size += size[static_cast<size_t>(i)];
    progress.advance(static_cast<uint64_t>(count * cols));
  }
  ++sums.tensors, sums.values += rows * cols;
  job.source.release();
  return {};
}

Status check_space(const std::filesystem::path& out, uint64_t needed) {
  std::error_code failed;
  const auto folder = std::filesystem::absolute(out).parent_path();
  const auto space = std::filesystem::space(folder, failed);
  if (failed || space.available >= needed) return {};  // what cannot be asked is found out by writing
  return Error(Code::io, cat(out.string(), ": the file needs ", human_bytes(static_cast<double>(needed)), ", ",
                             folder.string(), " has ", human_bytes(static_cast<double>(space.available)),
                             " free; make room or choose another place"));
}

}  // namespace jevons
