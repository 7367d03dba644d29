// The lexer of chat templates: jinja2's, with trim_blocks and lstrip_blocks on as Hugging Face transformers sets them.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace jevons::jinja {

struct Token {
  enum class Kind { data, print_begin, print_end, block_begin, block_end, name, text, integer, real, op, end };
  Kind kind = Kind::end;
  std::string value;  // data, name, operator; the decoded string; the digits of a number without "_"
  int line = 1;
};

// Line ends become "\n" and one at the very end is dropped. Ends with a token of kind end. Throws Error{invalid} with
// the line. Cost: O(bytes).
std::vector<Token> lex(std::string_view source);

}  // namespace jevons::jinja
