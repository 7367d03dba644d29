// KvPages: which cache pages belong to whom. Bookkeeping only, no bytes (KvStore holds those), so it can be fuzzed.
//
// A page holds `page_tokens` consecutive positions of a sequence. Full pages can be published under the tokens that
// lead to them; a later sequence with the same beginning shares them. Published pages that nobody uses stay until the
// room is needed, least recently used first.
#pragma once
#include <cstdint>
#include <list>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

namespace jevons {

class KvPages {
 public:
  KvPages(int64_t pages, int64_t page_tokens);
  int64_t page_tokens() const { return page_tokens_; }
  int64_t total() const { return static_cast<int64_t>(state_.size()); }
  int64_t available() const;  // free now, or held only as unused prefixes

  // A page with one user, nullopt if every page is in use.
  std::optional<int32_t> take();
  void release(int32_t page);

  // The published pages of the longest whole-page prefix of `tokens`, each with one more user.
  std::vector<int32_t> share(std::span<const int32_t> tokens);
  // Publishes the page that holds tokens [size - page_tokens, size) of `tokens` under the whole of `tokens`. The first
  // page published under the same tokens stays.
  void publish(std::span<const int32_t> tokens, int32_t page);

 private:
  struct Page {
    int32_t users = 0;
    uint64_t key = 0;             // 0: not published
    std::vector<int32_t> tokens;  // of a published page, with `parent` the proof against hash collisions
    uint64_t parent = 0;
    std::list<int32_t>::iterator idle;  // place in idle_ while published and unused
  };
  uint64_t key_of(uint64_t parent, std::span<const int32_t> tokens) const;
  bool holds(int32_t page, uint64_t parent, std::span<const int32_t> tokens) const;
  int64_t page_tokens_;
  std::vector<Page> state_;
  std::vector<int32_t> free_;
  std::list<int32_t> idle_;  // published, no users; front is oldest
  std::unordered_map<uint64_t, int32_t> published_;
};

}  // namespace jevons
