// Standard output, for answers only. Unbuffered: what is printed is out.
#pragma once
#include <string_view>

#include "base/json.h"

namespace jevons {

// Thrown by print() when the reader has gone (`jevons list | head -1`): the program ends quietly with exit code 0.
struct OutputClosed {};

// Writes all of `text` to stdout; throws OutputClosed, or Error{io} if the output cannot take it (full disk).
void print(std::string_view text);
// The value on one line.
void print_json(const Json& value);

}  // namespace jevons
