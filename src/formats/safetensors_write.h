// Writes safetensors: all tensors are declared, create() plans the files, then the tensors' bytes follow in the order
// of items(), in pieces of any size. One model.safetensors, or shards with an index if the data exceed
// `max_shard_bytes`. Nothing appears under its final name before finish().
#pragma once
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"

namespace jevons {

class SafetensorsWriter {
 public:
  struct Item {
    std::string name, dtype;     // dtype: the format's word, "BF16"
    std::vector<int64_t> shape;  // outermost first
    uint64_t bytes;
    size_t added;  // position among the add_tensor calls
    size_t shard;  // file that holds it, from 0
  };
  static constexpr uint64_t kMaxShardBytes = 5'000'000'000;

  void put_metadata(std::string key, std::string value);
  // CHECK: a dtype of the format, no dimension below 0, a new name (create).
  void add_tensor(std::string name, std::string_view dtype, std::vector<int64_t> shape);
  uint64_t data_bytes() const;

  // Makes the folder if it is not there. A folder that holds another model's files in the way is refused.
  Status create(const std::filesystem::path& folder, uint64_t max_shard_bytes = kMaxShardBytes);
  // In writing order. Shards take the tensors in the order of add_tensor; within a shard, larger element types come
  // first, so that every tensor is aligned (the format allows no padding).
  const std::vector<Item>& items() const { return items_; }
  Status write(const void* data, size_t size);
  Status finish();  // CHECK: every tensor is complete

 private:
  size_t plan(uint64_t max_shard_bytes);  // sorts items_; the number of shards
  Status begin_shard();
  Status commit_all();  // the files, then the index
  std::string header(size_t shard) const;
  std::filesystem::path shard_path(size_t shard) const;
  std::vector<std::pair<std::string, std::string>> metadata_ = {{"format", "pt"}};
  std::vector<Item> items_;
  std::filesystem::path folder_;
  size_t shards_ = 0;
  std::vector<uint64_t> left_;  // bytes that each shard still expects
  std::vector<AtomicFile> files_;
};

}  // namespace jevons
