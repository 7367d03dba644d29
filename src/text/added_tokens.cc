#include "text/added_tokens.h"

#include <algorithm>

#include "text/unicode.h"

namespace jevons {
namespace {

using unicode::Classes;

// The start of the character that ends at `end`.
size_t previous(std::string_view text, size_t end) {
  size_t at = end - 1;
  while (at > 0 && end - at < 4 && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80) --at;
  return at;
}

unsigned classes_at(std::string_view text, size_t at, uint32_t& length) {
  return Classes::get().at(text.data() + at, text.data() + text.size(), length);
}

bool word_before(std::string_view text, size_t at) {
  uint32_t n;
  return at > 0 && classes_at(text, previous(text, at), n) & unicode::Word;
}

bool word_after(std::string_view text, size_t at) {
  uint32_t n;
  return at < text.size() && classes_at(text, at, n) & unicode::Word;
}

}  // namespace

AddedTokenMatcher::AddedTokenMatcher(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  std::sort(tokens_.begin(), tokens_.end(), [](const auto& a, const auto& b) { return a.content < b.content; });
  for (const AddedToken& token : tokens_) first_[static_cast<unsigned char>(token.content[0])] = true;
}

AddedTokenMatcher::Match AddedTokenMatcher::next(std::string_view input, size_t from) const {
  for (size_t at = from; at < input.size(); ++at) {
    if (!first_[static_cast<unsigned char>(input[at])]) [[likely]]
      continue;
    // Narrows the sorted contents byte by byte; the first of a range is complete when it has just these bytes.
    auto low = tokens_.begin(), high = tokens_.end();
    const AddedToken* best = nullptr;
    for (size_t n = 0; at + n < input.size() && low < high; ++n) {
      const auto byte = static_cast<unsigned char>(input[at + n]);
      const auto byte_of = [n](const AddedToken& t) {
        return t.content.size() > n ? static_cast<int>(static_cast<unsigned char>(t.content[n])) : -1;
      };
      low = std::partition_point(low, high, [&](const AddedToken& t) { return byte_of(t) < byte; });
      high = std::partition_point(low, high, [&](const AddedToken& t) { return byte_of(t) <= byte; });
      if (low < high && low->content.size() == n + 1) best = &*low;
    }
    if (best) return {at, at + best->content.size(), best};
  }
  return {input.size(), input.size(), nullptr};
}

bool AddedTokenMatcher::accept(std::string_view input, size_t done, Match& match) const {
  const AddedToken& token = *match.token;
  if (token.single_word && (word_before(input, match.begin) || word_after(input, match.end))) return false;
  uint32_t n;
  if (token.lstrip) {
    while (match.begin > done && classes_at(input, previous(input, match.begin), n) & unicode::Space)
      match.begin = previous(input, match.begin);
    match.begin = std::max(match.begin, done);
  }
  if (token.rstrip)
    while (match.end < input.size() && classes_at(input, match.end, n) & unicode::Space) match.end += n;
  return match.begin < match.end;  // another token's rstrip may have taken all of it
}

}  // namespace jevons
