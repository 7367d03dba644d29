#include "kernels/cpu/glu.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "kernels/cpu/math.h"

namespace jevons {
namespace {

#if defined(__x86_64__)
JEVONS_AVX2 int64_t silu_mul_avx2(const float* gate, const float* up, int64_t n, float* out) {
  int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    _mm256_storeu_ps(out + i, _mm256_mul_ps(silu_f32x8(_mm256_loadu_ps(gate + i)), _mm256_loadu_ps(up + i)));
  return i;
}
#endif

}  // namespace

void silu_mul(const float* gate, const float* up, int64_t n, float* out) {
  int64_t i = 0;
#if defined(__x86_64__)
  if (current_isa() >= Isa::avx2) i = silu_mul_avx2(gate, up, n, out);
#endif
  for (; i < n; ++i) out[i] = silu_f32(gate[i]) * up[i];
}

void glu_tile(const Env& env, const Weight& gate, const Weight& up, int64_t matrix, int64_t panel,
              const LinearInput& input, const int32_t* rows, int64_t first, int64_t count, float* out) {
  float ups[kTokenBlock * kPanelRows];
  linear_tile(env, gate, matrix, panel, input, rows, first, count, out);
  linear_tile(env, up, matrix, panel, input, rows, first, count, ups);
  silu_mul(out, ups, count * kPanelRows, out);
}

void cpu::glu(const Env& env, const GluArgs& args) {
  const auto [tokens, cols] = args.x.dims<2>();
  const int64_t width = args.gate->rows;
  if (args.up->rows != width || args.out.numel() != tokens * width)
    throw Error(Code::invalid, "glu: gate, up and the output must have the same width");
  if (tokens == 0) return;
  const Arena::Mark mark = env.arena.mark();
  const LinearInput input = linear_input(env, args.x.as<float>().data(), tokens, cols, {args.gate, args.up});
  const int64_t panels = panel_count(*args.gate), blocks = (tokens + kTokenBlock - 1) / kTokenBlock;
  const int64_t step = panels_per_chunk(env, *args.gate, 2 * std::min(tokens, kTokenBlock), panels * blocks);
  const int64_t runs = (panels + step - 1) / step;
  float* out = args.out.as<float>().data();
  env.exec.parallel_for(runs * blocks, [&, n = tokens](int64_t i) {
    const int64_t first = i / runs * kTokenBlock, count = std::min(kTokenBlock, n - first);
    float tile[kTokenBlock * kPanelRows];
    for (int64_t p = i % runs * step; p < std::min(panels, (i % runs + 1) * step); ++p) {
      glu_tile(env, *args.gate, *args.up, 0, p, input, nullptr, first, count, tile);
      const int64_t live = std::min(kPanelRows, width - p * kPanelRows);
      for (int64_t t = 0; t < count; ++t)
        std::memcpy(out + (first + t) * width + p * kPanelRows, tile + t * kPanelRows, static_cast<size_t>(live) * 4);
    }
  });
  env.arena.rewind(mark);
}

}  // namespace jevons
