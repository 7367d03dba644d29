// The formats of JSON Schema strings as patterns. What is narrower than the standard is said in docs/constrained.md.
#pragma once
#include <string>
#include <string_view>

namespace jevons::grammar {

// The pattern of a format; empty if it is not known.
std::string format_pattern(std::string_view format);

}  // namespace jevons::grammar
