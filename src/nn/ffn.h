// Feed-forward blocks: the gated network (Shazeer 2020) and the mixture of experts (DeepSeek-V3 report eq. 12-16).
#pragma once
#include <string>

#include "nn/params.h"
#include "ops/ops.h"

namespace jevons {

// y = residual + down (silu(gate x) * up x)
struct Mlp {
  int64_t width, inner;
  Weight gate, up, down;
  void params(ParamVisitor& visitor, const std::string& prefix);
  Tensor operator()(Ctx& c, const Tensor& x, const Tensor& residual) const;
};

// y = residual + shared(x) + sum over the chosen experts of weight * expert(x)
struct Moe {
  int64_t width, inner, count, top_k, shared_inner;  // shared_inner 0: no shared expert
  bool has_correction_bias;
  RouteArgs rule;
  Weight router, gate, up, down;
  Tensor correction_bias;
  Mlp shared;
  void params(ParamVisitor& visitor, const std::string& prefix);
  Tensor operator()(Ctx& c, const Tensor& x, const Tensor& residual) const;
};

}  // namespace jevons
