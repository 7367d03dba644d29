#include "train/memory.h"

#include <algorithm>
#include <vector>

#include "train/parameters.h"

namespace jevons {
namespace {

constexpr int64_t kPieceTokens = 4096, kLogitTokens = 256;
constexpr int64_t kBase = 33'000'000;  // the program with its libraries, threads and file buffers, resident

// The arena as a counter of bytes.
class Ledger {
 public:
  void take(int64_t numbers) { used_ += (std::max<int64_t>(4 * numbers, 1) + 63) / 64 * 64, lend(0); }
  void lend(int64_t numbers) { peak_ = std::max(peak_, used_ + (4 * numbers + 63) / 64 * 64); }  // and given back
  int64_t used() const { return used_; }
  void rewind(int64_t used) { used_ = used; }
  int64_t peak() const { return peak_; }

 private:
  int64_t used_ = 0, peak_ = 0;
};

// An activation of `width` numbers a token. graded: it gets a gradient.
struct Item {
  int64_t width;
  bool graded = true;
};

struct Step {
  const Config& c;
  bool recompute;
  Ledger ledger{};

  bool moe(int64_t layer) const { return c.layer_is_moe(layer); }

  // In the order of nn/attention.cc; the last one is the block's result.
  std::vector<Item> attention() const {
    const int64_t D = c.hidden_size, H = c.num_attention_heads;
    if (!c.latent()) {
      const int64_t q = H * c.head_dim, k = c.num_key_value_heads * c.head_dim;
      std::vector<Item> out = {{D}, {q}, {k}, {k}};
      if (c.qk_norm) out.insert(out.end(), {{q}, {k}});
      out.insert(out.end(), {{q}, {H, false}, {D}});
      return out;
    }
    const int64_t q = H * (c.qk_nope_head_dim + c.qk_rope_head_dim), v = H * c.v_head_dim;
    std::vector<Item> out = {{D}, {c.q_lora_rank > 0 ? c.q_lora_rank : q}, {c.kv_lora_rank + c.qk_rope_head_dim}};
    if (c.q_lora_rank > 0) out.insert(out.end(), {{c.q_lora_rank}, {q}});
    out.insert(out.end(), {{c.kv_lora_rank}, {c.qk_rope_head_dim}, {c.kv_lora_rank}, {H * c.qk_nope_head_dim + v}});
    out.insert(out.end(), {{q}, {v}, {v}, {H, false}, {D}});
    return out;
  }

  // In the order of nn/ffn.cc.
  std::vector<Item> network(int64_t layer) const {
    const int64_t D = c.hidden_size, F = c.intermediate_size;
    if (!moe(layer)) return {{D}, {F}, {F}, {F}, {D}};
    const int64_t A = c.num_experts_per_tok, M = c.moe_intermediate_size, shared = c.n_shared_experts * M;
    std::vector<Item> out = {{D}, {c.n_routed_experts}};
    if (shared > 0) out.insert(out.end(), {{shared}, {shared}, {shared}, {D}});
    out.insert(out.end(), {{A, false}, {A}, {D}, {A, false}, {A * M, false}, {A * M, false}, {D}});
    return out;
  }

  int64_t slots(int64_t layer) const { return moe(layer) ? c.num_experts_per_tok * c.hidden_size : 0; }

  void layer_forward(int64_t layer, int64_t N) {
    for (const Item& item : attention()) ledger.take(item.width * N);
    for (const Item& item : network(layer)) ledger.take(item.width * N);
    if (moe(layer)) ledger.take(c.n_routed_experts + 1);
    ledger.lend(slots(layer) * N);  // the experts' results by slot
  }

  // The gradient of the layer's result is there; that of its input is taken here unless `inner`.
  void layer_backward(int64_t layer, int64_t N, bool inner) {
    std::vector<Item> items = network(layer);
    items.pop_back();
    if (moe(layer)) {
      const int64_t D = c.hidden_size;  // sum's addends, experts' input: in use while the experts lend
      ledger.lend((3 * D + c.num_experts_per_tok + slots(layer)) * N);
    }
    for (const Item& item : items)
      if (item.graded) ledger.take(item.width * N);
    for (const Item& item : attention())
      if (item.graded) ledger.take(item.width * N);
    for (int i = 0; i < 2; ++i) ledger.take(c.rope_dim() / 2 * N);  // opposite angles
    if (c.latent()) ledger.take((c.kv_lora_rank + c.qk_rope_head_dim) * N);
    if (!inner) ledger.take(c.hidden_size * N);
    ledger.lend(N);
  }

