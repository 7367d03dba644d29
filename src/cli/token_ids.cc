#include "cli/token_ids.h"

#include <charconv>

#include "base/strings.h"

namespace jevons {

std::vector<int32_t> parse_token_ids(std::string_view text, std::string_view where, Code code) {
  constexpr std::string_view kBetween = " \t\r\n,[]";
  std::vector<int32_t> ids;
  for (size_t at = 0; (at = text.find_first_not_of(kBetween, at)) != std::string_view::npos;) {
    const size_t end = std::min(text.find_first_of(kBetween, at), text.size());
    const std::string_view word = text.substr(at, end - at);
    int32_t id = 0;
    const auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), id);
    if (error != std::errc() || stop != word.data() + word.size())
      throw Error(code, cat(where, ": ", quote(word, 20), " at byte ", at,
                            " is not a token id; expected numbers between commas or white space, like 1,2,3"));
    ids.push_back(id);
    at = end;
  }
  return ids;
}

}  // namespace jevons
