// The packed kernels: one panel against a few quantised rows of activations.
//
// out[t * 16 + r] for t in [0, count). With integer sums over a block exact in any order, the float part is one fixed
// sequence per output, so bits depend on neither `count` nor the instruction set. Blocks b ascending, acc from 0:
//   block 32:  acc = fma(f32(s), d_w d_x, acc), s = sum q_w q_x - offset sum q_x;   q4_1, q5_1: acc = fma(m_w, ds_x,
//   acc) block 256: acc = fma(f32(s), d_w d_x, acc), s = sum_g scale_g sum q_w q_x;  q4_k, q5_k: then
//              acc = fma(-f32(sum_g minimum_g sum_g q_x), dmin_w d_x, acc);  q6_k: s -= 32 sum_g scale_g sum_g q_x
// f32(s) is exact below 2^24 and rounds to nearest else. All integer sums stay below 2^31.
// cost: 32 cols count flops; the panel's bytes once (count <= 5) or once per call into scratch (more).
#pragma once
#include <cstddef>
#include <cstdint>

#include "kernels/cpu/quantize_activation.h"
#include "tensor/dtype.h"

namespace jevons {

// x[t]: records of `layout` (quantize_activation.h); q8_0 uses the wide columns if there. count <= 64.
void panel_dot(Pack pack, const std::byte* panel, const QuantizedRows& layout, const std::byte* const* x, int64_t count,
               float* out);

// Memory of the calling thread for expanded codes, 64-byte aligned; valid until the next call of this thread.
std::byte* panel_scratch(int64_t bytes);

// The tiers; panel_dot chooses.
void panel_dot_portable(Pack pack, const std::byte* panel, const QuantizedRows& layout, const std::byte* const* x,
                        int64_t count, float* out);
#if defined(__x86_64__)
void panel_dot_avx2(Pack pack, const std::byte* panel, const QuantizedRows& layout, const std::byte* const* x,
                    int64_t count, float* out);
void panel_dot_avx512(Pack pack, const std::byte* panel, const QuantizedRows& layout, const std::byte* const* x,
                      int64_t count, float* out);
#endif

}  // namespace jevons
