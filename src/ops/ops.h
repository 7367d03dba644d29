// Ops: shape rule, allocation and dispatch over the kernel list (kernels/kernels.h has equations and costs). Outputs
// live in the step's arena until it is reset. Wrong shapes throw Error{invalid} and name the weight.
#pragma once
#include <initializer_list>
#include <utility>
#include <vector>

#include "ops/ctx.h"

namespace jevons {

Tensor embed(Ctx& c, std::span<const int32_t> ids, const Weight& table);          // -> [N, D]
Tensor rms_norm(Ctx& c, const Tensor& x, const Tensor& weight, double eps);       // [N, D] -> [N, D]
Tensor add(Ctx& c, const Tensor& a, const Tensor& b);                             // same shapes
Tensor take_rows(Ctx& c, const Tensor& x, std::span<const int32_t> rows);         // [N, D] -> [rows, D]
Tensor concat_columns(Ctx& c, const Tensor& a, const Tensor& b);                  // [N, A], [N, B] -> [N, A + B]
std::pair<Tensor, Tensor> split_columns(Ctx& c, const Tensor& x, int64_t first);  // [N, A + B] -> [N, A], [N, B]

// y = W x (+ bias) (+ residual)
Tensor linear(Ctx& c, const Tensor& x, const Weight& weight, const Tensor& bias = {}, const Tensor& residual = {});
// Several maps of the same input in one pass.
struct LinearMap {
  const Weight& weight;
  const Tensor& bias;
};
std::vector<Tensor> linear_each(Ctx& c, const Tensor& x, std::initializer_list<LinearMap> maps);
Tensor head_linear(Ctx& c, const Tensor& x, const Weight& stack);           // [N, H, cols] -> [N, H, rows]
Tensor glu(Ctx& c, const Tensor& x, const Weight& gate, const Weight& up);  // [N, D] -> [N, F]

// Routing and the chosen experts of every token (mixture of experts).
struct Routing {
  Tensor ids, weights;  // [N, A]
};
Routing route(Ctx& c, const Tensor& logits, int64_t top_k, RouteArgs rule);
Tensor experts(Ctx& c, const Tensor& x, const Routing& routing, const Weight& gate, const Weight& up,
               const Weight& down);
// Training: counts the routed slots under `key` and adds the balance loss (BalanceLossArgs) to Ctx::balance.
void balance(Ctx& c, const Tensor& logits, const Routing& routing, RouteArgs::Scoring scoring, const void* key);

// Rotary tables of the step: cos and sin of position[n] * inv_freq[i], times `magnitude`. [N, pairs] each.
struct RopeTable {
  Tensor cos, sin;
};
RopeTable rope_table(Ctx& c, std::span<const double> inv_freq, double magnitude);
void rope(Ctx& c, const Tensor& x, const RopeTable& table, int64_t begin,
          bool interleaved);  // x [N, heads, width], in place

// Stores k and v of the step's tokens in layer `layer` of the caches, then attends over everything up to each token.
// q [N, H, key_width] -> [N, H, value_width]. v is absent for a latent cache. Without caches: over the documents of the
// batch, which begin where a position is 0.
Tensor attend(Ctx& c, int64_t layer, const Tensor& q, const Tensor& k, const Tensor& v, double scale);

// Keys and values of every head from MLA's expanded latents: kv [N, H, nope + value], key_rope [N, rope] shared by the
// heads -> keys [N, H, nope + rope], values [N, H, value].
std::pair<Tensor, Tensor> expand_heads(Ctx& c, const Tensor& kv, const Tensor& key_rope, int64_t nope);

// loss[n] = -log softmax(head hidden[n])[target[n]] in nats; with a tape, sum_n factor[n] loss[n] is part of the
// objective. The logits are never all in memory.
std::vector<double> cross_entropy(Ctx& c, const Tensor& hidden, const Weight& head, std::span<const int32_t> target,
                                  std::span<const double> factor);

}  // namespace jevons
