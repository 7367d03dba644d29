#include "models/decoder.h"

#include <cstring>

#include "base/strings.h"

namespace jevons {
namespace {

Gqa make_gqa(const Config& config) {
  Gqa gqa{};
  gqa.width = config.hidden_size;
  gqa.heads = config.num_attention_heads;
  gqa.kv_heads = config.num_key_value_heads;
  gqa.head_dim = config.head_dim;
  gqa.has_bias = config.attention_bias;
  gqa.has_qk_norm = config.qk_norm;
  gqa.interleaved = config.rope.interleaved;
  gqa.eps = config.rms_norm_eps;
  return gqa;
}

Mla make_mla(const Config& config) {
  Mla mla{};
  mla.width = config.hidden_size;
  mla.heads = config.num_attention_heads;
  mla.q_rank = config.q_lora_rank;
  mla.rank = config.kv_lora_rank;
  mla.nope_dim = config.qk_nope_head_dim;
  mla.rope_dim = config.qk_rope_head_dim;
  mla.value_dim = config.v_head_dim;
  mla.eps = config.rms_norm_eps;
  mla.interleaved = config.rope.interleaved;
  return mla;
}

Moe make_moe(const Config& config) {
  Moe moe{};
  moe.width = config.hidden_size;
  moe.inner = config.moe_intermediate_size;
  moe.count = config.n_routed_experts;
  moe.top_k = config.num_experts_per_tok;
  moe.shared_inner = config.n_shared_experts * config.moe_intermediate_size;
  moe.has_correction_bias = config.topk_method == "noaux_tc";
  moe.rule.scoring = config.scoring_func == "sigmoid" ? RouteArgs::Scoring::sigmoid : RouteArgs::Scoring::softmax;
  moe.rule.groups = config.n_group;
  moe.rule.top_groups = config.topk_group;
  moe.rule.group_score = moe.has_correction_bias ? RouteArgs::GroupScore::top2_sum : RouteArgs::GroupScore::max;
  moe.rule.normalize = config.norm_topk_prob;
  moe.rule.scale = config.routed_scaling_factor;
  return moe;
}

Mlp make_mlp(const Config& config) {
  Mlp mlp{};
  mlp.width = config.hidden_size;
  mlp.inner = config.intermediate_size;
  return mlp;
}

}  // namespace

DecoderLayer::DecoderLayer(const Config& config, int64_t layer) : eps(config.rms_norm_eps) {
  if (config.latent())
    attention = make_mla(config);
  else
    attention = make_gqa(config);
  if (config.layer_is_moe(layer))
    ffn = make_moe(config);
  else
    ffn = make_mlp(config);
}

void DecoderLayer::params(ParamVisitor& visitor, const std::string& prefix, int64_t width) {
  visitor.vector(prefix + "input_layernorm.weight", input_norm, width);
  std::visit([&](auto& block) { block.params(visitor, prefix + "self_attn."); }, attention);
  visitor.vector(prefix + "post_attention_layernorm.weight", post_norm, width);
  std::visit([&](auto& block) { block.params(visitor, prefix + "mlp."); }, ffn);
}

Tensor DecoderLayer::operator()(Ctx& c, int64_t layer, Tensor h, const RopeTable& table, const Rope& rotary) const {
  const std::string name = c.listener ? cat("layers.", layer, ".") : "";
  h = std::visit([&](const auto& block) { return block(c, layer, rms_norm(c, h, input_norm, eps), h, table, rotary); },
                 attention);
  c.trace(name + "attention", h);
  h = std::visit([&](const auto& block) { return block(c, rms_norm(c, h, post_norm, eps), h); }, ffn);
  c.trace(name + "output", h);
  return h;
}

Decoder::Decoder(const Config& config)
    : config_(config), rotary_(make_rope(config.rope, config.rope_dim(), config.latent())) {
  for (int64_t l = 0; l < config.num_hidden_layers; ++l) layers_.emplace_back(config, l);
  for (int64_t k = 0; k < config.num_nextn_predict_layers; ++k)
    predictors_.push_back({{}, {}, {}, {}, DecoderLayer(config, config.num_hidden_layers + k)});
}

void Decoder::params(ParamVisitor& visitor) {
  const int64_t D = config_.hidden_size;
  visitor.embedding("model.embed_tokens.weight", embedding_, config_.vocab_size, D);
  for (size_t l = 0; l < layers_.size(); ++l) layers_[l].params(visitor, cat("model.layers.", l, "."), D);
  visitor.vector("model.norm.weight", final_norm_, D);
  visitor.head("lm_head.weight", head_, embedding_, config_.tie_word_embeddings);
  // The published copies of the embedding and the head in a prediction layer equal the main ones and are not read.
  for (size_t k = 0; k < predictors_.size(); ++k) {
    const std::string prefix = cat("model.layers.", layers_.size() + k, ".");
    Predictor& p = predictors_[k];
    visitor.vector(prefix + "enorm.weight", p.embed_norm, D);
    visitor.vector(prefix + "hnorm.weight", p.hidden_norm, D);
    visitor.weight(prefix + "eh_proj.weight", p.projection, D, 2 * D);
    p.block.params(visitor, prefix, D);
    visitor.vector(prefix + "shared_head.norm.weight", p.final_norm, D);
  }
}

Tensor Decoder::run_layer(Ctx& c, const DecoderLayer& layer, int64_t index, const Tensor& h,
                          const RopeTable& table) const {
  if (!c.tape || !recompute_) return layer(c, index, h, table, rotary_);
  Arena& arena = c.env.arena;
  const Tensor out = c.alloc(h.shape());
  {
    const auto mark = arena.mark();
    Tape dropped = c.tape->sibling();
    Ctx inner = c;
    inner.tape = &dropped;
    const Tensor inside = layer(inner, index, h, table, rotary_);
    std::memcpy(out.data(), inside.data(), static_cast<size_t>(out.bytes()));
    arena.rewind(mark);
  }
  c.tape->record([this, &c, &layer, index, h, table, out] {
    const Tensor d_out = c.tape->grad(out), d_h = c.tape->grad(h);
    const size_t bytes = static_cast<size_t>(h.bytes());
    const auto mark = c.env.arena.mark();
    Tape again = c.tape->sibling();
    Balance uncounted = c.balance ? Balance{c.balance->factor, c.balance->sequence_tokens, 0, {}} : Balance{};
    Ctx inner = c;
    inner.tape = &again;
    inner.balance = c.balance ? &uncounted : nullptr;
    const Tensor inside = layer(inner, index, h, table, rotary_);
    const Tensor d_inside = again.grad(inside), d_input = again.grad(h);
    std::memcpy(d_inside.data(), d_out.data(), bytes);
    std::memcpy(d_input.data(), d_h.data(), bytes);
    again.backward();
    std::memcpy(d_h.data(), d_input.data(), bytes);
    c.env.arena.rewind(mark);
  });
  return out;
}

Tensor Decoder::hidden(Ctx& c, std::span<const int32_t> ids) const {
  const RopeTable table = rope_table(c, rotary_.inv_freq, rotary_.magnitude);
  Tensor h = embed(c, ids, embedding_);
  c.trace("embedding", h);
  const Tensor keep[2] = {h,
                          c.alloc(h.shape())};  // the stream moves between two buffers; a layer's scratch is given back
  int64_t l = 0;
  for (const DecoderLayer& layer : layers_) {
    if (c.tape) {  // which keeps what it needs
      h = run_layer(c, layer, l++, h, table);
      continue;
    }
    const auto mark = c.env.arena.mark();
    const Tensor next = layer(c, l++, h, table, rotary_);
    const Tensor& to = keep[l % 2];
    std::memcpy(to.data(), next.data(), static_cast<size_t>(next.bytes()));
    c.env.arena.rewind(mark);
    h = to;
  }
  h = rms_norm(c, h, final_norm_, config_.rms_norm_eps);
  c.trace("hidden", h);
  return h;
}

Tensor Decoder::logits(Ctx& c, const Tensor& hidden, std::span<const int32_t> rows) const {
  const bool all = static_cast<int64_t>(rows.size()) == hidden.shape()[0];
  return linear(c, all ? hidden : take_rows(c, hidden, rows), head_);
}

std::vector<double> Decoder::loss(Ctx& c, const Tensor& hidden, std::span<const int32_t> target,
                                  std::span<const double> factor) const {
  return cross_entropy(c, hidden, head_, target, factor);
}

Tensor Decoder::predict(Ctx& c, int64_t k, const Tensor& hidden, std::span<const int32_t> next) const {
  const Predictor& p = predictors_[static_cast<size_t>(k)];
  const RopeTable table = rope_table(c, rotary_.inv_freq, rotary_.magnitude);
  const Tensor token = rms_norm(c, embed(c, next, embedding_), p.embed_norm, config_.rms_norm_eps);
  const Tensor state = rms_norm(c, hidden, p.hidden_norm, config_.rms_norm_eps);
  const Tensor x = linear(c, concat_columns(c, token, state), p.projection);
  const Tensor h = run_layer(c, p.block, static_cast<int64_t>(layers_.size()) + k, x, table);
  return rms_norm(c, h, p.final_norm, config_.rms_norm_eps);
}

void Decoder::set_expanded(bool expanded) {
  for (DecoderLayer& layer : layers_)
    if (Mla* mla = std::get_if<Mla>(&layer.attention)) mla->expanded = expanded;
}

void Decoder::set_rope_divisors(std::span<const float> divisors) {
  if (divisors.size() != rotary_.inv_freq.size())
    throw Error(Code::invalid,
                cat("rope_freqs.weight has ", divisors.size(), " numbers, expected ", rotary_.inv_freq.size()));
  for (size_t i = 0; i < divisors.size(); ++i) rotary_.inv_freq[i] /= static_cast<double>(divisors[i]);
}

}  // namespace jevons
