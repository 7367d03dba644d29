// Writes one safetensors file: facts are collected, then create() writes the header and the tensors' bytes follow in
// the order of add_tensor, in pieces of any size. The file appears under its name only with finish().
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "tensor/dtype.h"

namespace jevons {

class SafetensorsWriter {
 public:
  void add_tensor(const std::string& name, const std::vector<int64_t>& shape, Pack pack);  // f64, f32, f16 or bf16
  uint64_t data_bytes() const { return end_; }
  Status create(const std::filesystem::path& path);
  Status write(const void* data, size_t size);
  Status finish();  // CHECK: every tensor is complete

 private:
  Json header_ = Json::object();
  uint64_t end_ = 0, written_ = 0;
  std::optional<AtomicFile> file_;
};

}  // namespace jevons
