// Work of training, from a config alone.
#pragma once
#include <cstdint>

#include "models/config.h"

namespace jevons {

// FLOPs of forward and backward per token at sequences of `context` tokens under a causal mask:
//   6 N + 3 * 2 (d_qk + d_v) H (context / 2) L
// N: active parameters (head yes, embedding no; multi-token prediction left out), d_qk and d_v: widths of a head's key
// and value, H: query heads, L: layers. Source: Kaplan et al. 2020, section 2.1, with attention's own products added;
// it gives the 250 GFLOPs a token of "Insights into DeepSeek-V3" (arXiv 2505.09343), table 2.
double training_flops_per_token(const Config& config, int64_t context);

}  // namespace jevons
