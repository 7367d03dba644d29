// What this machine can do, and how near to it the linear kernels come. Everything is measured, in a few seconds, on
// the threads of `exec`; figures are the best of several short bursts unless stated.
#pragma once
#include <cstdint>
#include <string>

#include "base/thread_pool.h"
#include "tensor/dtype.h"

namespace jevons {

// lost: the largest share of a second that any thread did not run, found by timing blocks of 5 us and adding up those
// that took over 50 us. Neighbours and the system's scheduler show here; a benchmark counts only if it is below 3 %.
struct MachineReport {
  int threads = 0;
  double ghz = 0;                     // of one thread: a chain of dependent one-cycle additions
  double lost = 0, longest_gap = 0;   // share; seconds
  double read_one = 0, read_all = 0;  // bytes/s summing 256 MB, one thread and all
  double int8_one = 0, int8_all = 0;  // operations/s (a multiply-add is two) of int8_form
  double f32_one = 0, f32_all = 0;
  std::string isa, int8_form, f32_form;

  static constexpr double kLimit = 0.03;
  bool disturbed() const { return lost > kLimit; }
};
MachineReport measure_machine(Exec& exec);
// Of the above, f32_all alone, in about 20 ms a core.
double f32_peak(Exec& exec);

// One linear map with weights of `pack` in the layout that the engine uses, `tokens` rows of input. For few tokens the
// weights are cold: copies of 128 MB in all take turns.
struct KernelReport {
  double seconds = 0;     // best of the repetitions
  double bytes = 0;       // of the weight, as it lies in memory
  double operations = 0;  // 2 rows cols tokens
};
KernelReport bench_linear(Exec& exec, Pack pack, int64_t rows, int64_t cols, int64_t tokens, int repetitions = 7);

}  // namespace jevons
