// Decoder: the pre-norm transformer that every family here shares, written once for training and serving.
//   h = embed(ids);  per layer: h += attention(norm(h)); h += ffn(norm(h));  logits = head(norm(h))
// Attention is Gqa or Mla, the network Mlp or Moe, as the config says. Multi-token prediction layers (V3 report eq.
// 21-25) follow after the last layer and have caches of their own.
#pragma once
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "models/config.h"
#include "nn/attention.h"
#include "nn/ffn.h"

namespace jevons {

struct DecoderLayer {
  double eps;
  Tensor input_norm, post_norm;
  std::variant<Gqa, Mla> attention;
  std::variant<Mlp, Moe> ffn;
  DecoderLayer(const Config& config, int64_t layer);
  void params(ParamVisitor& visitor, const std::string& prefix, int64_t width);
  Tensor operator()(Ctx& c, int64_t layer, Tensor h, const RopeTable& table, const Rope& rotary) const;
};

class Decoder {
 public:
  explicit Decoder(const Config& config);
  void params(ParamVisitor& visitor);
  const Config& config() const { return config_; }
  int64_t cache_layers() const { return static_cast<int64_t>(layers_.size() + predictors_.size()); }

  // Hidden states after the final norm, [N, D].
  Tensor hidden(Ctx& c, std::span<const int32_t> ids) const;
  // Logits [rows, V] of the chosen rows of a hidden state.
  Tensor logits(Ctx& c, const Tensor& hidden, std::span<const int32_t> rows) const;
  // Negative log-likelihoods of the targets of all rows (ops.h, cross_entropy).
  std::vector<double> loss(Ctx& c, const Tensor& hidden, std::span<const int32_t> target,
                           std::span<const double> factor) const;
  // Hidden states of prediction layer k after its norm: x_i = eh_proj [enorm(Emb(next_i)); hnorm(h_i)], one block.
  // `next` holds the token after each row; the result predicts the one after that.
  Tensor predict(Ctx& c, int64_t k, const Tensor& hidden, std::span<const int32_t> next) const;

  void keep(std::shared_ptr<const void> memory) { kept_ = std::move(memory); }  // what the parameters' views point into
  void set_expanded(bool expanded);                                             // which evaluation of Mla
  // Training: the tape keeps a layer's input and output alone; its inside is computed again when its gradient is due
  // (Chen et al. 2016). Same bits; costs one more forward pass of every layer.
  void set_recompute(bool recompute) { recompute_ = recompute; }
  void set_rope_divisors(std::span<const float> divisors);  // GGUF's rope_freqs.weight

 private:
  struct Predictor {
    Tensor embed_norm, hidden_norm, final_norm;
    Weight projection;
    DecoderLayer block;
  };
  Tensor run_layer(Ctx& c, const DecoderLayer& layer, int64_t index, const Tensor& h, const RopeTable& table) const;
  Config config_;
  bool recompute_ = false;
  Rope rotary_;
  Weight embedding_, head_;
  std::vector<DecoderLayer> layers_;
  Tensor final_norm_;
  std::vector<Predictor> predictors_;
  std::shared_ptr<const void> kept_;
};

}  // namespace jevons