  void forward(int64_t layer, int64_t N) {
    if (!recompute) return layer_forward(layer, N);
    ledger.take(c.hidden_size * N);
    const int64_t mark = ledger.used();
    layer_forward(layer, N);
    ledger.rewind(mark);
  }

  void backward(int64_t layer, int64_t N) {
    if (!recompute) return layer_backward(layer, N, false);
    ledger.take(c.hidden_size * N);  // the input's gradient outlives the layer
    const int64_t mark = ledger.used();
    layer_forward(layer, N);
    ledger.take(c.hidden_size * N), ledger.take(c.hidden_size * N);
    layer_backward(layer, N, true);
    ledger.rewind(mark);
  }

  void tables(int64_t N) { ledger.take(c.rope_dim() / 2 * N), ledger.take(c.rope_dim() / 2 * N); }

  // Decoder::predict and its loss: M tokens.
  void ahead_forward(int64_t M) {
    const int64_t D = c.hidden_size;
    ledger.take(D * M);  // the states of all rows but the last
    tables(M);
    for (const int64_t width : {D, D, D, 2 * D, D}) ledger.take(width * M);  // embedding, two norms, both, projected
    forward(c.num_hidden_layers, M);
    ledger.take(D * M), ledger.take(D * M);  // final norm, its gradient by the loss
    ledger.lend(kLogitTokens * c.vocab_size);
  }
  void ahead_backward(int64_t M, int64_t N) {
    const int64_t D = c.hidden_size;
    ledger.take(D * M), ledger.take(D * M);  // of the final norm and of the block's result
    backward(c.num_hidden_layers, M);
    for (const int64_t width : {2 * D, D, D, D, D, D, D}) ledger.take(width * M);
    ledger.take(D * N);
  }

  void piece(int64_t N, int64_t M) {
    const int64_t D = c.hidden_size;
    tables(N);
    ledger.take(D * N), ledger.take(D * N);
    for (int64_t l = 0; l < c.num_hidden_layers; ++l) forward(l, N);
    ledger.take(D * N), ledger.take(D * N);
    ledger.lend(kLogitTokens * c.vocab_size);
    if (M > 0) ahead_forward(M), ahead_backward(M, N);
    if (M == 0) ledger.take(D * N);  // of the hidden states; multi-token prediction has taken it
    ledger.take(D * N);
    for (int64_t l = c.num_hidden_layers; l-- > 0;) backward(l, N);
  }
};

// Muon's matrices at a time: x, a x, x x^T and its square.
int64_t muon_bytes(const std::vector<Parameter>& list) {
  int64_t most = 0;
  for (const Parameter& p : list) {
    if (p.role != Parameter::Role::matrix || p.shape.size() != 2) continue;
    const int64_t less = std::min(p.shape[0], p.shape[1]);
    most = std::max(most, 4 * (2 * p.count + 2 * less * less));
  }
  return most;
}

}  // namespace

int64_t usual_piece_rows(int64_t seq) { return std::max<int64_t>(1, kPieceTokens / seq); }

TrainMemory plan_training(const Config& config, const TrainSettings& settings, const TrainMemoryOptions& options) {
  const auto [list, size] = parameter_layout(config);
  TrainMemory out;
  for (const Parameter& p : list) out.parameters += p.count;
  out.weights = out.gradients = 4 * size;
  out.moments = 8 * size;
  const int64_t usual = options.piece_rows > 0 ? options.piece_rows : usual_piece_rows(settings.seq);
  const int64_t rows = std::min(usual, settings.batch);
  Step step{config, options.recompute};
  step.piece(rows * settings.seq, settings.mtp_weight > 0 ? rows * (settings.seq - 1) : 0);
  out.step = step.ledger.peak();
  if (settings.optimizer == "muon") out.step = std::max(out.step, muon_bytes(list));
  out.base = kBase;
  return out;
}

}  // namespace jevons
