#include "engine/kv_store.h"

#include <sys/mman.h>

#include "base/strings.h"

namespace jevons {

int64_t KvStore::bytes_per_token(const Config& config, int64_t layers, DType dtype) {
  return layers * (config.key_numbers() + config.value_numbers()) * dtype_size(dtype);
}

KvStore::KvStore(const Config& config, int64_t layers, int64_t pages, int64_t page_tokens, DType dtype) {
  const int64_t key_bytes = pages * page_tokens * config.key_numbers() * dtype_size(dtype);
  const int64_t value_bytes = pages * page_tokens * config.value_numbers() * dtype_size(dtype);
  bytes_ = static_cast<size_t>(layers * (key_bytes + value_bytes));
  data_ = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data_ == MAP_FAILED)
    throw Error(Code::too_large, cat("cannot reserve ", human_bytes(static_cast<double>(bytes_)), " for the cache of ",
                                     pages * page_tokens, " tokens; use a smaller context"));
  auto* next = static_cast<std::byte*>(data_);
  for (int64_t l = 0; l < layers; ++l) {
    KvLayer layer;
    layer.dtype = dtype;
    layer.page_tokens = page_tokens;
    layer.heads = config.latent() ? 1 : config.num_key_value_heads;
    layer.key_width = config.latent() ? config.key_numbers() : config.head_dim;
    layer.value_width = config.latent() ? config.kv_lora_rank : config.head_dim;
    layer.key = next;
    layer.value = config.latent() ? nullptr : next + key_bytes;
    next += key_bytes + value_bytes;
    layers_.push_back(layer);
  }
}

KvStore::~KvStore() { ::munmap(data_, bytes_); }

}  // namespace jevons
