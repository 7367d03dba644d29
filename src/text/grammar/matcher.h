// GrammarMatcher: follows one sequence through a grammar, token by token.
//
// mask() and apply() say what may come next; accept() goes on; rollback() takes tokens back (speculation). Tokens are
// bytes: where rules begin and end inside a token does not matter. Not for several threads at once; a TokenMasks may be
// shared by many matchers.
//
// Cost once warm: a copy of the mask (V / 8 bytes). A new place costs one walk over the part of the vocabulary that
// fits; a new place in a known state of the grammar only the tokens that go beyond their rule.
#pragma once
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "text/grammar/token_masks.h"

namespace jevons {

class GrammarMatcher {
 public:
  static constexpr size_t kRollback = 1024;  // tokens that can be taken back

  explicit GrammarMatcher(std::shared_ptr<TokenMasks> masks, size_t max_bytes = size_t{32} << 20);

  // Sets the bits of the tokens allowed next, clears the others. bits: vocab().words() words. An end-of-text token is
  // allowed exactly if complete(). Returns how many are allowed: none only if the text is complete and the vocabulary
  // has no end, or if no token of the vocabulary can spell what must follow.
  int64_t mask(std::span<uint64_t> bits);
  // The same for logits [>= V]: those of tokens that are not allowed become -infinity.
  int64_t apply(std::span<float> logits);

  // Goes on by a token; false, and nothing changes, if it does not fit.
  bool accept(int32_t token);
  void rollback(size_t tokens);  // at most kRollback and not more than were accepted

  bool complete() const { return !ended_ && configs_.complete(history_.back()); }  // the text may end here
  bool ended() const { return ended_; }                                            // an end-of-text token was accepted
  bool over() const { return complete() && configs_.places(history_.back()).size() == 1; }  // and nothing may follow
  // Bytes that must come next, because nothing else fits; stops where there is a choice, at `limit` bytes.
  std::string forced(size_t limit = 1024);

  const GrammarVocab& vocab() const { return masks_->vocab(); }
  size_t bytes() const { return configs_.bytes() + known_bytes_; }

 private:
  struct Known {
    std::vector<uint64_t> bits;
    int64_t count;
  };
  const Known& find_mask();
  void bound_memory();

  std::shared_ptr<TokenMasks> masks_;
  const size_t max_bytes_;
  grammar::Configs configs_;
  std::vector<int32_t> history_;  // configurations, the newest last
  bool ended_ = false;
  std::unordered_map<int32_t, Known> known_;  // masks by configuration
  size_t known_bytes_ = 0;
};

}  // namespace jevons
