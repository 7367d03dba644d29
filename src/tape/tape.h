// Tape: what a forward pass leaves behind for its gradient. A flat list of steps in execution order; backward() runs it
// once in reverse. What a recorded step captures is the memory bill of its op.
//
// An activation's gradient has the activation's address as its key, so a reshaped view shares it. Parameters lie in one
// buffer and their gradients at the same offsets in another, which outlives the tape and is added to.
#pragma once
#include <cstddef>
#include <functional>
#include <span>
#include <unordered_map>
#include <vector>

#include "tensor/tensor.h"

namespace jevons {

class Tape {
 public:
  // `gradients` has the size of `parameters`; gradients of activations come from `arena`, which nothing rewinds
  // between the recording and backward().
  Tape(Arena& arena, std::span<const std::byte> parameters, std::span<std::byte> gradients);
  void record(std::function<void()> step) { steps_.push_back(std::move(step)); }
  // The gradient of x (an activation or a parameter), to be added to; zero when first asked for.
  Tensor grad(const Tensor& x);
  // An empty tape over the same parameters, for a part of the work that is done twice (Decoder::set_recompute).
  Tape sibling() const { return {arena_, parameters_, gradients_}; }
  void backward();  // every step in reverse; the tape is empty afterwards

 private:
  Arena& arena_;
  std::span<const std::byte> parameters_;
  std::span<std::byte> gradients_;
  std::vector<std::function<void()>> steps_;
  std::unordered_map<const void*, Tensor> activations_;
};

}  // namespace jevons
