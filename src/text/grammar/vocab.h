// The vocabulary of a tokenizer as a trie over bytes, in depth-first order, for walks that find all tokens that fit.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace jevons {

class GrammarVocab {
 public:
  // Special tokens never fit a grammar, except those of `as_text`: markers such as "</think>" that occur in one as
  // text.
  explicit GrammarVocab(const Tokenizer& tokenizer, const std::vector<int32_t>& as_text = {});
  // Of a model with so many logits, whose texts end with `eos`.
  GrammarVocab(const Tokenizer& tokenizer, const std::vector<int32_t>& as_text, std::vector<int32_t> eos,
               int64_t logits);
  // By hand: the bytes of each id (empty: never fits), and which ids end a text.
  GrammarVocab(std::vector<std::string> tokens, std::vector<int32_t> eos);

  int32_t size() const { return static_cast<int32_t>(tokens_.size()); }
  size_t words() const { return (tokens_.size() + 63) / 64; }  // 64-bit words of a mask
  std::string_view bytes(int32_t id) const { return tokens_[id]; }
  std::span<const int32_t> eos() const { return eos_; }
  bool ends(int32_t id) const;

  // Node 0 is the empty string. The descendants of node n are n + 1 .. end(n) - 1; the children of n are found by
  // going from n + 1 to the end() of each.
  struct Node {
    int32_t end;          // behind the last descendant
    int32_t first, last;  // tokens_at()[first, last) have exactly these bytes
    uint8_t byte;
  };
  const std::vector<Node>& nodes() const { return nodes_; }
  const std::vector<int32_t>& tokens_at() const { return order_; }

 private:
  void build();
  std::vector<std::string> tokens_;
  std::vector<int32_t> eos_;
  std::vector<Node> nodes_;
  std::vector<int32_t> order_;  // ids sorted by bytes
};

}  // namespace jevons
