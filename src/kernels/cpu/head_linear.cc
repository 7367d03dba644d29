#include <algorithm>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "kernels/cpu/linear_tile.h"

namespace jevons::cpu {

// The rows of x [N, H, cols] that head h meets are n H + h: linear_tile takes them by index.
void head_linear(const Env& env, const HeadLinearArgs& args) {
  const auto [tokens, heads, cols] = args.x.dims<3>();
  const Weight& weight = *args.weight;
  if (weight.stack() != heads || args.out.numel() != tokens * heads * weight.rows)
    throw Error(Code::invalid, "head_linear: the weight must hold one matrix per head and fit the output");
  if (tokens == 0) return;
  const Arena::Mark mark = env.arena.mark();
  const LinearInput input = linear_input(env, args.x.as<float>().data(), tokens * heads, cols, {&weight});
  const int64_t panels = panel_count(weight), blocks = (tokens + kTokenBlock - 1) / kTokenBlock;
  const int64_t step = panels_per_chunk(env, weight, std::min(tokens, kTokenBlock), panels * heads * blocks);
  const int64_t runs = (panels + step - 1) / step;
  float* out = args.out.as<float>().data();
  env.exec.parallel_for(heads * runs * blocks, [&, h_count = heads, n = tokens](int64_t i) {
    const int64_t head = i / runs % h_count, first = i / runs / h_count * kTokenBlock;
    const int64_t count = std::min(kTokenBlock, n - first);
    int32_t rows[kTokenBlock];
    for (int64_t t = 0; t < count; ++t) rows[t] = static_cast<int32_t>((first + t) * h_count + head);
    float tile[kTokenBlock * kPanelRows];
    for (int64_t p = i % runs * step; p < std::min(panels, (i % runs + 1) * step); ++p) {
      linear_tile(env, weight, head, p, input, rows, 0, count, tile);
      const int64_t live = std::min(kPanelRows, weight.rows - p * kPanelRows);
      for (int64_t t = 0; t < count; ++t)
        std::memcpy(out + rows[t] * weight.rows + p * kPanelRows, tile + t * kPanelRows, static_cast<size_t>(live) * 4);
    }
  });
  env.arena.rewind(mark);
}

}  // namespace jevons::cpu
