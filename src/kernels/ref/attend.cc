#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/kernels.h"

namespace jevons::ref {
namespace {

// Entry of position p for head k.
double* slot(std::byte* base, const KvLayer& cache, int64_t width, const int32_t* pages, int64_t p, int64_t k) {
  const int64_t P = cache.page_tokens;
  return reinterpret_cast<double*>(base) + ((pages[p / P] * cache.heads + k) * P + p % P) * width;
}

}  // namespace

void kv_store(const Env&, const KvStoreArgs& a) {
  JEVONS_CHECK(a.cache.dtype == DType::f64);
  const KvLayer& cache = a.cache;
  for (int64_t n = 0; n < a.batch.tokens; ++n) {
    const int32_t* pages = a.batch.pages[a.batch.sequence[n]];
    for (int64_t k = 0; k < cache.heads; ++k) {
      const auto copy = [&](std::byte* base, const Tensor& from, int64_t width) {
        std::copy_n(from.as<double>().data() + (n * cache.heads + k) * width, width,
                    slot(base, cache, width, pages, a.batch.position[n], k));
      };
      copy(cache.key, a.k, cache.key_width);
      if (cache.value) copy(cache.value, a.v, cache.value_width);
    }
  }
}

void attend(const Env&, const AttendArgs& a) {
  JEVONS_CHECK(a.cache.dtype == DType::f64);
  auto [N, H, width] = a.q.dims<3>();
  const KvLayer& cache = a.cache;
  const int64_t Dv = cache.value_width;
  for (int64_t n = 0; n < N; ++n)
    for (int64_t h = 0; h < H; ++h) {
      const int32_t* pages = a.batch.pages[a.batch.sequence[n]];
      const int64_t k = h * cache.heads / H, count = a.batch.position[n] + 1;
      const double* q = a.q.as<double>().data() + (n * H + h) * width;
      std::vector<double> p(static_cast<size_t>(count));
      for (int64_t j = 0; j < count; ++j) {
        const double* key = slot(cache.key, cache, width, pages, j, k);
        double dot = 0;
        for (int64_t i = 0; i < width; ++i) dot += q[i] * key[i];
        p[static_cast<size_t>(j)] = dot * a.scale;
      }
      const double top = *std::max_element(p.begin(), p.end());
      double sum = 0;
      for (double& v : p) sum += v = std::exp(v - top);
      double* out = a.out.as<double>().data() + (n * H + h) * Dv;
      std::fill_n(out, Dv, 0.0);
      for (int64_t j = 0; j < count; ++j) {
        const double* value =
            cache.value ? slot(cache.value, cache, Dv, pages, j, k) : slot(cache.key, cache, width, pages, j, k);
        for (int64_t i = 0; i < Dv; ++i) out[i] += p[static_cast<size_t>(j)] / sum * value[i];
      }
    }
}

}  // namespace jevons::ref
