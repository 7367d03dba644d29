// Fuzz target: one GGUF file from memory, its metadata as numbers, strings and config, its names translated both ways.
#include <cstdint>

#include "formats/gguf_config.h"
#include "formats/gguf_names.h"

namespace jevons {
namespace {

void read_values(const Gguf& gguf) {
  for (const auto& [key, value] : gguf.metadata()) {
    JEVONS_CHECK(gguf.find(key) == &value);
    const auto* array = std::get_if<Gguf::Array>(&value);
    if (!array) continue;
    if (array->type == Gguf::Type::string)
      JEVONS_CHECK(array->strings().size() == array->count);
    else
      JEVONS_CHECK(array->numbers<double>().size() == array->count);
  }
}

void read_tensors(const Gguf& gguf) {
  unsigned sum = 0;
  for (const TensorEntry& tensor : gguf.tensors()) {
    JEVONS_CHECK(gguf.find_tensor(tensor.name) == &tensor);
    if (const auto name = hf_name(tensor.name)) JEVONS_CHECK(gguf_name(*name) == tensor.name);
    for (const std::byte b : tensor.bytes) sum += static_cast<unsigned>(b);
  }
  [[maybe_unused]] static volatile unsigned sink;
  sink = sum;
}

}  // namespace
}  // namespace jevons

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace jevons;
  const auto gguf = Gguf::parse({reinterpret_cast<const std::byte*>(data), size});
  if (!gguf.ok()) return 0;
  read_values(*gguf);
  read_tensors(*gguf);
  (void)config_from_gguf(*gguf);
  return 0;
}
