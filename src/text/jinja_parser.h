// The parser of chat templates: text to syntax tree, the grammar of jinja2 without inheritance, includes and call
// blocks.
#pragma once
#include <string_view>

#include "text/jinja_ast.h"

namespace jevons::jinja {

// Throws Error{invalid} with the line and what was expected, Error{unsupported} for a part of Jinja outside the subset,
// Error{too_large} if expressions or blocks nest deeper than max_depth. Cost: O(bytes).
Body parse_template(std::string_view source, int max_depth);

}  // namespace jevons::jinja
