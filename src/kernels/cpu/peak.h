// Loops that run nothing but the arithmetic of a kernel's inner loop, on registers: their rate is the peak that a
// kernel is measured against. Many independent sums, every result consumed.
#pragma once
#include <cstdint>

#include "kernels/cpu/isa.h"

namespace jevons {

struct PeakLoop {
  const char* form;   // the instructions
  double operations;  // per round
  void (*run)(int64_t rounds);
};
PeakLoop clock_loop();        // one "operation" a cycle: dependent integer additions
PeakLoop int8_loop(Isa isa);  // unsigned times signed bytes, added up
PeakLoop f32_loop(Isa isa);   // fused multiply-add

}  // namespace jevons
