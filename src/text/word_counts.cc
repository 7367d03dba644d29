#include "text/word_counts.h"

#include <functional>

#include "base/error.h"

namespace jevons {

void WordCounts::add(std::string_view word, uint64_t count) {
  const uint64_t hash = std::hash<std::string_view>{}(word);
  const size_t mask = slots_.size() - 1;
  size_t at = hash & mask;
  for (; slots_[at]; at = (at + 1) & mask) {
    Entry& entry = entries_[slots_[at] - 1];
    if (entry.hash == hash && this->word(slots_[at] - 1) == word) return void(entry.count += count);
  }
  entries_.push_back({hash, count, bytes_.size(), word.size()});
  bytes_ += word;
  JEVONS_CHECK(entries_.size() < UINT32_MAX);
  slots_[at] = static_cast<uint32_t>(entries_.size());
  if (entries_.size() * 2 > slots_.size()) grow();
}

void WordCounts::add(const WordCounts& other) {
  for (size_t i = 0; i < other.size(); ++i) add(other.word(i), other.count(i));
}

void WordCounts::grow() {
  slots_.assign(slots_.size() * 2, 0);
  for (size_t i = 0; i < entries_.size(); ++i) {
    size_t at = entries_[i].hash & (slots_.size() - 1);
    while (slots_[at]) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = static_cast<uint32_t>(i + 1);
  }
}

}  // namespace jevons
