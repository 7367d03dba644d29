// Where the entry of a position lies in a paged cache: keys and values are [page][K][P][width].
#pragma once
#include <cstdint>

#include "kernels/kernels.h"

namespace jevons {

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

}  // namespace jevons
