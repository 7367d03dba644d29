#include <cstring>

#include "kernels/checks.h"
#include "kernels/cpu/rows.h"
#include "kernels/kv_layout.h"
#include "tensor/half.h"

namespace jevons::cpu {
namespace {

void narrow(DType dtype, const float* from, int64_t n, std::byte* to) {
  if (dtype == DType::f32) {
    std::memcpy(to, from, static_cast<size_t>(n) * 4);
    return;
  }
  auto* half = reinterpret_cast<uint16_t*>(to);
  for (int64_t i = 0; i < n; ++i) half[i] = dtype == DType::f16 ? f32_to_f16(from[i]) : f32_to_bf16(from[i]);
}

}  // namespace

void kv_store(const Env& env, const KvStoreArgs& args) {
  check_kv_store(args);
  const KvLayer& cache = args.cache;
  require(cache.dtype == DType::f32 || cache.dtype == DType::f16 || cache.dtype == DType::bf16,
          "kv_store: the cache of the cpu back end is f32, f16 or bf16");
  const auto put = [&](const Tensor& from, std::byte* to, int64_t width) {
    const float* x = from.as<float>().data();
    for_rows(env, args.batch.tokens, cache.heads * width, [&](int64_t first, int64_t last) {
      for (int64_t n = first; n < last; ++n)
        for (int64_t h = 0; h < cache.heads; ++h)
          narrow(cache.dtype, x + (n * cache.heads + h) * width, width,
                 to + dtype_size(cache.dtype) *
                          kv_index(cache, args.batch, args.batch.sequence[n], args.batch.position[n], h, width));
    });
  };
  put(args.k, cache.key, cache.key_width);
  if (args.v) put(args.v, cache.value, cache.value_width);
}

}  // namespace jevons::cpu
