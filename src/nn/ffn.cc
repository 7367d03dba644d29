#include "nn/ffn.h"

namespace jevons {

void Mlp::params(ParamVisitor& visitor, const std::string& prefix) {
  visitor.weight(prefix + "gate_proj.weight", gate, inner, width);
  visitor.weight(prefix + "up_proj.weight", up, inner, width);
  visitor.weight(prefix + "down_proj.weight", down, width, inner);
}

Tensor Mlp::operator()(Ctx& c, const Tensor& x, const Tensor& residual) const {
  return linear(c, glu(c, x, gate, up), down, {}, residual);
}

void Moe::params(ParamVisitor& visitor, const std::string& prefix) {
  visitor.weight(prefix + "gate.weight", router, count, width);
  if (has_correction_bias) visitor.vector(prefix + "gate.e_score_correction_bias", correction_bias, count);
  visitor.stack(prefix + "experts", "gate_proj.weight", gate, count, inner, width);
  visitor.stack(prefix + "experts", "up_proj.weight", up, count, inner, width);
  visitor.stack(prefix + "experts", "down_proj.weight", down, count, width, inner);
  if (shared_inner > 0) {
    shared.width = width, shared.inner = shared_inner;
    shared.params(visitor, prefix + "shared_experts.");
  }
}

Tensor Moe::operator()(Ctx& c, const Tensor& x, const Tensor& residual) const {
  RouteArgs own = rule;
  own.bias = correction_bias;
  const Tensor logits = linear(c, x, router);
  c.trace("router", logits);
  const Tensor base = shared_inner > 0 ? shared(c, x, residual) : residual;
  const Routing routing = route(c, logits, top_k, own);
  if (c.balance) balance(c, logits, routing, rule.scoring, router.data[0]);
  return add(c, base, experts(c, x, routing, gate, up, down));
}

}  // namespace jevons
