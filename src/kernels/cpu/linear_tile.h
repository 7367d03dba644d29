// The one step all linear maps consist of: sixteen rows of a weight against a few tokens. linear, glu, experts and
// head_linear are loops over it with different ends.
#pragma once
#include <cstdint>
#include <initializer_list>

#include "kernels/cpu/panel.h"
#include "kernels/cpu/quantize_activation.h"
#include "kernels/kernels.h"

namespace jevons {

constexpr int64_t kTokenBlock = 64;  // tokens of one call at most

// The input of linear maps in the forms that their weights need.
struct LinearInput {
  const float* x = nullptr;  // [rows, cols]
  int64_t rows = 0, cols = 0;
  QuantizedRows block32, block256;  // empty if no weight needs them
};

// Quantises x [rows, cols] for these weights; the memory is the arena's. Several threads when there are many rows.
LinearInput linear_input(const Env& env, const float* x, int64_t rows, int64_t cols,
                         std::initializer_list<const Weight*> weights);
LinearInput linear_input(const Env& env, const float* x, int64_t rows, int64_t cols, const Weight* const* weights,
                         size_t count);

inline int64_t panel_count(const Weight& weight) { return panel_count(weight.rows); }

// out[t * 16 + r] = sum_c W[matrix][16 panel + r, c] x[row(t), c], t in [0, count), row(t) = rows ? rows[t] : first +
// t. Rows of the panel behind the end of the weight give 0. count <= kTokenBlock. `out` has count * 16 numbers.
void linear_tile(const Env& env, const Weight& weight, int64_t matrix, int64_t panel, const LinearInput& input,
                 const int32_t* rows, int64_t first, int64_t count, float* out);

// How many consecutive panels make one chunk of work: about 20 us, but at least four chunks per thread.
int64_t panels_per_chunk(const Env& env, const Weight& weight, int64_t tokens, int64_t all_panels);

// Throws unless the weight is a [.., cols] matrix that the cpu can read.
void require_linear(const Weight& weight, int64_t cols);

}  // namespace jevons
