// For tests: a GGUF file put together piece by piece without any check, as wrong as the test wants it.
#pragma once
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/file.h"

namespace jevons {

inline Bytes bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

struct RawGguf {
  std::string bytes;
  template <class T>
  RawGguf& put(T value) {
    return bytes.append(reinterpret_cast<const char*>(&value), sizeof value), *this;
  }
  RawGguf& text(std::string_view s) {
    put(uint64_t{s.size()});
    return bytes += s, *this;
  }
  RawGguf& head(uint64_t tensors, uint64_t pairs, uint32_t version = 3) {
    bytes += "GGUF";
    return put(version).put(tensors).put(pairs);
  }
  RawGguf& u32(std::string_view key, uint32_t value) { return text(key).put(uint32_t{4}).put(value); }
  // dims: innermost first.
  RawGguf& tensor(std::string_view name, std::initializer_list<uint64_t> dims, uint32_t type, uint64_t offset) {
    text(name).put(static_cast<uint32_t>(dims.size()));
    for (const uint64_t d : dims) put(d);
    return put(type).put(offset);
  }
  std::string data(size_t size) {
    bytes.resize((bytes.size() + 31) / 32 * 32 + size);
    return bytes;
  }
};

}  // namespace jevons
