#include "engine/kv_pages.h"

#include <algorithm>

#include "base/error.h"

namespace jevons {

KvPages::KvPages(int64_t pages, int64_t page_tokens) : page_tokens_(page_tokens), state_(static_cast<size_t>(pages)) {
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
    published_.erase(state_[static_cast<size_t>(page)].key);
    state_[static_cast<size_t>(page)] = {};
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
  if (state.key != 0) {
    state.idle = idle_.insert(idle_.end(), page);
  } else {
    free_.push_back(page);
  }
}

std::vector<int32_t> KvPages::share(std::span<const int32_t> tokens) {
  std::vector<int32_t> out;
  uint64_t parent = 0;
  const size_t size = static_cast<size_t>(page_tokens_);
  for (size_t begin = 0; begin + size <= tokens.size(); begin += size) {
    const auto part = tokens.subspan(begin, size);
    const uint64_t key = key_of(parent, part);
    const auto found = published_.find(key);
    if (found == published_.end() || !holds(found->second, parent, part)) break;
    Page& state = state_[static_cast<size_t>(found->second)];
    if (state.users++ == 0) idle_.erase(state.idle);
    out.push_back(found->second);
    parent = key;
  }
  return out;
}

void KvPages::publish(std::span<const int32_t> tokens, int32_t page) {
  const size_t size = static_cast<size_t>(page_tokens_);
  JEVONS_CHECK(tokens.size() >= size && tokens.size() % size == 0);
  uint64_t parent = 0;
  for (size_t begin = 0; begin + size < tokens.size(); begin += size)
    parent = key_of(parent, tokens.subspan(begin, size));
  const auto part = tokens.subspan(tokens.size() - size);
  const uint64_t key = key_of(parent, part);
  Page& state = state_[static_cast<size_t>(page)];
  JEVONS_CHECK(state.users > 0);
  if (state.key != 0 || !published_.try_emplace(key, page).second) return;
  state.key = key, state.parent = parent;
  state.tokens.assign(part.begin(), part.end());
}

// FNV-1a over the tokens, started from the parent's key. Equality is checked on lookup, so a collision only misses.
uint64_t KvPages::key_of(uint64_t parent, std::span<const int32_t> tokens) const {
  uint64_t hash = 0xcbf29ce484222325 ^ parent;
  for (int32_t token : tokens)
    for (int shift = 0; shift < 32; shift += 8)
      hash = (hash ^ (static_cast<uint32_t>(token) >> shift & 0xff)) * 0x100000001b3;
  return hash ? hash : 1;
}

bool KvPages::holds(int32_t page, uint64_t parent, std::span<const int32_t> tokens) const {
  const Page& state = state_[static_cast<size_t>(page)];
  return state.parent == parent && std::equal(tokens.begin(), tokens.end(), state.tokens.begin(), state.tokens.end());
}

}  // namespace jevons
