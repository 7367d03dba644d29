// Attention blocks: grouped-query (Ainslie et al. 2023) and multi-head latent attention (DeepSeek-V3 report eq. 1-11).
// Both map [N, D] to [N, D] and keep keys and values of their layer in the step's cache. Parameter paths are the
// checkpoint's own.
#pragma once
#include <string>

#include "nn/params.h"
#include "nn/rope.h"
#include "ops/ops.h"

namespace jevons {

// q = rope(norm(W_q x)), k = rope(norm(W_k x)), v = W_v x; y = residual + W_o attend(q, k, v). The norms are Qwen3's.
struct Gqa {
  int64_t width, heads, kv_heads, head_dim;
  bool has_bias, has_qk_norm, interleaved;
  double eps;
  Weight q, k, v, o;
  Tensor q_bias, k_bias, v_bias, q_norm, k_norm;

  void params(ParamVisitor& visitor, const std::string& prefix);
  Tensor operator()(Ctx& c, int64_t layer, const Tensor& x, const Tensor& residual, const RopeTable& table,
                    const Rope& rotary) const;
};

// Multi-head latent attention. The cache holds [c_kv after its norm; k_R after rope] = rank + rope_dim numbers a token.
// Two evaluations of one definition:
//   absorbed: queries are taken into the latent space, every head reads the same 576-wide entry (2176 flops per head
//   and
//             position at V3's widths, no expansion);
//   expanded: keys and values of every cached position are rebuilt per head (640 flops per head and position, plus the
//             expansion of the context once a step).
struct Mla {
  int64_t width, heads, q_rank, rank, nope_dim, rope_dim, value_dim;  // q_rank 0: plain q projection
  double eps;
  bool interleaved = true;
  bool expanded = false;
  Weight q, q_down, q_up, kv_down, o;
  Tensor q_norm, kv_norm;
  ParamVisitor::KvUp up;

  void params(ParamVisitor& visitor, const std::string& prefix);
  Tensor operator()(Ctx& c, int64_t layer, const Tensor& x, const Tensor& residual, const RopeTable& table,
                    const Rope& rotary) const;

 private:
  Tensor attend_batch(Ctx& c, int64_t layer, const Tensor& q, const Tensor& latent, const Tensor& key_rope,
                      double scale) const;
  Tensor attend_absorbed(Ctx& c, int64_t layer, const Tensor& q, const Tensor& entry, double scale) const;
  Tensor attend_expanded(Ctx& c, int64_t layer, const Tensor& q, const Tensor& entry, double scale) const;
};

}  // namespace jevons
