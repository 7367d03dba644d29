// Ctx: everything in which one step of a model differs from another: device, threads, memory of the step, the ragged
// batch, the caches of its sequences or the tape, and an optional listener for named intermediate results. Passed
// explicitly.
#pragma once
#include <functional>
#include <map>
#include <span>
#include <string_view>
#include <vector>

#include "kernels/kernels.h"
#include "tape/tape.h"

namespace jevons {

// What training asks of the routers and learns from them.
struct Balance {
  double factor = 0;            // of the sequence-wise loss: alpha / sequences of the whole step; 0: none
  int64_t sequence_tokens = 0;  // rows of a sequence
  double loss = 0;              // sum of its addends
  std::map<const void*, std::vector<int64_t>> slots;  // routed slots per expert, by the address of the router's weight
};

struct Ctx {
  DeviceKind device = DeviceKind::cpu;
  Env env;
  BatchView batch;                                                // the token axis: N = batch.tokens
  std::span<const KvLayer> cache;                                 // one per layer; none: attend within the batch only
  std::function<void(std::string_view, const Tensor&)> listener;  // --trace
  Tape* tape = nullptr;        // set: ops record their gradients; the Ctx then outlives Tape::backward()
  Balance* balance = nullptr;  // set while training a mixture of experts

  DType act() const { return device == DeviceKind::ref ? DType::f64 : DType::f32; }
  Tensor alloc(Shape shape) { return env.arena.alloc(shape, act(), device); }
  const Kernels& k() const { return kernels(device); }
  void trace(std::string_view name, const Tensor& value) const {
    if (listener) listener(name, value);
  }
};

}  // namespace jevons
