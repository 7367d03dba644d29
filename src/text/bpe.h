// Byte pair encoding of one word: while two neighbours form a known pair, the pair with the smallest rank (the leftmost
// of several) becomes one token.
//
// Source: Sennrich et al. 2016, with the byte alphabet of GPT-2: every byte is a token to begin with.
// Cost: words of up to 26 bytes come from a cache mostly; others need O(n^2) up to 64 bytes and O(n log n) above.
#pragma once
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace jevons {

class Bpe {
 public:
  struct Merge {
    int32_t left, right, result;
  };

  // Working memory of one thread; words seen before are kept here.
  class Scratch {
   public:
    Scratch() : cache_(kCacheSize) {}

   private:
    friend class Bpe;
    static constexpr size_t kCacheSize = size_t{1} << 15, kMaxKey = 26, kMaxIds = 9;
    struct alignas(64) Entry {
      uint8_t size, count;
      std::array<char, kMaxKey> key;
      std::array<int32_t, kMaxIds> ids;
    };
    std::vector<Entry> cache_;
    std::vector<int32_t> ids_, next_, previous_;
    std::vector<uint32_t> ranks_;
    std::vector<uint64_t> heap_;
  };

  Bpe() = default;
  // `merges` in order of rank, a later one replacing an earlier equal pair. `bytes`: the token of every byte, -1 where
  // the vocabulary has none: such a byte gives no token. `words`: the bytes of each token id that a whole word may
  // become at once (ignore_merges), empty if none may; the views must live as long as this.
  Bpe(const std::vector<Merge>& merges, const std::array<int32_t, 256>& bytes,
      const std::vector<std::string_view>& words);

  void encode(std::string_view word, Scratch& scratch, std::vector<int32_t>& out) const;

 private:
  struct Slot {
    uint64_t pair = UINT64_MAX;
    uint32_t rank = 0;
    int32_t result = 0;
  };
  const Slot* find(int32_t left, int32_t right) const;
  int32_t whole(std::string_view word) const;
  void merge_short(Scratch& s) const;
  void merge_long(Scratch& s) const;
  void encode_uncached(std::string_view word, Scratch& s) const;

  std::vector<Slot> slots_;
  std::array<int32_t, 256> bytes_{};
  std::vector<std::string_view> words_;
  std::vector<int32_t> word_slots_;
};

}  // namespace jevons
