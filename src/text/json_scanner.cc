#include "text/json_scanner.h"

namespace jevons {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

}  // namespace

JsonScanner::Step JsonScanner::ended() {
  if (open_.empty()) return Step::done;
  return to(State::after);
}

JsonScanner::Step JsonScanner::open(char c) {
  if (open_.size() >= kDeepest) return Step::error;
  open_ += c;
  return to(c == '{' ? State::first_key : State::first_value);
}

JsonScanner::Step JsonScanner::close(char c) {
  if (open_.back() != (c == '}' ? '{' : '[')) return Step::error;
  open_.pop_back();
  return ended();
}

JsonScanner::Step JsonScanner::begin_value(char c) {
  switch (c) {
    case '{':
    case '[':
      return open(c);
    case '"':
      is_key_ = false;
      return to(State::string);
    case 't':
      literal_ = "rue";
      return to(State::literal);
    case 'f':
      literal_ = "alse";
      return to(State::literal);
    case 'n':
      literal_ = "ull";
      return to(State::literal);
    case '-':
      return to(State::minus);
    case '0':
      return to(State::zero);
    default:
      return is_digit(c) ? to(State::digits) : Step::error;
  }
}

JsonScanner::Step JsonScanner::in_string(char c) {
  if (state_ == State::escape) {
    if (c == 'u') {
      hex_left_ = 4;
      return to(State::hex);
    }
    return std::string_view("\"\\/bfnrt").find(c) != std::string_view::npos ? to(State::string) : Step::error;
  }
  if (state_ == State::hex) {
    if (!is_hex(c)) return Step::error;
    return --hex_left_ == 0 ? to(State::string) : Step::more;
  }
  if (c == '\\') return to(State::escape);
  if (static_cast<unsigned char>(c) < 0x20) return Step::error;
  if (c != '"') return Step::more;
  return is_key_ ? to(State::colon) : ended();
}

JsonScanner::Step JsonScanner::in_number(char c) {
  const bool digit = is_digit(c);
  switch (state_) {
    case State::minus:
      return digit ? to(c == '0' ? State::zero : State::digits) : Step::error;
    case State::point:
      return digit ? to(State::fraction) : Step::error;
    case State::exponent:
      if (c == '+' || c == '-') return to(State::exponent_sign);
      [[fallthrough]];
    case State::exponent_sign:
      return digit ? to(State::exponent_digits) : Step::error;
    default:
      break;
  }
  if (digit && state_ != State::zero) return Step::more;
  if (c == '.' && (state_ == State::zero || state_ == State::digits)) return to(State::point);
  if ((c == 'e' || c == 'E') && state_ != State::exponent_digits) return to(State::exponent);
  if (open_.empty()) return Step::before;
  state_ = State::after;
  return push(c);
}

JsonScanner::Step JsonScanner::push(char c) {
  switch (state_) {
    case State::string:
    case State::escape:
    case State::hex:
      return in_string(c);
    case State::literal:
      if (c != literal_.front()) return Step::error;
      literal_.remove_prefix(1);
      return literal_.empty() ? ended() : Step::more;
    case State::value:
    case State::first_value:
    case State::first_key:
    case State::key:
    case State::colon:
    case State::after:
      break;
    default:
      return in_number(c);
  }
  if (is_space(c)) return open_.empty() ? Step::error : Step::more;
  switch (state_) {
    case State::first_value:
      return c == ']' ? close(c) : begin_value(c);
    case State::first_key:
      if (c == '}') return close(c);
      [[fallthrough]];
    case State::key:
      is_key_ = true;
      return c == '"' ? to(State::string) : Step::error;
    case State::colon:
      return c == ':' ? to(State::value) : Step::error;
    case State::after:
      if (c == ',') return to(open_.back() == '{' ? State::key : State::value);
      return c == '}' || c == ']' ? close(c) : Step::error;
    default:
      return begin_value(c);
  }
}

}  // namespace jevons
