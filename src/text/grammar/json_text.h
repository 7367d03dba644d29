// The texts of JSON strings and numbers as automata.
//
// Conditions on a string's value (length, pattern, format, other than these names) are automata over its UTF-8 bytes,
// intersected, and then spelled: `spelled` replaces each byte that JSON escapes by its escapes. Conditions on a
// number's value are automata over its digits, exact at any size.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "text/grammar/expr.h"

namespace jevons::grammar {

// Any JSON string, quotes included: every escape, no lone surrogates.
ExprId any_string(Exprs& exprs);
// Any JSON number.
ExprId any_number(Exprs& exprs);
ExprId any_integer(Exprs& exprs);

// All of UTF-8 with min..max characters (max < 0: no limit).
Nfa length_dfa(int64_t min, int64_t max, Budget& budget);
// Exactly these texts.
Nfa texts_dfa(const std::vector<std::string>& texts, Budget& budget);
// The strings with these values, with quotes. Beyond the escapes that are needed (", \, control characters) none occur.
Nfa spelled(const Nfa& values, Budget& budget);

// A decimal number digits * 10^-scale.
struct Decimal {
  bool negative = false;
  std::string digits = "0";  // without leading zeros unless "0"
  int scale = 0;             // digits behind the point
  static Decimal of(double value);
  static Decimal of(int64_t value);
};
int compare(const Decimal& a, const Decimal& b);  // < 0, 0, > 0

struct NumberRange {
  struct Bound {
    Decimal value;
    bool open = false;
  };
  std::vector<Bound> at_least, at_most;
  std::vector<Decimal> multiples;  // positive
  bool any() const { return at_least.empty() && at_most.empty() && multiples.empty(); }
};
// Numbers in the range, spelled without exponent; integers without a point.
Nfa number_dfa(const NumberRange& range, bool integer, Budget& budget);

}  // namespace jevons::grammar
