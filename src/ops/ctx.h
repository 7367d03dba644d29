// Ctx: everything in which one step of a model differs from another: device, threads, memory of the step, the ragged
// batch, the caches of its sequences, and an optional listener for named intermediate results. Passed explicitly.
#pragma once
#include <functional>
#include <span>
#include <string_view>

#include "kernels/kernels.h"

namespace jevons {

struct Ctx {
  DeviceKind device = DeviceKind::cpu;
  Env env;
  BatchView batch;                                                // the token axis: N = batch.tokens
  std::span<const KvLayer> cache;                                 // one per layer
  std::function<void(std::string_view, const Tensor&)> listener;  // --trace

  DType act() const { return device == DeviceKind::ref ? DType::f64 : DType::f32; }
  Tensor alloc(Shape shape) { return env.arena.alloc(shape, act(), device); }
  const Kernels& k() const { return kernels(device); }
  void trace(std::string_view name, const Tensor& value) const {
    if (listener) listener(name, value);
  }
};

}  // namespace jevons
