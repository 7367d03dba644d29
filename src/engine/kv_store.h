// KvStore: the bytes behind KvPages, for every layer of a model. Reserved at once, touched (and so resident) page by
// page. bytes per token = layers * (key_numbers + value_numbers) * size of the type (V3 in 16 bit: 61 * 576 * 2 =
// 70,272).
#pragma once
#include <span>
#include <vector>

#include "kernels/kernels.h"
#include "models/config.h"

namespace jevons {

class KvStore {
 public:
  KvStore(const Config& config, int64_t layers, int64_t pages, int64_t page_tokens, DType dtype);
  ~KvStore();
  KvStore(const KvStore&) = delete;
  KvStore& operator=(const KvStore&) = delete;
  std::span<const KvLayer> layers() const { return layers_; }
  // Where the bytes of a page lie: keys and values of every layer, in one order. Together page_bytes().
  std::vector<std::span<std::byte>> page(int64_t page) const;
  int64_t page_bytes() const;
  static int64_t bytes_per_token(const Config& config, int64_t layers, DType dtype);

 private:
  void* data_ = nullptr;
  size_t bytes_ = 0;
  std::vector<KvLayer> layers_;
};

}  // namespace jevons
