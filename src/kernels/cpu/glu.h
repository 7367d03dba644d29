// The gated unit shared by glu and experts.
#pragma once
#include <cstdint>

#include "kernels/cpu/linear_tile.h"

namespace jevons {

// out[i] = silu(gate[i]) * up[i] (math.h: 2 ulp of exp).
void silu_mul(const float* gate, const float* up, int64_t n, float* out);

// Tile of the hidden layer: out[t * 16 + r] = silu(G x) * (U x) for one panel of matrix `matrix`; arguments as
// linear_tile.
void glu_tile(const Env& env, const Weight& gate, const Weight& up, int64_t matrix, int64_t panel,
              const LinearInput& input, const int32_t* rows, int64_t first, int64_t count, float* out);

}  // namespace jevons
