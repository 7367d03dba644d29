// KvPages: which cache pages belong to whom. Bookkeeping only, no bytes (KvStore holds those), so it can be fuzzed.
//
// A page holds `page_tokens` consecutive positions of a sequence. Full pages can be published under the tokens that
// lead to them; a later sequence with the same beginning shares them. Published pages that nobody uses stay until the
// room is needed, least recently used first.
//
// A prefix is found by a hash and recognised exactly: its own tokens and the identity of the prefix before it are
// compared, so two prefixes with equal hashes never share a page. Prefixes of different scopes (users) never meet.
#pragma once
#include <cstdint>
#include <list>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace jevons {

class KvPages {
 public:
  // Of one page's tokens after a prefix with the hash `before` (0: none). Tests force collisions with a worse one.
  using Hash = uint64_t (*)(uint64_t before, std::span<const int32_t> tokens);
  static uint64_t mixed(uint64_t before, std::span<const int32_t> tokens);

  KvPages(int64_t pages, int64_t page_tokens, Hash hash = mixed);
  int64_t page_tokens() const { return page_tokens_; }
  int64_t total() const { return static_cast<int64_t>(state_.size()); }
  int64_t available() const;  // free now, or held only as unused prefixes

  // A page with one user, nullopt if every page is in use.
  std::optional<int32_t> take();
  void release(int32_t page);

  // The published pages of the longest whole-page prefix of `tokens` in `scope`, each with one more user.
  std::vector<int32_t> share(std::span<const int32_t> tokens, std::string_view scope = {});
  // Publishes the page that holds tokens [size - page_tokens, size) of `tokens` under the whole of `tokens`. The first
  // page published under the same tokens stays.
  void publish(std::span<const int32_t> tokens, int32_t page, std::string_view scope = {});
  // Publishes no longer what nobody uses now.
  void forget();

 private:
  // Whole pages of tokens that begin a sequence: those of `before`, then `tokens`. The first of a chain has no page and
  // the characters of its scope for tokens. Lives while its page is published or a longer prefix lives, so its address
  // is its identity.
  struct Prefix {
    Prefix* before = nullptr;
    std::vector<int32_t> tokens;
    uint64_t hash = 0;
    int64_t longer = 0;           // prefixes that continue this one
    std::optional<int32_t> page;  // published
  };
  struct Page {
    int32_t users = 0;
    Prefix* prefix = nullptr;           // under which it is published
    std::list<int32_t>::iterator idle;  // place in idle_ while published and unused
  };
  Prefix* find(Prefix* before, std::span<const int32_t> tokens);
  Prefix* find_or_add(Prefix* before, std::span<const int32_t> tokens);
  Prefix* find_scope(std::string_view scope, bool add);
  void unpublish(Page& state);
  void drop(Prefix* prefix);  // and those before it that nothing needs any more
  int64_t page_tokens_;
  Hash hash_;
  std::vector<Page> state_;
  std::vector<int32_t> free_;
  std::list<int32_t> idle_;                             // published, no users; front is oldest
  std::unordered_multimap<uint64_t, Prefix> prefixes_;  // by hash
};

}  // namespace jevons
