// The kernel list: pure functions over views. No ownership, no gradients, no models. One argument struct per kernel and
// one column per device: `ref` (scalar float64, the oracle) and `cpu` (float32, run-time choice of instruction set).
//
// Letters: N tokens in the step, D width, H query heads, K kv heads, F ffn width, E experts, A active experts, P page
// tokens. Activations are f64 for `ref`, f32 for `cpu`; ids and positions are i32.
//
// Every row of every output depends on its own inputs only, bit for bit: not on N, on its neighbours, on the thread
// count.
#pragma once
#include <cstdint>
#include <vector>

#include "base/thread_pool.h"
#include "kernels/grad_kernels.h"
#include "tensor/tensor.h"
#include "tensor/weight.h"

namespace jevons {

// What a kernel runs on. `exact` keeps activations in f32 and weights dequantised in every linear map (cpu).
struct Env {
  Exec& exec;
  Arena& arena;  // scratch of the step
  bool exact = false;
};

// out[n] = table[ids[n]]. ids must lie in [0, table.rows).
struct EmbedArgs {
  const int32_t* ids;
  const Weight* table;  // [V, D], Layout::rows
  Tensor out;           // [N, D]
};

// out[n, i] = x[n, i] / sqrt(mean_i x^2 + eps) * weight[i]   (Zhang and Sennrich 2019, eq. 4). out may be x.
struct RmsNormArgs {
  Tensor x;       // [N, D]
  Tensor weight;  // [D], activation type
  double eps;
  Tensor out;  // [N, D]
};

// out = a + b, elementwise; out may be a or b.
struct AddArgs {
  Tensor a, b, out;
};

// In place, for each head: rotates `2 * pairs` numbers from `begin` on by the angle of the token (Su et al. 2021, eq.
// 34). interleaved: pairs (0,1), (2,3), ... as in MLA; else (i, i + pairs) as in Llama. Tables hold cos and sin per
// token.
struct RopeArgs {
  Tensor x;         // [N, heads, width]
  Tensor cos, sin;  // [N, pairs]
  int64_t begin;
  bool interleaved;
};

// out_i = W_i x (+ bias_i) (+ residual_i), several maps of the same x in one pass: y[n, r] = sum_c W[r, c] x[n, c].
// cost: 2 N rows cols flops; bytes of W once.
struct LinearArgs {
  struct Map {
    const Weight* weight;  // [rows, cols], stack 1
    Tensor bias;           // [rows] or none
    Tensor residual;       // [N, rows] or none; may be out
    Tensor out;            // [N, rows]
  };
  Tensor x;  // [N, cols]
  std::vector<Map> maps;
};

// out[n, h] = W[h] x[n, h]: one matrix per head (the absorbed maps of MLA).
struct HeadLinearArgs {
  Tensor x;              // [N, H, cols]
  const Weight* weight;  // stack H of [rows, cols]
  Tensor out;            // [N, H, rows]
};

// out = silu(G x) * (U x), silu(z) = z / (1 + exp(-z))   (Shazeer 2020, eq. 6).
struct GluArgs {
  Tensor x;                 // [N, D]
  const Weight *gate, *up;  // [F, D]
  Tensor out;               // [N, F]
};

// Chooses A of E experts per token (DeepSeek-V3 report eq. 12-16; V2 eq. 20-22; Qwen3-MoE: softmax, no groups).
//   s = sigmoid(logits) or softmax(logits);  selection by s + bias;  groups: score of a group = its best value (V2) or
//   the sum of its two best (V3), the best `top_groups` stay, the others count as -inf.  Ties go to the smaller index.
//   weight = s, divided by (sum of the chosen + 1e-20) if `normalize`, times `scale`. Slots in descending selection
//   order.
struct RouteArgs {
  enum class Scoring { softmax, sigmoid };
  enum class GroupScore { max, top2_sum };
  Tensor logits;  // [N, E]
  Tensor bias;    // [E] or none
  Scoring scoring = Scoring::softmax;
  int64_t groups = 1, top_groups = 1;
  GroupScore group_score = GroupScore::max;
  bool normalize = false;
  double scale = 1;
  Tensor ids;      // [N, A] i32
  Tensor weights;  // [N, A]
};

// out[n] = sum over slots a, in slot order, of weights[n, a] * down[e] (silu(gate[e] x[n]) * up[e] x[n]), e = ids[n,
// a].
struct ExpertsArgs {
  Tensor x;                        // [N, D]
  Tensor ids, weights;             // [N, A]
  const Weight *gate, *up, *down;  // stacks E of [F, D], [F, D], [D, F]
  Tensor out;                      // [N, D]
};

// Where the tokens of a step belong: token n is at `position[n]` of sequence `sequence[n]`, whose cache entry for
// position p lies in page `pages[sequence[n]][p / page_tokens]`, slot p % page_tokens.
struct BatchView {
  int64_t tokens = 0;
  const int32_t* position = nullptr;
  const int32_t* sequence = nullptr;
  const int32_t* const* pages = nullptr;
};

// The cache of one layer. Keys [page][K][P][key_width], values likewise with value_width; entries as in kv_layout.h. A
// latent cache (MLA) has no `value`: a value is the first value_width numbers of its key.
struct KvLayer {
  std::byte* key = nullptr;
  std::byte* value = nullptr;
  DType dtype = DType::f32;  // f64 (ref), f32, f16, bf16, i8 (kv_layout.h)
  int64_t page_tokens = 0;
  int64_t heads = 0, key_width = 0, value_width = 0;
};

// Writes keys and values of the step's tokens to their slots, rounded to the cache's type.
struct KvStoreArgs {
  Tensor k;  // [N, K, key_width]
  Tensor v;  // [N, K, value_width]; none for a latent cache
  BatchView batch;
  KvLayer cache;
};

// out[n, h] = sum_j softmax_j(scale * q[n, h] . key[j, h * K / H]) value[j, ...], j = 0 .. position[n] of the own
// sequence (Vaswani et al. 2017, eq. 1; causal). The softmax runs over absolute chunks of 256 positions merged in
// ascending order, so the bits depend on neither the chunking of the prompt nor the batch. cost per query and position:
// 2 (key_width + value_width) flops; the cache of the sequence is read H / K heads at a time.
struct AttendArgs {
  Tensor q;  // [N, H, key_width]
  BatchView batch;
  KvLayer cache;
  double scale;
  Tensor out;  // [N, H, value_width]
};

#define JEVONS_KERNELS(K)        \
  K(embed, EmbedArgs)            \
  K(rms_norm, RmsNormArgs)       \
  K(add, AddArgs)                \
  K(rope, RopeArgs)              \
  K(linear, LinearArgs)          \
  K(head_linear, HeadLinearArgs) \
  K(glu, GluArgs)                \
  K(route, RouteArgs)            \
  K(experts, ExpertsArgs)        \
  K(kv_store, KvStoreArgs)       \
  K(attend, AttendArgs)          \
  JEVONS_GRAD_KERNELS(K)

// The table of one device.
struct Kernels {
#define K(name, Args) void (*name)(const Env&, const Args&);
  JEVONS_KERNELS(K)
#undef K
};

namespace ref {
#define K(name, Args) void name(const Env&, const Args&);
JEVONS_KERNELS(K)
#undef K
}  // namespace ref

namespace cpu {
#define K(name, Args) void name(const Env&, const Args&);
JEVONS_KERNELS(K)
#undef K
}  // namespace cpu

const Kernels& kernels(DeviceKind device);

}  // namespace jevons
