#include "kernels/checks.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/rows.h"
#include "kernels/kv_layout.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace jevons::cpu {
namespace {

#if defined(__x86_64__)
JEVONS_AVX2 int64_t narrow_f16_avx2(const float* from, int64_t n, uint16_t* to) {
  int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i),
                     _mm256_cvtps_ph(_mm256_loadu_ps(from + i), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  return i;
}
#endif

void narrow(DType dtype, const float* from, int64_t n, std::byte* to) {
#if defined(__x86_64__)
  if (dtype == DType::f16 && current_isa() >= Isa::avx2) {
    const int64_t done = narrow_f16_avx2(from, n, reinterpret_cast<uint16_t*>(to));
    return kv_narrow(dtype, from + done, n - done, to + 2 * done);
  }
#endif
  kv_narrow(dtype, from, n, to);
}

}  // namespace

void kv_store(const Env& env, const KvStoreArgs& args) {
  check_kv_store(args);
  const KvLayer& cache = args.cache;
  require(
      cache.dtype == DType::f32 || cache.dtype == DType::f16 || cache.dtype == DType::bf16 || cache.dtype == DType::i8,
      "kv_store: the cache of the cpu back end is f32, f16, bf16 or i8");
  const auto put = [&](const Tensor& from, std::byte* to, int64_t width) {
    const float* x = from.as<float>().data();
    const int64_t bytes = kv_entry_bytes(cache.dtype, width);
    for_rows(env, args.batch.tokens, cache.heads * width, [&](int64_t first, int64_t last) {
      for (int64_t n = first; n < last; ++n)
        for (int64_t h = 0; h < cache.heads; ++h)
          narrow(cache.dtype, x + (n * cache.heads + h) * width, width,
                 to + kv_index(cache, args.batch, args.batch.sequence[n], args.batch.position[n], h, bytes));
    });
  };
  put(args.k, cache.key, cache.key_width);
  if (args.v) put(args.v, cache.value, cache.value_width);
}

}  // namespace jevons::cpu
