#include "engine/kv_store.h"

#include <sys/mman.h>

#include "base/strings.h"
#include "kernels/kv_layout.h"

namespace jevons {

namespace {

struct Widths {
  int64_t heads, key, value;
};
Widths widths(const Config& config) {
  if (config.latent()) return {1, config.key_numbers(), config.kv_lora_rank};
  return {config.num_key_value_heads, config.head_dim, config.head_dim};
}

}  // namespace

int64_t KvStore::bytes_per_token(const Config& config, int64_t layers, DType dtype) {
  const Widths w = widths(config);
  return layers * w.heads * (kv_entry_bytes(dtype, w.key) + (config.latent() ? 0 : kv_entry_bytes(dtype, w.value)));
}

KvStore::KvStore(const Config& config, int64_t layers, int64_t pages, int64_t page_tokens, DType dtype) {
  const Widths w = widths(config);
  const int64_t slots = pages * page_tokens * w.heads, key_bytes = slots * kv_entry_bytes(dtype, w.key);
  const int64_t value_bytes = config.latent() ? 0 : slots * kv_entry_bytes(dtype, w.value);
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
    layer.heads = w.heads, layer.key_width = w.key, layer.value_width = w.value;
    layer.key = next;
    layer.value = config.latent() ? nullptr : next + key_bytes;
    next += key_bytes + value_bytes;
    layers_.push_back(layer);
  }
}

std::vector<std::span<std::byte>> KvStore::page(int64_t page) const {
  std::vector<std::span<std::byte>> out;
  for (const KvLayer& layer : layers_) {
    const auto add = [&](std::byte* data, int64_t width) {
      const int64_t bytes =
          layer.heads * layer.page_tokens * kv_entry_bytes(layer.dtype, width);  // [page][K][P][entry]
      out.emplace_back(data + page * bytes, static_cast<size_t>(bytes));
    };
    add(layer.key, layer.key_width);
    if (layer.value) add(layer.value, layer.value_width);
  }
  return out;
}

int64_t KvStore::page_bytes() const {
  int64_t bytes = 0;
  for (const auto& part : page(0)) bytes += static_cast<int64_t>(part.size());
  return bytes;
}

KvStore::~KvStore() { ::munmap(data_, bytes_); }

}  // namespace jevons
