// The routed experts. The (token, slot) pairs are sorted by expert, so each chosen expert is read once whatever the
// number of tokens; hidden activations and outputs live in one buffer in sorted order ("pair order"). A token adds its
// slots in slot order: out += weight_a * y_a from 0, so its bits do not depend on the others.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "base/strings.h"
#include "kernels/cpu/glu.h"
#include "kernels/cpu/linear_tile.h"

namespace jevons::cpu {
namespace {

// A block of pairs of one expert: places [first, first + count) in pair order.
struct Block {
  int64_t expert, first, count;
};

struct Sorted {
  std::vector<int32_t> token;  // of each place
  std::vector<int32_t> place;  // of each pair n * A + a
  std::vector<Block> blocks;   // most pairs first
};

Sorted sort_by_expert(std::span<const int32_t> ids, int64_t slots, int64_t experts) {
  std::vector<int32_t> start(static_cast<size_t>(experts) + 1);
  for (const int32_t id : ids) {
    if (id < 0 || id >= experts) throw Error(Code::invalid, cat("expert ", id, " of ", experts, " does not exist"));
    ++start[static_cast<size_t>(id) + 1];
  }
  for (size_t e = 0; e < static_cast<size_t>(experts); ++e) start[e + 1] += start[e];
  Sorted out{std::vector<int32_t>(ids.size()), std::vector<int32_t>(ids.size()), {}};
  for (int64_t e = 0; e < experts; ++e)
    for (int64_t p = start[static_cast<size_t>(e)]; p < start[static_cast<size_t>(e) + 1]; p += kTokenBlock)
      out.blocks.push_back({e, p, std::min<int64_t>(kTokenBlock, start[static_cast<size_t>(e) + 1] - p)});
  for (size_t i = 0; i < ids.size(); ++i) {
    const int32_t place = start[static_cast<size_t>(ids[i])]++;
    out.place[i] = place;
    out.token[static_cast<size_t>(place)] = static_cast<int32_t>(static_cast<int64_t>(i) / slots);
  }
  std::stable_sort(out.blocks.begin(), out.blocks.end(),
                   [](const Block& a, const Block& b) { return a.count > b.count; });
  return out;
}

// Calls tile(block, panel) for every panel of every block, as one queue.
template <class Tile>
void for_tiles(const Env& env, const Weight& weight, const std::vector<Block>& blocks, int64_t cost, const Tile& tile) {
  const int64_t panels = panel_count(weight), n = static_cast<int64_t>(blocks.size());
  const int64_t step = panels_per_chunk(env, weight, cost * blocks.front().count, panels * n);
  const int64_t runs = (panels + step - 1) / step;
  env.exec.parallel_for(runs * n, [&](int64_t i) {
    for (int64_t p = i % runs * step; p < std::min(panels, (i % runs + 1) * step); ++p)
      tile(blocks[static_cast<size_t>(i / runs)], p);
  });
}

void scatter(const float* tile, int64_t count, int64_t panel, int64_t width, float* out) {
  const int64_t live = std::min(kPanelRows, width - panel * kPanelRows);
  for (int64_t t = 0; t < count; ++t)
    std::memcpy(out + t * width + panel * kPanelRows, tile + t * kPanelRows, static_cast<size_t>(live) * 4);
}

void combine_token(std::span<const float> weights, const int32_t* place, int64_t slots, int64_t token, int64_t width,
                   const float* y, float* out) {
  std::fill_n(out, width, 0.0f);
  for (int64_t a = 0; a < slots; ++a) {
    const float weight = weights[static_cast<size_t>(token * slots + a)];
    const float* from = y + place[token * slots + a] * width;
    for (int64_t i = 0; i < width; ++i) out[i] += weight * from[i];
  }
}

void check(const ExpertsArgs& args, int64_t tokens, int64_t slots, int64_t cols) {
  const Weight &gate = *args.gate, &up = *args.up, &down = *args.down;
  const bool good = gate.rows == up.rows && gate.stack() == up.stack() && gate.stack() == down.stack() &&
                    down.rows == cols && args.weights.numel() == tokens * slots && args.out.numel() == tokens * cols;
  if (!good) throw Error(Code::invalid, "experts: the shapes of gate, up, down, weights and output do not fit");
}

}  // namespace

void experts(const Env& env, const ExpertsArgs& args) {
  const auto [tokens, cols] = args.x.dims<2>();
  const int64_t slots = args.ids.dims<2>()[1], width = args.gate->rows;
  check(args, tokens, slots, cols);
  if (tokens == 0) return;
  const Arena::Mark mark = env.arena.mark();
  const Sorted sorted = sort_by_expert(args.ids.as<int32_t>(), slots, args.gate->stack());
  const int64_t pairs = tokens * slots;

  const LinearInput input = linear_input(env, args.x.as<float>().data(), tokens, cols, {args.gate, args.up});
  auto* hidden = static_cast<float*>(env.arena.alloc_bytes(pairs * width * 4));
  for_tiles(env, *args.gate, sorted.blocks, 2, [&](const Block& block, int64_t panel) {
    float tile[kTokenBlock * kPanelRows];
    glu_tile(env, *args.gate, *args.up, block.expert, panel, input, sorted.token.data() + block.first, 0, block.count,
             tile);
    scatter(tile, block.count, panel, width, hidden + block.first * width);
  });

  const LinearInput middle = linear_input(env, hidden, pairs, width, {args.down});
  auto* y = static_cast<float*>(env.arena.alloc_bytes(pairs * cols * 4));
  for_tiles(env, *args.down, sorted.blocks, 1, [&, d = cols](const Block& block, int64_t panel) {
    float tile[kTokenBlock * kPanelRows];
    linear_tile(env, *args.down, block.expert, panel, middle, nullptr, block.first, block.count, tile);
    scatter(tile, block.count, panel, d, y + block.first * d);
  });

  float* out = args.out.as<float>().data();
  const auto combine = [&, d = cols](int64_t n) {
    combine_token(args.weights.as<float>(), sorted.place.data(), slots, n, d, y, out + n * d);
  };
  if (tokens <= 4)
    for (int64_t n = 0; n < tokens; ++n) combine(n);
  else
    env.exec.parallel_for(tokens, combine);
  env.arena.rewind(mark);
}

}  // namespace jevons::cpu
