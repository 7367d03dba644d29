// A tensor of a file: its facts and where its bytes lie, checked against the file's size. Shared by safetensors and
// GGUF.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "tensor/dtype.h"

namespace jevons {

struct TensorEntry {
  std::string name;
  std::optional<Pack> pack;                // how weights are stored; none for integer and boolean tensors
  std::string stored_type;                 // the file's own word: "BF16", "Q4_K"
  std::vector<int64_t> shape;              // outermost first
  Bytes bytes;                             // at any alignment
  std::shared_ptr<const MappedFile> file;  // null when parsed from memory

  int64_t numel() const {
    int64_t n = 1;
    for (int64_t d : shape) n *= d;
    return n;
  }
};

}  // namespace jevons
