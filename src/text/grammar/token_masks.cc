#include "text/grammar/token_masks.h"

namespace jevons {

void StateMask::add_to(std::span<uint64_t> bits) const {
  for (size_t i = 0; i < dense.size(); ++i) bits[i] |= dense[i];
  for (const int32_t id : few) bits[id >> 6] |= uint64_t{1} << (id & 63);
}

TokenMasks::TokenMasks(GrammarPtr grammar, std::shared_ptr<const GrammarVocab> vocab, size_t max_bytes)
    : grammar_(std::move(grammar)), vocab_(std::move(vocab)), max_bytes_(max_bytes), configs_(grammar_->automaton()) {}

std::shared_ptr<const StateMask> TokenMasks::at(int32_t state) {
  const std::lock_guard lock(mutex_);
  const auto known = masks_.find(state);
  if (known != masks_.end()) return known->second;
  if (bytes_ + configs_.bytes() > max_bytes_) {
    masks_.clear();
    bytes_ = 0;
    configs_ = grammar::Configs(grammar_->automaton());
  }
  auto mask = find(state);
  bytes_ += mask->bytes();
  return masks_[state] = std::move(mask);
}

size_t TokenMasks::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_ + configs_.bytes();
}

std::shared_ptr<const StateMask> TokenMasks::find(int32_t state) {
  auto mask = std::make_shared<StateMask>();
  const auto& nodes = vocab_->nodes();
  const auto& ids = vocab_->tokens_at();
  walk_vocab(*vocab_, configs_, 0, configs_.alone(state), [&](int32_t n, int32_t config) {
    for (int32_t i = nodes[n].first; i < nodes[n].last; ++i) mask->few.push_back(ids[i]);
    if (configs_.complete(config) && nodes[n].end > n + 1) mask->exits.push_back(n);
  });
  if (mask->few.size() > vocab_->words()) {
    mask->dense.resize(vocab_->words());
    for (const int32_t id : mask->few) mask->dense[id >> 6] |= uint64_t{1} << (id & 63);
    mask->few = {};
  }
  mask->few.shrink_to_fit();
  mask->exits.shrink_to_fit();
  return mask;
}

}  // namespace jevons
