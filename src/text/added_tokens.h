// Added tokens: strings that are tokens by themselves, found in the text before anything else happens to it.
//
// As in the `tokenizers` library: the longest of those that begin leftmost; tokens with `normalized` are looked for in
// the normalised text, the others before that. single_word: only between characters that are no word characters. lstrip
// and rstrip: the token takes the white space on that side with it.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace jevons {

struct AddedToken {
  int32_t id = 0;
  std::string content;
  bool special = false, lstrip = false, rstrip = false, single_word = false, normalized = false;
};

class AddedTokenMatcher {
 public:
  AddedTokenMatcher() = default;
  explicit AddedTokenMatcher(std::vector<AddedToken> tokens);  // no content is empty, none occurs twice

  // Calls text(std::string_view) and token(int32_t id) for the parts of `input` in order. With `specials` false,
  // special tokens are passed over: their place is text unless another match covers it.
  template <class Text, class Token>
  void split(std::string_view input, bool specials, Text&& text, Token&& token) const;

 private:
  struct Match {
    size_t begin, end;
    const AddedToken* token;
  };
  // The next match at or after `from`, leftmost, then longest. Its token is null if there is none.
  Match next(std::string_view input, size_t from) const;
  // Does the match count, and how far does it reach? `done` is where the last one ended.
  bool accept(std::string_view input, size_t done, Match& match) const;

  std::vector<AddedToken> tokens_;  // sorted by content
  std::array<bool, 256> first_{};   // bytes that a content begins with
};

template <class Text, class Token>
void AddedTokenMatcher::split(std::string_view input, bool specials, Text&& text, Token&& token) const {
  size_t done = 0;
  if (!tokens_.empty())
    for (size_t at = 0;;) {
      Match match = next(input, at);
      if (!match.token) break;
      at = match.end;
      if (!specials && match.token->special) continue;
      if (!accept(input, done, match)) continue;
      if (done < match.begin) text(input.substr(done, match.begin - done));
      token(match.token->id);
      done = match.end;
    }
  if (done < input.size()) text(input.substr(done));
}

}  // namespace jevons
