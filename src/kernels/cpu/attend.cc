#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "kernels/checks.h"
#include "kernels/cpu/math.h"
#include "kernels/kv_layout.h"
#include "tensor/half.h"

namespace jevons::cpu {
namespace {

constexpr int64_t kChunk = 256;

void widen(DType dtype, const std::byte* from, int64_t n, float* to) {
  const auto* half = reinterpret_cast<const uint16_t*>(from);
  if (dtype == DType::f32)
    std::memcpy(to, from, static_cast<size_t>(n) * 4);
  else
    for (int64_t i = 0; i < n; ++i) to[i] = dtype == DType::f16 ? f16_to_f32(half[i]) : bf16_to_f32(half[i]);
}

void attend_row(const AttendArgs& args, int64_t n, int64_t head, const float* q, float* out) {
  const KvLayer& cache = args.cache;
  std::vector<float> row(static_cast<size_t>(cache.key_width)), p(kChunk), sum(static_cast<size_t>(cache.value_width)),
      part(sum.size());
  const auto load = [&](const std::byte* data, int64_t j, int64_t stride, int64_t count) {
    row.resize(static_cast<size_t>(count));
    widen(cache.dtype,
          data + dtype_size(cache.dtype) * kv_index(cache, args.batch, args.batch.sequence[n], j, head, stride), count,
          row.data());
  };
  float top = -std::numeric_limits<float>::infinity(), total = 0;
  const int64_t end = args.batch.position[n] + 1;
  for (int64_t first = 0; first < end; first += kChunk) {
    const int64_t count = std::min(kChunk, end - first);
    for (int64_t j = 0; j < count; ++j) {
      load(cache.key, first + j, cache.key_width, cache.key_width);
      float dot = 0;
      for (size_t i = 0; i < row.size(); ++i) dot += q[i] * row[i];
      p[static_cast<size_t>(j)] = dot * static_cast<float>(args.scale);
    }
    const float chunk_top = *std::max_element(p.begin(), p.begin() + count);
    float chunk_total = 0;
    std::fill(part.begin(), part.end(), 0.0f);
    for (int64_t j = 0; j < count; ++j) {
      const float weight = exp_f32(p[static_cast<size_t>(j)] - chunk_top);
      chunk_total += weight;
      load(cache.value ? cache.value : cache.key, first + j, cache.value ? cache.value_width : cache.key_width,
           cache.value_width);
      for (size_t i = 0; i < part.size(); ++i) part[i] += weight * row[i];
    }
    const float new_top = std::max(top, chunk_top), a = exp_f32(top - new_top), b = exp_f32(chunk_top - new_top);
    for (size_t i = 0; i < sum.size(); ++i) sum[i] = sum[i] * a + part[i] * b;
    total = total * a + chunk_total * b, top = new_top;
  }
  for (size_t i = 0; i < sum.size(); ++i) out[i] = sum[i] / total;
}

}  // namespace

void attend(const Env& env, const AttendArgs& args) {
  check_attend(args);
  const auto [tokens, heads, width] = args.q.dims<3>();
  const float* q = args.q.as<float>().data();
  float* out = args.out.as<float>().data();
  env.exec.parallel_for(tokens * heads, [&, h = heads, w = width](int64_t i) {
    attend_row(args, i / h, i % h * args.cache.heads / h, q + i * w, out + i * args.cache.value_width);
  });
}

}  // namespace jevons::cpu
