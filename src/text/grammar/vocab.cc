#include "text/grammar/vocab.h"

#include <algorithm>

namespace jevons {

GrammarVocab::GrammarVocab(const Tokenizer& tokenizer, const std::vector<int32_t>& as_text)
    : GrammarVocab(tokenizer, as_text, tokenizer.eos(), tokenizer.vocab_size()) {}

GrammarVocab::GrammarVocab(const Tokenizer& tokenizer, const std::vector<int32_t>& as_text, std::vector<int32_t> eos,
                           int64_t logits)
    : tokens_(static_cast<size_t>(std::min<int64_t>(tokenizer.vocab_size(), logits))), eos_(std::move(eos)) {
  std::erase_if(eos_, [&](int32_t id) { return id < 0 || static_cast<size_t>(id) >= tokens_.size(); });
  for (int32_t id = 0; id < size(); ++id)
    if (!ends(id) && (!tokenizer.is_special(id) || std::find(as_text.begin(), as_text.end(), id) != as_text.end()))
      tokens_[id] = tokenizer.token_bytes(id);
  build();
}

GrammarVocab::GrammarVocab(std::vector<std::string> tokens, std::vector<int32_t> eos)
    : tokens_(std::move(tokens)), eos_(std::move(eos)) {
  for (const int32_t id : eos_) tokens_[id].clear();
  build();
}

bool GrammarVocab::ends(int32_t id) const { return std::find(eos_.begin(), eos_.end(), id) != eos_.end(); }

void GrammarVocab::build() {
  for (int32_t id = 0; id < size(); ++id)
    if (!tokens_[id].empty()) order_.push_back(id);
  std::sort(order_.begin(), order_.end(), [&](int32_t a, int32_t b) {
    const int order = tokens_[a].compare(tokens_[b]);
    return order != 0 ? order < 0 : a < b;
  });
  std::vector<int32_t> path{0};  // nodes from the root to the newest
  nodes_.push_back({0, 0, 0, 0});
  std::string_view last;
  const auto close_to = [&](size_t depth) {
    for (; path.size() > depth + 1; path.pop_back()) nodes_[path.back()].end = static_cast<int32_t>(nodes_.size());
  };
  for (int32_t i = 0; i < static_cast<int32_t>(order_.size()); ++i) {
    const std::string_view text = tokens_[order_[i]];
    const auto common =
        static_cast<size_t>(std::mismatch(text.begin(), text.end(), last.begin(), last.end()).first - text.begin());
    close_to(common);
    for (size_t d = common; d < text.size(); ++d) {
      path.push_back(static_cast<int32_t>(nodes_.size()));
      nodes_.push_back({0, i, i, static_cast<uint8_t>(text[d])});
    }
    nodes_[path.back()].last = i + 1;
    last = text;
  }
  close_to(0);
  nodes_[0].end = static_cast<int32_t>(nodes_.size());
}

}  // namespace jevons
