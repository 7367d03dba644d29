// Which tokens fit at a state of a grammar, found once per state and kept, for all sequences that use the grammar.
//
// Most tokens end inside the rule they began in (or in rules called from it): whether they fit depends on the state
// alone. Those that go on after the rule's end depend on what waits there, and are tried by the matcher: a state's
// entry names the trie nodes behind which such tokens lie.
#pragma once
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "text/grammar/configs.h"
#include "text/grammar/grammar.h"
#include "text/grammar/vocab.h"

namespace jevons {

struct StateMask {
  std::vector<uint64_t> dense;  // bits by token id, or
  std::vector<int32_t> few;     // ids, where there are few
  std::vector<int32_t> exits;   // trie nodes at whose end the rule may be over, with tokens below them
  void add_to(std::span<uint64_t> bits) const;
  size_t bytes() const { return 128 + dense.size() * 8 + (few.size() + exits.size()) * 4; }
};

class TokenMasks {
 public:
  // `max_bytes`: when kept masks take more, they are forgotten and found again when needed.
  TokenMasks(GrammarPtr grammar, std::shared_ptr<const GrammarVocab> vocab, size_t max_bytes = size_t{64} << 20);

  std::shared_ptr<const StateMask> at(int32_t state);  // safe to call from several threads
  size_t bytes() const;
  const Grammar& grammar() const { return *grammar_; }
  const GrammarVocab& vocab() const { return *vocab_; }

 private:
  std::shared_ptr<const StateMask> find(int32_t state);
  GrammarPtr grammar_;
  std::shared_ptr<const GrammarVocab> vocab_;
  const size_t max_bytes_;
  mutable std::mutex mutex_;
  grammar::Configs configs_;
  std::unordered_map<int32_t, std::shared_ptr<const StateMask>> masks_;
  size_t bytes_ = 0;
};

// Calls token(index range first, last) and node(n, config) for every trie node below `root` that `config` can read.
template <class Visit>
void walk_vocab(const GrammarVocab& vocab, grammar::Configs& configs, int32_t root, int32_t config, Visit&& visit) {
  const auto& nodes = vocab.nodes();
  struct Open {
    int32_t end, config;
  };
  std::vector<Open> path{{nodes[root].end, config}};
  for (int32_t n = root + 1; n < nodes[root].end;) {
    while (path.back().end <= n) path.pop_back();
    const int32_t next = configs.step(path.back().config, nodes[n].byte);
    if (next == grammar::Configs::kDead) {
      n = nodes[n].end;
      continue;
    }
    visit(n, next);
    if (nodes[n].end > n + 1) path.push_back({nodes[n].end, next});
    ++n;
  }
}

}  // namespace jevons
