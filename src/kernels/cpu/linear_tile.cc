#include "kernels/cpu/linear_tile.h"

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/strings.h"
#include "kernels/cpu/linear_rows.h"
#include "kernels/cpu/panel.h"
#include "kernels/cpu/panel_dot.h"

namespace jevons {
namespace {

constexpr int64_t kSerialRows = 4;     // quantising so few rows costs less than waking a thread
constexpr int64_t kWideFrom = 6;       // tokens from which 16-bit activations pay (panel_dot_avx2.cc)
constexpr int64_t kGroupRows = 4;      // rows widened at a time
constexpr double kChunkBytes = 400e3;  // 20 us at 20 GB/s
constexpr double kChunkOps = 4e6;      // 20 us at 200 Gop/s

float* scratch(int64_t floats) {
  static thread_local std::vector<float> buffer;
  if (static_cast<int64_t>(buffer.size()) < floats) buffer.resize(static_cast<size_t>(floats));
  return buffer.data();
}

bool uses_panels(const Env& env, const Weight& weight) { return weight.layout == Layout::panels && !env.exact; }

// Panels in exact mode: all sixteen rows at once. Rows: a few at a time, so that they stay in the first-level cache.
void tile_widened(const Weight& weight, int64_t matrix, int64_t panel, const float* const* x, int64_t count,
                  float* out) {
  const int64_t first = panel * kPanelRows, rows = std::min(kPanelRows, weight.rows - first);
  std::fill_n(out, count * kPanelRows, 0.0f);
  if (weight.layout == Layout::panels) {
    float* w = scratch(kPanelRows * weight.cols);
    unpack_panel(weight, matrix, panel, w);
    return dot_rows(w, rows, weight.cols, x, count, out);
  }
  if (dot_stored_rows(weight, matrix, first, rows, x, count, out)) return;
  float* w = scratch(kGroupRows * weight.cols);
  for (int64_t r = 0; r < rows; r += kGroupRows) {
    const int64_t group = std::min(kGroupRows, rows - r);
    for (int64_t i = 0; i < group; ++i) widen_row(weight, matrix, first + r + i, w + i * weight.cols);
    dot_rows(w, group, weight.cols, x, count, out + r);
  }
}

template <class Body>
void for_rows(const Env& env, int64_t rows, const Body& body) {
  if (rows <= kSerialRows)
    for (int64_t i = 0; i < rows; ++i) body(i);
  else
    env.exec.parallel_for(rows, body);
}

}  // namespace

LinearInput linear_input(const Env& env, const float* x, int64_t rows, int64_t cols, const Weight* const* weights,
                         size_t count) {
  LinearInput input{x, rows, cols, {}, {}};
  bool need32 = false, need256 = false, wide = false;
  for (size_t i = 0; i < count; ++i) {
    require_linear(*weights[i], cols);
    if (!uses_panels(env, *weights[i])) continue;
    (panel_block(weights[i]->pack) == 32 ? need32 : need256) = true;
    wide |= panel_format(weights[i]->pack)->form == Pack::q8_0 && rows >= kWideFrom;
  }
  if (need32) input.block32 = alloc_quantized(env.arena, rows, cols, 32, wide);
  if (need256) input.block256 = alloc_quantized(env.arena, rows, cols, 256, false);
  if (need32 || need256)
    for_rows(env, rows, [&](int64_t i) {
      if (need32) quantize_row(x + i * cols, input.block32, i);
      if (need256) quantize_row(x + i * cols, input.block256, i);
    });
  return input;
}

LinearInput linear_input(const Env& env, const float* x, int64_t rows, int64_t cols,
                         std::initializer_list<const Weight*> weights) {
  return linear_input(env, x, rows, cols, weights.begin(), weights.size());
}

void linear_tile(const Env& env, const Weight& weight, int64_t matrix, int64_t panel, const LinearInput& input,
                 const int32_t* rows, int64_t first, int64_t count, float* out) {
  const auto row = [&](int64_t t) { return rows ? int64_t{rows[t]} : first + t; };
  if (uses_panels(env, weight)) {
    const QuantizedRows& q = panel_block(weight.pack) == 32 ? input.block32 : input.block256;
    const std::byte* x[kTokenBlock];
    for (int64_t t = 0; t < count; ++t) x[t] = q.row(row(t));
    const std::byte* bytes = weight.data[static_cast<size_t>(matrix)] + panel * panel_bytes(weight.pack, weight.cols);
    return panel_dot(weight.pack, bytes, q, x, count, out);
  }
  const float* x[kTokenBlock];
  for (int64_t t = 0; t < count; ++t) x[t] = input.x + row(t) * input.cols;
  tile_widened(weight, matrix, panel, x, count, out);
}

int64_t panels_per_chunk(const Env& env, const Weight& weight, int64_t tokens, int64_t all_panels) {
  const double values = static_cast<double>(kPanelRows * weight.cols);
  const double cost =
      std::max(values * pack_info(weight.pack).block_bytes / pack_info(weight.pack).block_values / kChunkBytes,
               2 * values * static_cast<double>(tokens) / kChunkOps);
  const int64_t by_cost = std::max<int64_t>(1, static_cast<int64_t>(1 / cost));
  return std::clamp<int64_t>(all_panels / (4 * env.exec.threads()), 1, by_cost);
}

void require_linear(const Weight& weight, int64_t cols) {
  if (weight.cols != cols)
    throw Error(Code::invalid,
                cat("tensor ", quote(weight.name), " has ", weight.cols, " columns, its input has ", cols));
  JEVONS_CHECK(weight.layout == Layout::rows || panel_supported(weight.pack));
}

}  // namespace jevons
