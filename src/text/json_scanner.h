// Finds the end of a JSON value while it arrives, byte by byte, and notices the first byte that cannot belong to one
// (RFC 8259; strings may hold any bytes but control characters and need not be checked UTF-8). Containers nest at most
// 64 deep.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace jevons {

class JsonScanner {
 public:
  enum class Step {
    more,    // the byte belongs to the value, which is not complete for certain
    done,    // the byte ends the value
    before,  // the value ended before this byte (a number), which is not part of it
    error,   // the byte cannot be part of a JSON value
  };
  // The next byte. White space before the value is not part of it and an error. Not to be called after another answer
  // than `more`. Cost: O(1).
  Step push(char c);
  // Whether the bytes so far are a whole value, if no more follow: true for numbers only.
  bool whole_number() const { return open_.empty() && number_may_end(); }

 private:
  enum class State {
    value,
    first_value,  // of an array: may also be its end
    first_key,    // of an object: may also be its end
    key,
    colon,
    after,
    string,
    escape,
    hex,
    literal,
    minus,
    zero,
    digits,
    point,
    fraction,
    exponent,
    exponent_sign,
    exponent_digits,
  };
  static constexpr size_t kDeepest = 64;

  bool number_may_end() const {
    return state_ == State::zero || state_ == State::digits || state_ == State::fraction ||
           state_ == State::exponent_digits;
  }
  Step begin_value(char c);
  Step open(char c);
  Step close(char c);
  Step ended();
  Step in_string(char c);
  Step in_number(char c);
  Step to(State state) {
    state_ = state;
    return Step::more;
  }

  State state_ = State::value;
  std::string open_;          // the containers around: '{' or '['
  bool is_key_ = false;       // the string being read is a key
  int hex_left_ = 0;          // of \uXXXX
  std::string_view literal_;  // what is left of true, false or null
};

}  // namespace jevons
