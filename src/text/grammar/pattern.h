// Regular expressions as JSON Schema's `pattern` uses them (ECMA 262 with the u flag), read into expressions.
//
// Supported: literals, . classes with ranges, escapes (\d \D \w \W \s \S \t \n \r \f \v \0 \cX \xHH \uHHHH \u{H}
// and surrogate pairs), \p{L|M|N|P|S} and their long names and negations, groups (capturing, not, named), | * + ? {m,n}
// (greedy or lazy: the same language), ^ and $ anywhere. Refused by name: look-around, back references, \b and \B,
// other properties, flags.
#pragma once
#include <string_view>

#include "text/grammar/expr.h"

namespace jevons::grammar {

// Throws Error{invalid} or Error{unsupported} with the place in the pattern. `depth`: nesting of groups.
ExprId parse_pattern(Exprs& exprs, std::string_view pattern, int depth = 200);
// The automaton of all texts in which the pattern is found (search) or which match it as a whole.
Nfa pattern_dfa(std::string_view pattern, bool search, Budget& budget);

}  // namespace jevons::grammar
