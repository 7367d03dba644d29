// A tensor that is to be written, described by where its rows come from: a tensor of an open checkpoint, a stack of
// several (experts), a part of a stack, a reordering of its rows, or computed values. Nothing is read before a row is
// asked for.
#pragma once
#include <string>
#include <vector>

#include "base/error.h"
#include "formats/tensor_entry.h"

namespace jevons {

struct TensorSource {
  // Rotary pairs of q and k, head by head: `interleave` turns the published order (i, i + half) into (2i, 2i + 1), the
  // order of GGUF's llama family; `split` is its inverse.
  enum class Order { same, interleave, split };
  struct Piece {
    const TensorEntry* entry;
    const TensorEntry* scale = nullptr;  // weight_scale_inv of an fp8_block128 entry
    int64_t first_row = 0;               // of `entry`
  };
  // MLA's kv_b_proj from GGUF's two halves: keys [heads, rank, nope] (transposed), values [heads, width, rank].
  struct Halves {
    const TensorEntry *keys = nullptr, *values = nullptr;
    int64_t nope = 0;
  };

  std::string name;            // in the file to be written
  std::vector<int64_t> shape;  // outermost first
  std::vector<Piece> pieces;   // equal numbers of rows, one after another
  Order order = Order::same;
  int64_t heads = 0;  // for `order`
  Halves halves;
  std::vector<float> values;  // computed: the whole tensor

  int64_t cols() const { return shape.back(); }
  int64_t rows() const;
  // The pack in which every row lies ready to be copied, if there is one.
  std::optional<Pack> stored_pack() const;
  const std::byte* stored_row(int64_t row) const;
  void read_row(int64_t row, float* out) const;
  void release() const;  // the mapped pages are not needed again
};

// A source that is one whole tensor. Refuses tensors that are not numbers and fp8 without a fitting scale.
Result<TensorSource> whole_tensor(std::string name, const TensorEntry& entry, const TensorEntry* scale = nullptr);

}  // namespace jevons
