// For tests: a GGUF file put together piece by piece, as wrong as the test wants it.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "formats/gguf.h"

namespace jevons {

inline Bytes bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

struct RawGguf {
  std::string text = "GGUF";
  template <class T>
  RawGguf& operator()(T value) {
    return text.append(reinterpret_cast<const char*>(&value), sizeof value), *this;
  }
  RawGguf& name(std::string_view s) { return (*this)(uint64_t{s.size()}), text += s, *this; }
  RawGguf& head(uint64_t tensors, uint64_t metadata, uint32_t version = 3) {
    return (*this)(version)(tensors)(metadata);
  }
  RawGguf& tensor(std::string_view n, const std::vector<uint64_t>& dims, uint32_t type, uint64_t offset) {
    name(n)(static_cast<uint32_t>(dims.size()));  // dims: innermost first
    for (const uint64_t d : dims) (*this)(d);
    return (*this)(type)(offset);
  }
  RawGguf& data(size_t bytes) { return text.resize((text.size() + 31) / 32 * 32 + bytes), *this; }
  std::string complaint() const {
    const auto file = Gguf::parse(bytes_of(text));
    return file.ok() ? "accepted" : file.error().message();
  }
};

}  // namespace jevons
