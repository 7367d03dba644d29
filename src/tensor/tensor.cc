#include "tensor/tensor.h"

#include <algorithm>
#include <cstdlib>
#include <new>

#include "base/strings.h"

namespace jevons {
namespace {

constexpr int64_t kAlign = 64;
constexpr int64_t kMinBlock = int64_t{1} << 20;

}  // namespace

Shape::Shape(std::initializer_list<int64_t> dims) : rank_(static_cast<int>(dims.size())) {
  JEVONS_CHECK(rank_ <= kMaxRank);
  std::copy(dims.begin(), dims.end(), dims_.begin());
}

int64_t Shape::numel() const {
  int64_t n = 1;
  for (int i = 0; i < rank_; ++i) n *= dims_[static_cast<size_t>(i)];
  return n;
}

std::string Shape::str() const {
  std::string out = "[";
  for (int i = 0; i < rank_; ++i) out += cat(i ? ", " : "", (*this)[i]);
  return out + "]";
}

Tensor Tensor::reshape(Shape shape) const {
  if (shape.numel() != numel()) throw Error(Code::invalid, cat("cannot reshape ", shape_.str(), " to ", shape.str()));
  return {data_, shape, dtype_, device_};
}

Tensor Tensor::rows(int64_t first, int64_t count) const {
  JEVONS_CHECK(shape_.rank() >= 1 && first >= 0 && count >= 0 && first + count <= shape_[0]);
  const int64_t row = shape_[0] ? bytes() / shape_[0] : 0;
  Shape shape;
  switch (shape_.rank()) {
    case 1:
      shape = {count};
      break;
    case 2:
      shape = {count, shape_[1]};
      break;
    case 3:
      shape = {count, shape_[1], shape_[2]};
      break;
    default:
      shape = {count, shape_[1], shape_[2], shape_[3]};
  }
  return {static_cast<std::byte*>(data_) + first * row, shape, dtype_, device_};
}

void Tensor::require_rank(int rank) const {
  if (shape_.rank() != rank) throw Error(Code::invalid, cat("expected ", rank, " dimensions, found ", shape_.str()));
}

void Tensor::require_dtype(DType dtype) const {
  if (dtype_ != dtype)
    throw Error(Code::invalid, cat("expected elements ", dtype_name(dtype), ", found ", dtype_name(dtype_)));
}

Arena::~Arena() {
  for (Block& block : blocks_) std::free(block.data);
}

void* Arena::alloc_bytes(int64_t bytes) {
  const int64_t need = (std::max<int64_t>(bytes, 1) + kAlign - 1) / kAlign * kAlign;
  while (block_ < blocks_.size() && offset_ + need > blocks_[block_].size) ++block_, offset_ = 0;
  if (block_ == blocks_.size()) {
    const int64_t size = std::max({need, kMinBlock, blocks_.empty() ? 0 : blocks_.back().size});
    auto* data = static_cast<std::byte*>(std::aligned_alloc(kAlign, static_cast<size_t>(size)));
    if (!data)
      throw Error(Code::too_large, cat("out of memory: could not get ", human_bytes(static_cast<double>(size))));
    blocks_.push_back({data, size});
    offset_ = 0;
  }
  void* out = blocks_[block_].data + offset_;
  offset_ += need;
  used_ += need;
  peak_ = std::max(peak_, used_);
  return out;
}

Tensor Arena::alloc(Shape shape, DType dtype, DeviceKind device) {
  return {alloc_bytes(shape.numel() * dtype_size(dtype)), shape, dtype, device};
}

void Arena::reset() { block_ = 0, offset_ = 0, used_ = 0; }

}  // namespace jevons
