// Weight: the matrix of a linear map, y = W x, as it lies in a file or as a kernel wants it. [rows, cols], or a stack
// of E such matrices (experts, heads). The one type in which a trained, a served and a quantised model differ; only
// `embed`, `linear` and its stacked forms accept it.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "tensor/dtype.h"

namespace jevons {

enum class Layout : uint8_t {
  rows,    // row after row in the pack's published block layout (the bytes of the file, usually mapped)
  panels,  // 16 rows interleaved for the cpu kernels (kernels/cpu/panel.h)
};

struct Weight {
  std::string name;  // of the tensor in the checkpoint, for messages
  Pack pack = Pack::f32;
  Layout layout = Layout::rows;
  int64_t rows = 0, cols = 0;             // of one matrix: outputs, inputs
  std::vector<const std::byte*> data;     // one pointer per matrix of the stack; size 1 for a plain matrix
  std::vector<const float*> block_scale;  // fp8_block128: [ceil(rows/128), ceil(cols/128)] per matrix; else empty
  std::shared_ptr<const void> owner;      // keeps the bytes alive: a file mapping or a packed buffer

  explicit operator bool() const { return !data.empty(); }
  int64_t stack() const { return static_cast<int64_t>(data.size()); }
  int64_t numel() const { return stack() * rows * cols; }
};

}  // namespace jevons
