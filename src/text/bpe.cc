#include "text/bpe.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>

namespace jevons {
namespace {

constexpr uint32_t kNoRank = UINT32_MAX;
constexpr size_t kShort = 64;

uint64_t mix(uint64_t x) {
  x *= 0x9e3779b97f4a7c15;
  return x ^ x >> 32;
}

uint64_t hash(std::string_view s) {
  uint64_t h = s.size();
  const char* p = s.data();
  size_t n = s.size();
  for (; n >= 8; p += 8, n -= 8) {
    uint64_t x;
    std::memcpy(&x, p, 8);
    h = mix(h ^ x) + x;
  }
  uint64_t x = 0;
  if (n >= 4) {
    uint32_t a, b;
    std::memcpy(&a, p, 4);
    std::memcpy(&b, p + n - 4, 4);
    x = uint64_t{a} << 32 | b;
  } else if (n) {
    const auto byte = [&](size_t i) { return static_cast<uint64_t>(static_cast<unsigned char>(p[i])); };
    x = byte(0) << 16 | byte(n / 2) << 8 | byte(n - 1);
  }
  return mix(mix(h ^ x) + x);
}

uint64_t pair_of(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

}  // namespace

Bpe::Bpe(const std::vector<Merge>& merges, const std::array<int32_t, 256>& bytes,
         const std::vector<std::string_view>& words)
    : slots_(std::bit_ceil(std::max<size_t>(16, merges.size() * 2))), bytes_(bytes), words_(words) {
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const Merge& m = merges[rank];
    const uint64_t pair = pair_of(m.left, m.right);
    size_t at = mix(pair) & (slots_.size() - 1);
    while (slots_[at].pair != UINT64_MAX && slots_[at].pair != pair) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = {pair, static_cast<uint32_t>(rank), m.result};
  }
  if (words_.empty()) return;
  word_slots_.assign(std::bit_ceil(words_.size() * 2), -1);
  for (size_t id = 0; id < words_.size(); ++id) {
    if (words_[id].empty()) continue;
    size_t at = hash(words_[id]) & (word_slots_.size() - 1);
    while (word_slots_[at] >= 0) at = (at + 1) & (word_slots_.size() - 1);
    word_slots_[at] = static_cast<int32_t>(id);
  }
}

const Bpe::Slot* Bpe::find(int32_t left, int32_t right) const {
  const uint64_t pair = pair_of(left, right);
  for (size_t at = mix(pair) & (slots_.size() - 1);; at = (at + 1) & (slots_.size() - 1)) {
    if (slots_[at].pair == pair) return &slots_[at];
    if (slots_[at].pair == UINT64_MAX) return nullptr;
  }
}

int32_t Bpe::whole(std::string_view word) const {
  if (word_slots_.empty()) return -1;
  for (size_t at = hash(word) & (word_slots_.size() - 1);; at = (at + 1) & (word_slots_.size() - 1)) {
    const int32_t id = word_slots_[at];
    if (id < 0 || words_[id] == word) return id;
  }
}

void Bpe::encode(std::string_view word, Scratch& s, std::vector<int32_t>& out) const {
  if (word.empty()) return;
  if (word.size() > Scratch::kMaxKey) {
    encode_uncached(word, s);
    out.insert(out.end(), s.ids_.begin(), s.ids_.end());
    return;
  }
  Scratch::Entry& entry = s.cache_[hash(word) & (Scratch::kCacheSize - 1)];
  if (entry.size == word.size() && std::memcmp(entry.key.data(), word.data(), word.size()) == 0) [[likely]] {
    out.insert(out.end(), entry.ids.begin(), entry.ids.begin() + entry.count);
    return;
  }
  encode_uncached(word, s);
  out.insert(out.end(), s.ids_.begin(), s.ids_.end());
  if (s.ids_.size() > Scratch::kMaxIds) return;
  entry.size = static_cast<uint8_t>(word.size());
  entry.count = static_cast<uint8_t>(s.ids_.size());
  std::copy(word.begin(), word.end(), entry.key.begin());
  std::copy(s.ids_.begin(), s.ids_.end(), entry.ids.begin());
}

void Bpe::encode_uncached(std::string_view word, Scratch& s) const {
  s.ids_.clear();
  if (const int32_t id = whole(word); id >= 0) {
    s.ids_.push_back(id);
    return;
  }
  for (const char c : word)
    if (const int32_t id = bytes_[static_cast<unsigned char>(c)]; id >= 0) s.ids_.push_back(id);
  if (s.ids_.size() < 2) return;
  s.ids_.size() <= kShort ? merge_short(s) : merge_long(s);
}

// Looks through the ranks of all neighbours for each merge.
void Bpe::merge_short(Scratch& s) const {
  auto& ids = s.ids_;
  auto& ranks = s.ranks_;
  const auto rank_at = [&](size_t i) {
    if (i + 1 >= ids.size()) return kNoRank;
    const Slot* slot = find(ids[i], ids[i + 1]);
    return slot ? slot->rank : kNoRank;
  };
  ranks.resize(ids.size());
  for (size_t i = 0; i < ids.size(); ++i) ranks[i] = rank_at(i);
  while (ids.size() > 1) {
    const auto best = std::min_element(ranks.begin(), ranks.end());
    if (*best == kNoRank) return;
    const auto at = static_cast<size_t>(best - ranks.begin());
    ids[at] = find(ids[at], ids[at + 1])->result;
    ids.erase(ids.begin() + at + 1);
    ranks.erase(ranks.begin() + at + 1);
    ranks[at] = rank_at(at);
    if (at > 0) ranks[at - 1] = rank_at(at - 1);
  }
}

// A heap of rank << 32 | position over a linked list. Entries whose pair is gone are recognised by their rank: a
// position keeps the rank of its present pair in ranks_.
void Bpe::merge_long(Scratch& s) const {
  auto& ids = s.ids_;
  const auto n = static_cast<int32_t>(ids.size());
  s.next_.resize(ids.size());
  s.previous_.resize(ids.size());
  s.ranks_.assign(ids.size(), kNoRank);
  s.heap_.clear();
  for (int32_t i = 0; i < n; ++i) s.next_[i] = i + 1, s.previous_[i] = i - 1;
  const auto rank = [&](int32_t i) {
    const Slot* slot = s.next_[i] < n ? find(ids[i], ids[s.next_[i]]) : nullptr;
    s.ranks_[i] = slot ? slot->rank : kNoRank;
    return slot != nullptr;
  };
  const auto key = [&](int32_t i) { return uint64_t{s.ranks_[i]} << 32 | static_cast<uint32_t>(i); };
  for (int32_t i = 0; i < n; ++i)
    if (rank(i)) s.heap_.push_back(key(i));
  const std::greater<> order;
  std::make_heap(s.heap_.begin(), s.heap_.end(), order);
  const auto push = [&](int32_t i) {
    if (!rank(i)) return;
    s.heap_.push_back(key(i));
    std::push_heap(s.heap_.begin(), s.heap_.end(), order);
  };
  while (!s.heap_.empty()) {
    std::pop_heap(s.heap_.begin(), s.heap_.end(), order);
    const uint64_t top = s.heap_.back();
    s.heap_.pop_back();
    const auto i = static_cast<int32_t>(top & UINT32_MAX);
    if (s.ranks_[i] != top >> 32 || s.ranks_[i] == kNoRank) continue;
    const int32_t gone = s.next_[i];
    ids[i] = find(ids[i], ids[gone])->result;
    s.next_[i] = s.next_[gone];
    if (s.next_[i] < n) s.previous_[s.next_[i]] = i;
    s.ranks_[gone] = kNoRank;
    s.previous_[gone] = -2;  // no longer in the list
    push(i);
    if (s.previous_[i] >= 0) push(s.previous_[i]);
  }
  size_t kept = 0;
  for (int32_t i = 0; i < n; i = s.next_[i]) ids[kept++] = ids[i];
  ids.resize(kept);
}

}  // namespace jevons
