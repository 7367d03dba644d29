#include "engine/kv_pages.h"

#include <algorithm>

#include "base/error.h"

namespace jevons {

KvPages::KvPages(int64_t pages, int64_t page_tokens, Hash hash)
    : page_tokens_(page_tokens), hash_(hash), state_(static_cast<size_t>(pages)) {
  for (int64_t p = pages; p-- > 0;) free_.push_back(static_cast<int32_t>(p));
}

int64_t KvPages::available() const { return static_cast<int64_t>(free_.size() + idle_.size()); }

std::optional<int32_t> KvPages::take() {
  int32_t page;
  if (!free_.empty()) {
    page = free_.back();
    free_.pop_back();
  } else if (!idle_.empty()) {
    page = idle_.front();
    idle_.pop_front();
    unpublish(state_[static_cast<size_t>(page)]);
  } else {
    return std::nullopt;
  }
  state_[static_cast<size_t>(page)].users = 1;
  return page;
}

void KvPages::release(int32_t page) {
  Page& state = state_[static_cast<size_t>(page)];
  JEVONS_CHECK(state.users > 0);
  if (--state.users > 0) return;
  if (state.prefix) {
    state.idle = idle_.insert(idle_.end(), page);
  } else {
    free_.push_back(page);
  }
}

void KvPages::unpublish(Page& state) {
  state.prefix->page.reset();
  drop(state.prefix);
  state = {};
}

void KvPages::forget() {
  for (int32_t page : idle_) {
    unpublish(state_[static_cast<size_t>(page)]);
    free_.push_back(page);
  }
  idle_.clear();
}

KvPages::Prefix* KvPages::find_scope(std::string_view scope, bool add) {
  const std::vector<int32_t> name(scope.begin(), scope.end());
  return add ? find_or_add(nullptr, name) : find(nullptr, name);
}

std::vector<int32_t> KvPages::share(std::span<const int32_t> tokens, std::string_view scope) {
  std::vector<int32_t> out;
  Prefix* prefix = find_scope(scope, false);
  const size_t size = static_cast<size_t>(page_tokens_);
  for (size_t begin = 0; prefix && begin + size <= tokens.size(); begin += size) {
    prefix = find(prefix, tokens.subspan(begin, size));
    if (!prefix || !prefix->page) break;
    Page& state = state_[static_cast<size_t>(*prefix->page)];
    if (state.users++ == 0) idle_.erase(state.idle);
    out.push_back(*prefix->page);
  }
  return out;
}

void KvPages::publish(std::span<const int32_t> tokens, int32_t page, std::string_view scope) {
  const size_t size = static_cast<size_t>(page_tokens_);
  JEVONS_CHECK(tokens.size() >= size && tokens.size() % size == 0);
  Page& state = state_[static_cast<size_t>(page)];
  JEVONS_CHECK(state.users > 0);
  if (state.prefix) return;
  Prefix* prefix = find_scope(scope, true);
  for (size_t begin = 0; begin < tokens.size(); begin += size)
    prefix = find_or_add(prefix, tokens.subspan(begin, size));
  if (prefix->page) return;
  prefix->page = page;
  state.prefix = prefix;
}

// A multiplication and a shift a token, so that every bit of a token reaches the high and the low half.
uint64_t KvPages::mixed(uint64_t before, std::span<const int32_t> tokens) {
  uint64_t hash = before ^ 0xcbf29ce484222325;
  for (int32_t token : tokens) {
    hash = (hash ^ static_cast<uint32_t>(token)) * 0x9e3779b97f4a7c15;
    hash ^= hash >> 32;
  }
  return hash;
}

KvPages::Prefix* KvPages::find(Prefix* before, std::span<const int32_t> tokens) {
  const auto [first, last] = prefixes_.equal_range(hash_(before ? before->hash : 0, tokens));
  for (auto it = first; it != last; ++it)
    if (it->second.before == before &&
        std::equal(tokens.begin(), tokens.end(), it->second.tokens.begin(), it->second.tokens.end()))
      return &it->second;
  return nullptr;
}

KvPages::Prefix* KvPages::find_or_add(Prefix* before, std::span<const int32_t> tokens) {
  if (Prefix* found = find(before, tokens)) return found;
  const uint64_t hash = hash_(before ? before->hash : 0, tokens);
  Prefix prefix{before, {tokens.begin(), tokens.end()}, hash, 0, std::nullopt};
  if (before) ++before->longer;
  return &prefixes_.emplace(hash, std::move(prefix))->second;
}

void KvPages::drop(Prefix* prefix) {
  while (prefix && !prefix->page && prefix->longer == 0) {
    Prefix* const before = prefix->before;
    auto it = prefixes_.equal_range(prefix->hash).first;
    while (&it->second != prefix) ++it;
    prefixes_.erase(it);
    if (before) --before->longer;
    prefix = before;
  }
}

}  // namespace jevons
