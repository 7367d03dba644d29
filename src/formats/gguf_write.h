// Writes GGUF v3: metadata and tensor facts are collected, then create() writes them and the tensors' bytes follow in
// the order of add_tensor, in pieces of any size. The file appears under its name only with finish().
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "formats/gguf.h"
#include "tensor/dtype.h"

namespace jevons {

class GgufWriter {
 public:
  void put_u32(std::string_view key, int64_t value);  // CHECK: fits
  void put_f32(std::string_view key, double value);
  void put_bool(std::string_view key, bool value);
  void put_text(std::string_view key, std::string_view value);
  void put_texts(std::string_view key, const std::vector<std::string>& values);
  void put_i32s(std::string_view key, const std::vector<int32_t>& values);
  // A value read from another file. Scalars get the narrowest of 32 and 64 bits that keeps them.
  void put(std::string_view key, const Gguf::Value& value);

  void add_tensor(std::string_view name, const std::vector<int64_t>& shape, Pack pack);  // shape: outermost first
  uint64_t data_bytes() const { return end_; }

  Status create(const std::filesystem::path& path);
  Status write(const void* data, size_t size);
  Status finish();  // CHECK: every tensor is complete

 private:
  void key(std::string_view name, Gguf::Type type);
  template <class T>
  void number(Gguf::Type type, std::string_view name, T value);
  std::string metadata_, tensors_;
  uint64_t metadata_count_ = 0, end_ = 0;
  std::vector<uint64_t> ends_;  // of each tensor's bytes, counted from the start of the data
  size_t current_ = 0;          // tensor being written
  uint64_t written_ = 0;        // position in the data
  std::optional<AtomicFile> file_;
};

}  // namespace jevons
