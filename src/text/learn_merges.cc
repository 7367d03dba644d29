#include "text/learn_merges.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <queue>
#include <unordered_map>

#include "text/byte_alphabet.h"

namespace jevons {
namespace {

uint64_t pair_of(int32_t left, int32_t right) {
  return static_cast<uint64_t>(left) << 32 | static_cast<uint32_t>(right);
}

struct PairHash {
  size_t operator()(uint64_t x) const {
    x *= 0x9e3779b97f4a7c15;
    return x ^ x >> 32;
  }
};

const std::array<uint8_t, 256>& bytes_in_order() {
  static const std::array<uint8_t, 256> order = [] {
    std::array<uint8_t, 256> bytes;
    std::iota(bytes.begin(), bytes.end(), uint8_t{0});
    std::ranges::sort(bytes, {}, [](uint8_t b) { return ByteAlphabet::get().point_of[b]; });
    return bytes;
  }();
  return order;
}

class Learner {
 public:
  explicit Learner(const WordCounts& words) {
    std::array<int32_t, 256> symbol_of;
    for (int32_t s = 0; s < 256; ++s) symbol_of[byte_of_symbol(s)] = s;
    words_.reserve(words.size());
    for (size_t i = 0; i < words.size(); ++i) {
      const std::string_view word = words.word(i);
      words_.push_back({symbols_.size(), word.size(), static_cast<int64_t>(words.count(i))});
      for (const char c : word) symbols_.push_back(symbol_of[static_cast<unsigned char>(c)]);
    }
    for (size_t w = 0; w < words_.size(); ++w)
      for (size_t i = 1; i < words_[w].size; ++i)
        change(symbols_[words_[w].begin + i - 1], symbols_[words_[w].begin + i], words_[w].count, w);
    push_fresh();
  }

  // The pair to be merged next and its count; {0, 0} if there is none.
  std::pair<uint64_t, uint64_t> best() {
    while (!heap_.empty()) {
      Candidate top = heap_.top();
      const auto found = pairs_.find(top.pair);
      const uint64_t now = found == pairs_.end() || found->second.count < 0 ? 0 : found->second.count;
      if (now == top.count) return {top.pair, top.count};
      heap_.pop();
      if (now > 0) heap_.push({now, top.pair});
    }
    return {0, 0};
  }

  void merge(uint64_t pair, int32_t symbol) {
    const std::vector<uint32_t> holders = std::move(pairs_[pair].words);
    heap_.pop();
    for (const uint32_t w : holders) merge_in(w, static_cast<int32_t>(pair >> 32), static_cast<int32_t>(pair), symbol);
    pairs_.erase(pair);
    push_fresh();
  }

  uint64_t tokens() const {
    uint64_t sum = 0;
    for (const Word& w : words_) sum += static_cast<uint64_t>(w.count) * w.size;
    return sum;
  }

 private:
  struct Word {
    size_t begin, size;  // in symbols_
    int64_t count;
  };
  struct Pair {
    int64_t count = 0;
    std::vector<uint32_t> words;  // that hold it or have held it
  };
  struct Candidate {
    uint64_t count, pair;
    bool operator<(const Candidate& o) const { return count != o.count ? count < o.count : pair > o.pair; }
  };

  // `count` more of the pair, in word w; less if negative.
  void change(int32_t left, int32_t right, int64_t count, size_t w) {
    const auto [found, fresh] = pairs_.try_emplace(pair_of(left, right));
    Pair& pair = found->second;
    if (fresh) fresh_.push_back(found->first);
    pair.count += count;
    if (count > 0 && (pair.words.empty() || pair.words.back() != w)) pair.words.push_back(static_cast<uint32_t>(w));
  }

  void merge_in(uint32_t w, int32_t left, int32_t right, int32_t symbol) {
    Word& word = words_[w];
    int32_t* const s = symbols_.data() + word.begin;
    size_t kept = 0;
    for (size_t i = 0; i < word.size;) {
      if (i + 1 == word.size || s[i] != left || s[i + 1] != right) {
        s[kept++] = s[i++];
        continue;
      }
      if (kept > 0) change(s[kept - 1], left, -word.count, w), change(s[kept - 1], symbol, word.count, w);
      i += 2;
      if (i < word.size) change(right, s[i], -word.count, w), change(symbol, s[i], word.count, w);
      s[kept++] = symbol;
    }
    word.size = kept;
  }

  void push_fresh() {
    for (const uint64_t pair : fresh_)
      if (const auto found = pairs_.find(pair); found != pairs_.end() && found->second.count > 0)
        heap_.push({static_cast<uint64_t>(found->second.count), pair});
    fresh_.clear();
  }

  std::vector<int32_t> symbols_;
  std::vector<Word> words_;
  std::unordered_map<uint64_t, Pair, PairHash> pairs_;
  std::vector<uint64_t> fresh_;  // pairs that are not in the heap yet
  std::priority_queue<Candidate> heap_;
};

}  // namespace

uint8_t byte_of_symbol(int32_t symbol) { return bytes_in_order()[static_cast<size_t>(symbol)]; }

LearnedMerges learn_merges(const WordCounts& words, int64_t limit, uint64_t min_count,
                           const std::function<void(int64_t done)>& each) {
  Learner learner(words);
  LearnedMerges out;
  while (static_cast<int64_t>(out.merges.size()) < limit) {
    const auto [pair, count] = learner.best();
    if (count == 0 || count < min_count) break;
    learner.merge(pair, static_cast<int32_t>(256 + out.merges.size()));
    out.merges.emplace_back(static_cast<int32_t>(pair >> 32), static_cast<int32_t>(pair & UINT32_MAX));
    if (each) each(static_cast<int64_t>(out.merges.size()));
  }
  out.tokens = learner.tokens();
  return out;
}

}  // namespace jevons
