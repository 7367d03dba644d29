// WordCounts: how often each word occurs. A hash table over one buffer of bytes; words come back in order of insertion.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace jevons {

class WordCounts {
 public:
  void add(std::string_view word, uint64_t count = 1);
  void add(const WordCounts& other);
  size_t size() const { return entries_.size(); }  // distinct words
  std::string_view word(size_t i) const { return std::string_view(bytes_).substr(entries_[i].begin, entries_[i].size); }
  uint64_t count(size_t i) const { return entries_[i].count; }

 private:
  struct Entry {
    uint64_t hash, count;
    size_t begin, size;
  };
  void grow();
  std::string bytes_;
  std::vector<Entry> entries_;
  std::vector<uint32_t> slots_ = std::vector<uint32_t>(1024, 0);  // 1 + index of an entry; 0: free
};

}  // namespace jevons
