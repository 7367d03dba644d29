// Kernels that only training uses: matrix products, gradients, attention over packed documents, the fused loss.
// Included by kernels.h, whose conventions hold. `d_x` is the derivative of the objective by x. "+=": added to what is
// there.
//
// Sums over tokens run token after token in ascending order, by fused multiply-add from the value that is there, so a
// parameter's gradient has the same bits for any number of threads and any cut of the tokens into consecutive pieces.
#pragma once
#include <cstdint>
#include <vector>

#include "tensor/tensor.h"
#include "tensor/weight.h"

namespace jevons {

// c = op(a) op(b), or c += with `accumulate`; op transposes if ta / tb. c [M, N], op(a) [M, K], op(b) [K, N].
// cost: 2 M N K flops. Every element is one chain over k in ascending order.
struct GemmArgs {
  Tensor a, b, c;
  bool ta = false, tb = false, accumulate = false;
};

// d_table[ids[n]] += d_out[n]
struct EmbedGradArgs {
  const int32_t* ids;
  Tensor d_out;    // [N, D]
  Tensor d_table;  // [V, D], +=
};

// y = x r w, r = (mean x^2 + eps)^-1/2:  d_x += r (w d_y - x r^2 mean(w d_y x)),  d_w += sum_n d_y x r
struct RmsNormGradArgs {
  Tensor x, weight;  // [N, D], [D]
  double eps;
  Tensor d_out, d_x, d_weight;  // d_x, d_weight +=
};

// out[r] += sum_n x[n, r]: the gradient of a bias.
struct ColumnSumArgs {
  Tensor x, out;  // [N, R], [R]
};

// out = silu(gate) * up, elementwise.
struct SiluMulArgs {
  Tensor gate, up, out;
};
// d_gate = d_out up silu'(gate), d_up = d_out silu(gate). Outputs may be the inputs.
struct SiluMulGradArgs {
  Tensor gate, up, d_out, d_gate, d_up;
};

// Through the weights of RouteArgs to the logits; the choice itself has no gradient.
struct RouteGradArgs {
  Tensor logits, ids;  // [N, E], [N, A]
  bool sigmoid, normalize;
  double scale;
  Tensor d_weights;  // [N, A]
  Tensor d_logits;   // [N, E], +=
};

// Sequence-wise balance loss (V3 report eq. 17-20): factor * sum over sequences of sum_i f_i P_i,
//   f_i = E / (A T) * (tokens of the sequence whose best A affinities, without bias and groups, hold i),
//   P_i = mean_t s_i / sum_j s_j.  No gradient through f.
struct BalanceLossArgs {
  Tensor logits;  // [N, E]; sequences of `sequence_tokens` rows each
  int64_t top_k, sequence_tokens;
  bool sigmoid;
  double factor;
  double* loss;     // [N / sequence_tokens], the addends
  Tensor d_logits;  // [N, E], +=
};

// ExpertsArgs with the intermediate results that its gradient needs. Slots (n, a) are sorted by expert, stably:
// order[i] = n A + a, expert e has offsets[e] .. offsets[e + 1].
struct GroupedExpertsArgs {
  Tensor x, ids, weights;  // [N, D], [N, A], [N, A]
  const Weight *gate, *up, *down;
  Tensor order, offsets;        // out: [N A], [E + 1], i32
  Tensor inner_gate, inner_up;  // out: [N A, F], rows in `order`
  Tensor out;                   // [N, D]
};
struct GroupedExpertsGradArgs {
  GroupedExpertsArgs forward;
  Tensor d_out, d_x, d_weights;              // d_x +=
  std::vector<Tensor> d_gate, d_up, d_down;  // one per expert, +=
};

// out[n, h] = sum_j softmax_j(scale q[n, h] . k[j, h K / H]) v[j, h K / H] over the tokens j of the own document up to
// n; a document is a run of rows whose position counts up from 0. lse: log of the softmax's denominator.
struct AttendDocumentsArgs {
  Tensor q, k, v;           // [N, H, Dk], [N, K, Dk], [N, K, Dv]
  const int32_t* position;  // [N]
  double scale;
  Tensor out, lse;  // [N, H, Dv], [N, H]
};
// P = exp(scale q k - lse), dS = P (dO v - dO . O):  d_q += scale dS k, d_k += scale dS^T q, d_v += P^T dO
struct AttendDocumentsGradArgs {
  AttendDocumentsArgs forward;
  Tensor d_out, d_q, d_k, d_v;
};

// loss[n] = log sum_v exp(z[n, v]) - z[n, target[n]], z = head hidden[n]; with `d_hidden` also the gradient of
// sum_n factor[n] loss[n]. The logits of a few hundred tokens at a time exist in scratch. Sums over v and the loss are
// float64.
struct CrossEntropyArgs {
  Tensor hidden, head;  // [N, D], [V, D]
  const int32_t* target;
  const double* factor;  // [N]
  double* loss;          // [N]
  Tensor d_hidden;       // [N, D], set; or none
  Tensor d_head;         // [V, D], +=; or none
};

#define JEVONS_GRAD_KERNELS(K)                      \
  K(gemm, GemmArgs)                                 \
  K(embed_grad, EmbedGradArgs)                      \
  K(rms_norm_grad, RmsNormGradArgs)                 \
  K(column_sum, ColumnSumArgs)                      \
  K(silu_mul, SiluMulArgs)                          \
  K(silu_mul_grad, SiluMulGradArgs)                 \
  K(route_grad, RouteGradArgs)                      \
  K(balance_loss, BalanceLossArgs)                  \
  K(grouped_experts, GroupedExpertsArgs)            \
  K(grouped_experts_grad, GroupedExpertsGradArgs)   \
  K(attend_documents, AttendDocumentsArgs)          \
  K(attend_documents_grad, AttendDocumentsGradArgs) \
  K(cross_entropy, CrossEntropyArgs)

}  // namespace jevons
