// Tensor: a contiguous row-major view plus the facts about it. It owns nothing; memory comes from a model's parameters,
// from the step's Arena, or from the engine's caches. No strides: a transposition is an op.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "tensor/dtype.h"

namespace jevons {

enum class DeviceKind : uint8_t { ref, cpu, cuda };

class Shape {
 public:
  static constexpr int kMaxRank = 4;
  Shape() = default;
  Shape(std::initializer_list<int64_t> dims);
  int rank() const { return rank_; }
  int64_t operator[](int i) const { return dims_[static_cast<size_t>(i)]; }
  int64_t numel() const;
  std::string str() const;  // "[3, 576]"
  bool operator==(const Shape&) const = default;

 private:
  std::array<int64_t, kMaxRank> dims_{};
  int rank_ = 0;
};

template <class T>
struct DTypeOf;
template <>
struct DTypeOf<double> {
  static constexpr DType value = DType::f64;
};
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::f32;
};
template <>
struct DTypeOf<int64_t> {
  static constexpr DType value = DType::i64;
};
template <>
struct DTypeOf<int32_t> {
  static constexpr DType value = DType::i32;
};
template <>
struct DTypeOf<int8_t> {
  static constexpr DType value = DType::i8;
};
template <>
struct DTypeOf<uint8_t> {
  static constexpr DType value = DType::u8;
};

class Tensor {
 public:
  Tensor() = default;
  Tensor(void* data, Shape shape, DType dtype, DeviceKind device = DeviceKind::cpu)
      : data_(data), shape_(shape), dtype_(dtype), device_(device) {}

  const Shape& shape() const { return shape_; }
  DType dtype() const { return dtype_; }
  DeviceKind device() const { return device_; }
  void* data() const { return data_; }
  int64_t numel() const { return shape_.numel(); }
  int64_t bytes() const { return numel() * dtype_size(dtype_); }
  explicit operator bool() const { return data_ != nullptr; }

  // auto [N, D] = x.dims<2>(); throws on another rank.
  template <int R>
  std::array<int64_t, R> dims() const {
    require_rank(R);
    std::array<int64_t, R> out;
    for (int i = 0; i < R; ++i) out[static_cast<size_t>(i)] = shape_[i];
    return out;
  }
  // The elements; throws unless dtype is T.
  template <class T>
  std::span<T> as() const {
    require_dtype(DTypeOf<T>::value);
    return {static_cast<T*>(data_), static_cast<size_t>(numel())};
  }
  Tensor reshape(Shape shape) const;                // same number of elements
  Tensor rows(int64_t first, int64_t count) const;  // a range of the first dimension

 private:
  void require_rank(int rank) const;
  void require_dtype(DType dtype) const;
  void* data_ = nullptr;
  Shape shape_;
  DType dtype_ = DType::f32;
  DeviceKind device_ = DeviceKind::cpu;
};

// Memory of one step: tensors are carved off in order and all given back by reset(). Grows to the largest step seen;
// 64-byte aligned. Not for several threads.
class Arena {
 public:
  Arena() = default;
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  Tensor alloc(Shape shape, DType dtype, DeviceKind device = DeviceKind::cpu);  // uninitialised
  void* alloc_bytes(int64_t bytes);
  void reset();
  int64_t used() const { return used_; }
  int64_t peak() const { return peak_; }
  struct Mark {
    size_t block;
    int64_t offset, used;
  };
  Mark mark() const { return {block_, offset_, used_}; }
  void rewind(Mark mark) { block_ = mark.block, offset_ = mark.offset, used_ = mark.used; }  // frees all after `mark`

 private:
  struct Block {
    std::byte* data;
    int64_t size;
  };
  std::vector<Block> blocks_;
  size_t block_ = 0;
  int64_t offset_ = 0, used_ = 0, peak_ = 0;
};

}  // namespace jevons
