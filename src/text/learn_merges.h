// Learning byte pair encoding: the most frequent pair of neighbours becomes one symbol, again and again.
//
// Source: Sennrich et al. 2016. Ties: of equally frequent pairs the one with the smaller left symbol, then the smaller
// right one; symbols are numbered 0..255 for the bytes in the order of their letters (text/byte_alphabet.h), then one a
// merge. This is the rule of `BpeTrainer` in the Hugging Face `tokenizers` library, so the merges are the same.
// A run of one symbol counts every neighbourhood in it (aaa: twice), but is merged from the left without overlap.
//
// Counts are kept up to date: a merge visits only the words that hold its pair. A pair's count never rises after the
// merge that made one of its symbols, so the heap may hold old counts; they are corrected when they come up.
// cost: O(symbols of all distinct words) to begin with; a merge as many as its words have; memory ~50 B a symbol.
#pragma once
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "text/word_counts.h"

namespace jevons {

struct LearnedMerges {
  std::vector<std::pair<int32_t, int32_t>> merges;  // merge i makes symbol 256 + i
  uint64_t tokens = 0;                              // what all words, with their counts, come to
};

// The byte of each of the first 256 symbols.
uint8_t byte_of_symbol(int32_t symbol);

// At most `limit` merges of pairs that occur `min_count` times or more. `each` is told after every merge.
LearnedMerges learn_merges(const WordCounts& words, int64_t limit, uint64_t min_count,
                           const std::function<void(int64_t done)>& each = {});

}  // namespace jevons
