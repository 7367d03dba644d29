// Fuzz target: one safetensors file from memory. Every byte of an accepted tensor is read once, so that a view outside
// the input is found.
#include <cstdint>

#include "formats/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace jevons;
  const auto file = Safetensors::parse({reinterpret_cast<const std::byte*>(data), size});
  if (!file.ok()) return 0;
  unsigned sum = 0;
  for (const TensorEntry& tensor : file->tensors()) {
    JEVONS_CHECK(file->find(tensor.name) == &tensor);
    for (const std::byte b : tensor.bytes) sum += static_cast<unsigned>(b);
  }
  [[maybe_unused]] static volatile unsigned sink;
  sink = sum;
  return 0;
}
