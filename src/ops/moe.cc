// Ops of the mixture of experts.
#include "ops/grad.h"

namespace jevons {

Routing route(Ctx& c, const Tensor& logits, int64_t top_k, RouteArgs rule) {
  auto [N, E] = logits.dims<2>();
  Routing out{c.env.arena.alloc({N, top_k}, DType::i32, c.device), c.alloc({N, top_k})};
  rule.logits = logits, rule.ids = out.ids, rule.weights = out.weights;
  c.k().route(c.env, rule);
  if (c.tape)
    c.tape->record([&c, rule] {
      c.k().route_grad(c.env, {rule.logits, rule.ids, rule.scoring == RouteArgs::Scoring::sigmoid, rule.normalize,
                               rule.scale, c.tape->grad(rule.weights), c.tape->grad(rule.logits)});
    });
  return out;
}

Tensor experts(Ctx& c, const Tensor& x, const Routing& routing, const Weight& gate, const Weight& up,
               const Weight& down) {
  auto [N, D] = x.dims<2>();
  require_fit(gate.cols == D, gate, x);
  require_fit(up.cols == D && up.rows == gate.rows && up.stack() == gate.stack(), up, x);
  require_fit(down.rows == D && down.cols == gate.rows && down.stack() == gate.stack(), down, x);
  Tensor out = c.alloc({N, D});
  if (!c.tape) {
    c.k().experts(c.env, {x, routing.ids, routing.weights, &gate, &up, &down, out});
    return out;
  }
  const int64_t slots = routing.ids.numel(), E = gate.stack();
  const GroupedExpertsArgs args{x,
                                routing.ids,
                                routing.weights,
                                &gate,
                                &up,
                                &down,
                                c.env.arena.alloc({slots}, DType::i32, c.device),
                                c.env.arena.alloc({E + 1}, DType::i32, c.device),
                                c.alloc({slots, gate.rows}),
                                c.alloc({slots, gate.rows}),
                                out};
  c.k().grouped_experts(c.env, args);
  c.tape->record([&c, args, E] {
    GroupedExpertsGradArgs grad{args, c.tape->grad(args.out), c.tape->grad(args.x), c.tape->grad(args.weights), {}, {},
                                {}};
    for (int64_t e = 0; e < E; ++e) {
      grad.d_gate.push_back(c.tape->grad(matrix(c, *args.gate, e)));
      grad.d_up.push_back(c.tape->grad(matrix(c, *args.up, e)));
      grad.d_down.push_back(c.tape->grad(matrix(c, *args.down, e)));
    }
    c.k().grouped_experts_grad(c.env, grad);
  });
  return out;
}

void balance(Ctx& c, const Tensor& logits, const Routing& routing, RouteArgs::Scoring scoring, const void* key) {
  auto [N, E] = logits.dims<2>();
  std::vector<int64_t>& slots = c.balance->slots[key];
  slots.resize(static_cast<size_t>(E), 0);
  for (int32_t e : routing.ids.as<int32_t>()) ++slots[static_cast<size_t>(e)];
  const Balance& rule = *c.balance;
  if (rule.factor == 0) return;
  std::vector<double> loss(static_cast<size_t>(N / rule.sequence_tokens));
  const Tensor d_logits = c.tape->grad(logits);  // nothing has reached it yet: the loss depends on the logits alone
  c.k().balance_loss(c.env, {logits, routing.ids.shape()[1], rule.sequence_tokens,
                             scoring == RouteArgs::Scoring::sigmoid, rule.factor, loss.data(), d_logits});
  for (double part : loss) c.balance->loss += part;
}

}  // namespace jevons
