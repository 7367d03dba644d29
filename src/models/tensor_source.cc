#include "models/tensor_source.h"

#include <cstring>

#include "base/strings.h"
#include "kernels/codec/codec.h"

namespace jevons {
namespace {

int64_t rows_of(const std::vector<int64_t>& shape) {
  int64_t rows = 1;
  for (size_t i = 0; i + 1 < shape.size(); ++i) rows *= shape[i];
  return rows;
}

// The row of the source that becomes row `row`.
int64_t ordered(const TensorSource& source, int64_t row) {
  if (source.order == TensorSource::Order::same) return row;
  const int64_t width = source.rows() / source.heads, half = width / 2, head = row / width, j = row % width;
  const int64_t from = source.order == TensorSource::Order::interleave ? j % 2 * half + j / 2 : j % half * 2 + j / half;
  return head * width + from;
}

const std::byte* row_at(const TensorEntry& entry, int64_t row) {
  return entry.bytes.data() + row * row_bytes(*entry.pack, entry.shape.back());
}

void read_fp8_row(const TensorSource::Piece& piece, int64_t row, int64_t cols, float* out) {
  const int64_t blocks = piece.scale->shape.back();
  std::vector<float> scale(static_cast<size_t>(blocks));
  std::memcpy(scale.data(), piece.scale->bytes.data() + row / 128 * blocks * 4, static_cast<size_t>(blocks) * 4);
  dequantize_fp8_block128(row_at(*piece.entry, row), cols, scale.data(), out);
}

// Row `row` of the joined kv_b: a column of the transposed keys, or a row of the values.
void read_joined_row(const TensorSource& source, int64_t row, float* out) {
  const auto& [keys, values, nope] = source.halves;
  const int64_t width = values->numel() / source.heads / source.cols(), head = row / (nope + width);
  const int64_t j = row % (nope + width);
  if (j >= nope) return dequantize_row(*values->pack, row_at(*values, head * width + j - nope), source.cols(), out);
  const PackInfo& info = pack_info(*keys->pack);
  const int64_t block = j / info.block_values;
  std::vector<float> part(static_cast<size_t>(info.block_values));
  for (int64_t c = 0; c < source.cols(); ++c) {
    dequantize_row(info.pack, row_at(*keys, head * source.cols() + c) + block * info.block_bytes, info.block_values,
                   part.data());
    out[c] = part[static_cast<size_t>(j % info.block_values)];
  }
}

}  // namespace

int64_t TensorSource::rows() const { return rows_of(shape); }

std::optional<Pack> TensorSource::stored_pack() const {
  if (pieces.empty() || *pieces[0].entry->pack == Pack::fp8_block128) return std::nullopt;
  for (const Piece& piece : pieces)
    if (piece.entry->pack != pieces[0].entry->pack) return std::nullopt;
  return pieces[0].entry->pack;
}

const std::byte* TensorSource::stored_row(int64_t row) const {
  const int64_t from = ordered(*this, row), each = rows() / static_cast<int64_t>(pieces.size());
  const Piece& piece = pieces[static_cast<size_t>(from / each)];
  return row_at(*piece.entry, piece.first_row + from % each);
}

void TensorSource::read_row(int64_t row, float* out) const {
  if (!values.empty()) {
    std::memcpy(out, values.data() + row * cols(), static_cast<size_t>(cols()) * 4);
    return;
  }
  if (halves.keys) return read_joined_row(*this, row, out);
  const int64_t from = ordered(*this, row), each = rows() / static_cast<int64_t>(pieces.size());
  const Piece& piece = pieces[static_cast<size_t>(from / each)];
  if (*piece.entry->pack == Pack::fp8_block128) return read_fp8_row(piece, piece.first_row + from % each, cols(), out);
  dequantize_row(*piece.entry->pack, row_at(*piece.entry, piece.first_row + from % each), cols(), out);
}

void TensorSource::release() const {
  for (const Piece& piece : pieces)
    if (piece.entry->file) piece.entry->file->release(piece.entry->bytes);
}

Result<TensorSource> whole_tensor(std::string name, const TensorEntry& entry, const TensorEntry* scale) {
  if (!entry.pack || entry.shape.empty() || entry.numel() == 0)
    return Error(Code::unsupported, cat("the tensor ", quote(entry.name), " of type ", entry.stored_type, " and rank ",
                                        entry.shape.size(), " holds no weights that can be converted"));
  if (*entry.pack == Pack::fp8_block128) {
    const auto blocks = [](int64_t n) { return (n + 127) / 128; };
    if (!scale || entry.shape.size() != 2 || scale->pack != Pack::f32 ||
        scale->shape != std::vector<int64_t>{blocks(entry.shape[0]), blocks(entry.shape[1])})
      return Error(Code::invalid, cat("the FP8 tensor ", quote(entry.name), " needs the F32 tensor ",
                                      quote(entry.name + "_scale_inv"), " with one number per 128x128 block"));
  }
  TensorSource source;
  source.name = std::move(name);
  source.shape = entry.shape;
  source.pieces.push_back({&entry, scale});
  return source;
}

}  // namespace jevons
