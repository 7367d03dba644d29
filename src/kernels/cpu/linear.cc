#include <algorithm>
#include <vector>

#include "base/error.h"
#include "kernels/cpu/linear_tile.h"

namespace jevons::cpu {
namespace {

void require_shape(bool good, const char* what) {
  if (!good) throw Error(Code::invalid, std::string("linear: the shape of ") + what + " does not fit the weight");
}

void check(const LinearArgs& args, int64_t tokens) {
  for (const LinearArgs::Map& map : args.maps) {
    require_shape(map.out.numel() == tokens * map.weight->rows, "an output");
    require_shape(!map.bias || map.bias.numel() == map.weight->rows, "a bias");
    require_shape(!map.residual || map.residual.numel() == map.out.numel(), "a residual");
  }
}

// out = (tile + bias) + residual for `count` tokens from `first` on.
void finish(const LinearArgs::Map& map, const float* tile, int64_t panel, int64_t first, int64_t count) {
  const int64_t r0 = panel * kPanelRows, rows = map.weight->rows, live = std::min(kPanelRows, rows - r0);
  const float* bias = map.bias ? map.bias.as<float>().data() + r0 : nullptr;
  const float* residual = map.residual ? map.residual.as<float>().data() + r0 : nullptr;
  float* out = map.out.as<float>().data() + r0;
  for (int64_t t = 0; t < count; ++t) {
    const int64_t at = (first + t) * rows;
    for (int64_t r = 0; r < live; ++r) {
      float value = tile[t * kPanelRows + r];
      if (bias) value += bias[r];
      if (residual) value += residual[at + r];
      out[at + r] = value;
    }
  }
}

// A run of consecutive panels of one map.
struct Chunk {
  const LinearArgs::Map* map;
  int64_t first, count;
};

std::vector<Chunk> chunks(const Env& env, const LinearArgs& args, int64_t tokens) {
  int64_t all = 0;
  for (const LinearArgs::Map& map : args.maps) all += panel_count(*map.weight);
  const int64_t blocks = (tokens + kTokenBlock - 1) / kTokenBlock;
  std::vector<Chunk> out;
  for (const LinearArgs::Map& map : args.maps) {
    const int64_t panels = panel_count(*map.weight);
    const int64_t step = panels_per_chunk(env, *map.weight, std::min(tokens, kTokenBlock), all * blocks);
    for (int64_t p = 0; p < panels; p += step) out.push_back({&map, p, std::min(step, panels - p)});
  }
  return out;
}

}  // namespace

void linear(const Env& env, const LinearArgs& args) {
  const auto [tokens, cols] = args.x.dims<2>();
  if (tokens == 0) return;
  check(args, tokens);
  std::vector<const Weight*> weights;
  for (const LinearArgs::Map& map : args.maps) weights.push_back(map.weight);
  const Arena::Mark mark = env.arena.mark();
  const LinearInput input = linear_input(env, args.x.as<float>().data(), tokens, cols, weights.data(), weights.size());
  const std::vector<Chunk> work = chunks(env, args, tokens);
  const int64_t blocks = (tokens + kTokenBlock - 1) / kTokenBlock, n = static_cast<int64_t>(work.size());
  env.exec.parallel_for(n * blocks, [&, all = tokens](int64_t i) {
    const Chunk& chunk = work[static_cast<size_t>(i % n)];
    const int64_t first = i / n * kTokenBlock, count = std::min(kTokenBlock, all - first);
    float tile[kTokenBlock * kPanelRows];
    for (int64_t p = chunk.first; p < chunk.first + chunk.count; ++p) {
      linear_tile(env, *chunk.map->weight, 0, p, input, nullptr, first, count, tile);
      finish(*chunk.map, tile, p, first, count);
    }
  });
  env.arena.rewind(mark);
}

}  // namespace jevons::cpu
