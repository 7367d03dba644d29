#include "tape/tape.h"

#include <cstring>

namespace jevons {

Tape::Tape(Arena& arena, std::span<const std::byte> parameters, std::span<std::byte> gradients)
    : arena_(arena), parameters_(parameters), gradients_(gradients) {
  JEVONS_CHECK(parameters.size() == gradients.size());
}

Tensor Tape::grad(const Tensor& x) {
  const auto* at = static_cast<const std::byte*>(x.data());
  if (at >= parameters_.data() && at < parameters_.data() + parameters_.size())
    return {gradients_.data() + (at - parameters_.data()), x.shape(), x.dtype(), x.device()};
  auto [found, fresh] = activations_.try_emplace(x.data());
  if (fresh) {
    found->second = arena_.alloc(x.shape(), x.dtype(), x.device());
    std::memset(found->second.data(), 0, static_cast<size_t>(found->second.bytes()));
  }
  return found->second.reshape(x.shape());
}

void Tape::backward() {
  for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) (*step)();
  steps_.clear();
  activations_.clear();
}

}  // namespace jevons
