// One step of AdamW (Loshchilov and Hutter 2019) or Muon (Jordan 2024) over the flat parameters, with clipping.
//   AdamW: p *= 1 - lr wd (decayed tensors);  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;
//          p -= lr m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps),  t counted from 1
//   Muon, for matrices but embedding, head and router, each expert by itself:  M = 0.95 M + G;  U = G + 0.95 M;
//          X = U / (|U| + 1e-7), transposed if rows > cols;  five times A = X X^T, X = 3.4445 X + (-4.7750 A + 2.0315
//          A A) X;  W *= 1 - lr wd;  W -= lr 0.2 sqrt(max(rows, cols)) X.  The rest takes AdamW with the same lr.
// G is the clipped gradient: g * min(1, clip / (norm + 1e-6)). Numbers in the parameters' type. cost: one pass.
#pragma once
#include <vector>

#include "kernels/kernels.h"
#include "train/parameters.h"
#include "train/settings.h"

namespace jevons {

struct OptimizerState {
  std::shared_ptr<std::byte> first, second;  // m (or M) and v, as the parameters lie
};

// L2 norm of every listed parameter's gradient, in the order of Parameters::list(); 0 where `trained` says no.
std::vector<double> gradient_norms(Exec& exec, const Parameters& parameters, const std::byte* gradients,
                                   const std::vector<bool>& trained);

// `step` counts from 0; `factor` is the clip factor.
void optimize(const Kernels& kernels, const Env& env, const Parameters& parameters, const std::byte* gradients,
              const OptimizerState& state, const std::vector<bool>& trained, const TrainSettings& settings,
              int64_t step, double factor);

}  // namespace jevons
