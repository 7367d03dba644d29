#include "text/grammar/matcher.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>

namespace jevons {

using grammar::Configs;

GrammarMatcher::GrammarMatcher(std::shared_ptr<TokenMasks> masks, size_t max_bytes)
    : masks_(std::move(masks)), max_bytes_(max_bytes), configs_(masks_->grammar().automaton()) {
  history_.push_back(configs_.start());
}

const GrammarMatcher::Known& GrammarMatcher::find_mask() {
  const int32_t config = history_.back();
  const auto known = known_.find(config);
  if (known != known_.end()) return known->second;
  Known found{std::vector<uint64_t>(vocab().words()), 0};
  const auto& nodes = vocab().nodes();
  const auto& ids = vocab().tokens_at();
  const auto places = configs_.places(config);  // a copy: steps make new configurations
  for (const auto& place : places) {
    if (place.state == Configs::kEnd) continue;
    const auto local = masks_->at(place.state);
    local->add_to(found.bits);
    const int32_t after = configs_.after(place.frame);
    if (after == Configs::kDead) continue;
    for (const int32_t exit : local->exits)
      walk_vocab(vocab(), configs_, exit, after, [&](int32_t n, int32_t) {
        for (int32_t i = nodes[n].first; i < nodes[n].last; ++i)
          found.bits[ids[i] >> 6] |= uint64_t{1} << (ids[i] & 63);
      });
  }
  if (configs_.complete(config))
    for (const int32_t id : vocab().eos()) found.bits[id >> 6] |= uint64_t{1} << (id & 63);
  for (const uint64_t word : found.bits) found.count += std::popcount(word);
  known_bytes_ += found.bits.size() * 8 + 64;
  return known_[config] = std::move(found);
}

int64_t GrammarMatcher::mask(std::span<uint64_t> bits) {
  JEVONS_CHECK(bits.size() >= vocab().words());
  std::fill(bits.begin(), bits.end(), 0);
  if (ended_) return 0;
  bound_memory();
  const Known& known = find_mask();
  std::copy(known.bits.begin(), known.bits.end(), bits.begin());
  return known.count;
}

namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();
constexpr auto kNone = [] {
  std::array<float, 64> all{};
  all.fill(kNever);
  return all;
}();

// Of 64 logits, those of the at most 8 bits stay. A copy of a whole block is much faster than 64 stores.
void keep_few(float* logits, uint64_t bits) {
  std::array<float, 8> kept{};
  size_t count = 0;
  for (uint64_t left = bits; left; left &= left - 1) kept[count++] = logits[std::countr_zero(left)];
  std::memcpy(logits, kNone.data(), sizeof kNone);
  count = 0;
  for (uint64_t left = bits; left; left &= left - 1) logits[std::countr_zero(left)] = kept[count++];
}

}  // namespace

int64_t GrammarMatcher::apply(std::span<float> logits) {
  JEVONS_CHECK(logits.size() >= static_cast<size_t>(vocab().size()));
  if (ended_) {
    std::fill(logits.begin(), logits.end(), kNever);
    return 0;
  }
  bound_memory();
  const Known& known = find_mask();
  const size_t n = vocab().size();
  for (size_t w = 0; w < known.bits.size(); ++w) {
    const uint64_t bits = known.bits[w];
    if (bits == ~uint64_t{0}) continue;
    float* const own = logits.data() + 64 * w;
    const size_t size = std::min<size_t>(64, n - 64 * w);
    if (size == 64 && (bits == 0 || std::popcount(bits) <= 8))
      keep_few(own, bits);
    else
      for (uint64_t out = ~bits; out; out &= out - 1)
        if (const size_t i = std::countr_zero(out); i < size) own[i] = kNever;
  }
  std::fill(logits.begin() + static_cast<int64_t>(n), logits.end(), kNever);
  return known.count;
}

bool GrammarMatcher::accept(int32_t token) {
  if (ended_ || token < 0 || token >= vocab().size()) return false;
  if (vocab().ends(token)) {
    if (!complete()) return false;
    ended_ = true;
    history_.push_back(history_.back());
    return true;
  }
  const std::string_view bytes = vocab().bytes(token);
  if (bytes.empty()) return false;
  int32_t config = history_.back();
  for (const char c : bytes)
    if ((config = configs_.step(config, static_cast<uint8_t>(c))) == Configs::kDead) return false;
  history_.push_back(config);
  if (history_.size() > 2 * kRollback) history_.erase(history_.begin(), history_.end() - kRollback - 1);
  return true;
}

void GrammarMatcher::rollback(size_t tokens) {
  JEVONS_CHECK(tokens < history_.size() && tokens <= kRollback);
  if (tokens > 0) ended_ = false;
  history_.resize(history_.size() - tokens);
}

std::string GrammarMatcher::forced(size_t limit) {
  std::string out;
  int32_t config = history_.back();
  while (!ended_ && out.size() < limit && !configs_.complete(config)) {
    const int byte = configs_.only_byte(config);
    if (byte < 0) break;
    out += static_cast<char>(byte);
    config = configs_.step(config, static_cast<uint8_t>(byte));
  }
  return out;
}

// Forgets what can be found again: masks first of all, then configurations that are no longer in the history.
void GrammarMatcher::bound_memory() {
  if (bytes() <= max_bytes_) return;
  known_.clear();
  known_bytes_ = 0;
  if (configs_.bytes() > max_bytes_ / 2) configs_ = configs_.shrunk(history_);
}

}  // namespace jevons
