// Where the entry of a position lies in a paged cache, keys and values being [page][K][P][entry], and how an entry
// stores its numbers: one after another in the cache's type; or, for i8, `width` codes and then one f16 scale for every
// 32 of them, x = code * scale, scale = max |x| / 127.
#pragma once
#include <cstddef>
#include <cstdint>

#include "kernels/kernels.h"

namespace jevons {

constexpr int64_t kKvBlock = 32;  // numbers under one scale

inline int64_t kv_entry_bytes(DType dtype, int64_t width) {
  return dtype == DType::i8 ? width + (width + kKvBlock - 1) / kKvBlock * 2 : width * dtype_size(dtype);
}

// Index of the first number of (page, head, slot).
inline int64_t kv_index(const KvLayer& cache, int64_t page, int64_t head, int64_t slot, int64_t width) {
  return ((page * cache.heads + head) * cache.page_tokens + slot) * width;
}

// The same for a position of a sequence.
inline int64_t kv_index(const KvLayer& cache, const BatchView& batch, int64_t sequence, int64_t position, int64_t head,
                        int64_t width) {
  const int64_t page = batch.pages[sequence][position / cache.page_tokens];
  return kv_index(cache, page, head, position % cache.page_tokens, width);
}

// Writes an entry of n numbers; reads the first `width` of them. f32, f16, bf16 or i8.
void kv_narrow(DType dtype, const float* from, int64_t n, std::byte* entry);
void kv_widen(DType dtype, const std::byte* entry, int64_t n, int64_t width, float* to);

}  // namespace jevons
