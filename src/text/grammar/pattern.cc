#include "text/grammar/pattern.h"

#include <optional>

#include "base/strings.h"
#include "text/unicode.h"

namespace jevons::grammar {
namespace {

constexpr int64_t kMaxRepeat = 100'000;

CharSet digits() { return {{'0', '9'}}; }
CharSet word_chars() { return {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}; }
CharSet spaces() {
  return {{9, 13},          {' ', ' '},       {0xa0, 0xa0},     {0x1680, 0x1680}, {0x2000, 0x200a},
          {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}, {0xfeff, 0xfeff}};
}
CharSet line_ends() { return {{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}}; }

CharSet category(uint8_t mask) {
  const auto& classes = unicode::Classes::get();
  CharSet out;
  uint32_t from = 0;
  bool inside = false;
  for (uint32_t c = 0; c <= 0x110000; ++c) {
    const bool in = c < 0x110000 && (c < 0xd800 || c > 0xdfff) && (classes.of(c) & mask);
    if (in && !inside) from = c;
    if (!in && inside) out.add(from, c - 1);
    inside = in;
  }
  return out;
}

class Parser {
 public:
  Parser(Exprs& exprs, std::string_view text, int depth) : exprs_(exprs), text_(text), depth_left_(depth) {}

  ExprId parse() {
    const ExprId all = alternatives();
    if (!done()) fail("unmatched )");
    return all;
  }

 private:
  [[noreturn]] void fail(std::string_view what, Code code = Code::invalid) const {
    throw Error(code, cat("pattern ", quote(text_), " at offset ", at_, ": ", what));
  }
  bool done() const { return at_ >= text_.size(); }
  char peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  bool take(std::string_view token) {
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }

  ExprId alternatives() {
    if (depth_left_-- == 0) fail("groups are nested too deeply", Code::too_large);
    std::vector<ExprId> options{sequence()};
    while (take("|")) options.push_back(sequence());
    ++depth_left_;
    return exprs_.choice(std::move(options));
  }

  ExprId sequence() {
    std::vector<ExprId> parts;
    while (!done() && peek() != '|' && peek() != ')') parts.push_back(quantified());
    return exprs_.sequence(std::move(parts));
  }

  ExprId quantified() {
    const ExprId what = atom();
    int64_t min = 0, max = 0;
    if (take("*")) {
      max = -1;
    } else if (take("+")) {
      min = 1, max = -1;
    } else if (take("?")) {
      max = 1;
    } else if (peek() == '{') {
      braces(min, max);
    } else {
      return what;
    }
    take("?");
    if (peek() == '*' || peek() == '+' || peek() == '?' || peek() == '{') fail("nothing to repeat");
    return exprs_.repeat(what, min, max);
  }

  void braces(int64_t& min, int64_t& max) {
    take("{");
    min = max = number();
    if (take(",")) max = peek() == '}' ? -1 : number();
    if (!take("}")) fail("expected } after a repeat count (a literal { is written \\{)");
    if (max >= 0 && max < min) fail("the repeat counts are in the wrong order");
  }

  int64_t number() {
    if (peek() < '0' || peek() > '9') fail("expected a repeat count (a literal { is written \\{)");
    int64_t value = 0;
    for (; peek() >= '0' && peek() <= '9'; ++at_) {
      value = 10 * value + (peek() - '0');
      if (value > kMaxRepeat) fail(cat("a repeat count over ", kMaxRepeat), Code::too_large);
    }
    return value;
  }

  ExprId atom() {
    if (take("(")) return group();
    if (take("[")) return exprs_.chars(char_class());
    if (take("^")) return exprs_.anchor(false);
    if (take("$")) return exprs_.anchor(true);
    if (take(".")) return exprs_.chars(line_ends().complement());
    if (peek() == '*' || peek() == '+' || peek() == '?' || peek() == '{') fail("nothing to repeat");
    if (take("\\")) {
      if (peek() == 'b' || peek() == 'B') fail("word boundaries (\\b, \\B) are not supported", Code::unsupported);
      if ((peek() >= '1' && peek() <= '9') || peek() == 'k')
        fail("back references are not supported", Code::unsupported);
      CharSet set;
      const auto point = escape(set);
      return exprs_.chars(point ? CharSet{{*point, *point}} : set);
    }
    const uint32_t c = character();
    return exprs_.chars({{c, c}});
  }

  ExprId group() {
    if (take("?:")) {
    } else if (peek() == '?') {
      if (peek(1) == '=' || peek(1) == '!' || (peek(1) == '<' && (peek(2) == '=' || peek(2) == '!')))
        fail("look-ahead and look-behind are not supported", Code::unsupported);
      if (!take("?<")) fail("inline flags and other extensions of groups are not supported", Code::unsupported);
      while (!done() && peek() != '>') ++at_;
      if (!take(">")) fail("the name of a group has no end");
    }
    const ExprId inner = alternatives();
    if (!take(")")) fail("expected )");
    return inner;
  }

  CharSet char_class() {
    const bool negated = take("^");
    CharSet set;
    while (!take("]")) {
      if (done()) fail("expected ] at the end of a class");
      const auto lo = class_item(set);
      if (peek() != '-' || peek(1) == ']' || at_ + 1 >= text_.size()) {
        if (lo) set.add(*lo, *lo);
        continue;
      }
      take("-");
      const auto hi = class_item(set);
      if (!lo || !hi) fail("a range needs single characters at both ends");
      if (*lo > *hi) fail("the ends of a range are in the wrong order");
      set.add(*lo, *hi);
    }
    return negated ? set.complement() : set;
  }

  // A single character, or nothing if a class such as \d was added to `set`.
  std::optional<uint32_t> class_item(CharSet& set) {
    if (!take("\\")) return character();
    if (take("b")) return 8;
    if (take("-")) return '-';
    return escape(set);
  }

  std::optional<uint32_t> escape(CharSet& set) {
    if (done()) fail("a lone \\ at the end");
    const char c = text_[at_++];
    switch (c) {
      case 'd':
        return set.add(digits()), std::nullopt;
      case 'D':
        return set.add(digits().complement()), std::nullopt;
      case 'w':
        return set.add(word_chars()), std::nullopt;
      case 'W':
        return set.add(word_chars().complement()), std::nullopt;
      case 's':
        return set.add(spaces()), std::nullopt;
      case 'S':
        return set.add(spaces().complement()), std::nullopt;
      case 'p':
      case 'P':
        return set.add(c == 'p' ? property() : property().complement()), std::nullopt;
      case 't':
        return '\t';
      case 'n':
        return '\n';
      case 'r':
        return '\r';
      case 'f':
        return '\f';
      case 'v':
        return '\v';
      case '0':
        if (peek() >= '0' && peek() <= '9') fail("octal escapes are not supported", Code::unsupported);
        return 0;
      case 'x':
        return hex(2);
      case 'u':
        return unicode_escape();
      case 'c':
        if ((peek() | 32) < 'a' || (peek() | 32) > 'z') fail("expected a letter after \\c");
        return text_[at_++] & 31;
      default:
        break;
    }
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
      --at_, fail(cat("unknown escape \\", c));
    --at_;
    return character();
  }

  CharSet property() {
    if (!take("{")) fail("expected { after \\p");
    const size_t end = text_.find('}', at_);
    if (end == std::string_view::npos) fail("expected } after a property");
    const std::string_view name = text_.substr(at_, end - at_);
    static constexpr struct {
      std::string_view name, alias;
      uint8_t mask;
    } kKnown[] = {{"L", "Letter", unicode::L},
                  {"M", "Mark", unicode::M},
                  {"N", "Number", unicode::N},
                  {"P", "Punctuation", unicode::P},
                  {"S", "Symbol", unicode::S}};
    for (const auto& known : kKnown)
      if (name == known.name || name == known.alias) {
        at_ = end + 1;
        exprs_.budget().steps(20'000);
        return category(known.mask);
      }
    if (name == "digit" || name == "Nd")
      fail("the property Nd is not supported: write [0-9] or \\p{N}", Code::unsupported);
    fail(cat("property ", quote(name), " is not supported (L, M, N, P and S are)"), Code::unsupported);
  }

  uint32_t hex(int digits_wanted) {
    uint32_t value = 0;
    for (int i = 0; i < digits_wanted; ++i) value = 16 * value + hex_digit();
    return value;
  }
  uint32_t hex_digit() {
    const char c = peek();
    ++at_;
    if (c >= '0' && c <= '9') return c - '0';
    if ((c | 32) >= 'a' && (c | 32) <= 'f') return (c | 32) - 'a' + 10;
    --at_;
    fail("expected a hexadecimal digit");
  }
  uint32_t unicode_escape() {
    uint32_t point = 0;
    if (take("{")) {
      while (!take("}"))
        if ((point = 16 * point + hex_digit()) > 0x10ffff) fail("a code point over 10ffff");
    } else {
      point = hex(4);
      if (point >= 0xd800 && point < 0xdc00 && take("\\u")) {
        const uint32_t low = hex(4);
        if (low < 0xdc00 || low > 0xdfff) fail("a surrogate without its partner");
        point = 0x10000 + ((point - 0xd800) << 10 | (low - 0xdc00));
      }
    }
    if (point >= 0xd800 && point <= 0xdfff) fail("a surrogate without its partner");
    return point;
  }
  uint32_t character() {
    const auto c = unicode::decode(text_.data() + at_, text_.data() + text_.size());
    if (!c.valid) fail("bytes that are not UTF-8");
    at_ += c.length;
    return c.point;
  }

  Exprs& exprs_;
  std::string_view text_;
  size_t at_ = 0;
  int depth_left_;
};

}  // namespace

ExprId parse_pattern(Exprs& exprs, std::string_view pattern, int depth) {
  return Parser(exprs, pattern, depth).parse();
}

Nfa pattern_dfa(std::string_view pattern, bool search, Budget& budget) {
  Exprs exprs(budget);
  ExprId all = parse_pattern(exprs, pattern);
  if (search) {
    const ExprId any = exprs.repeat(exprs.chars(CharSet{}.complement()), 0, -1);
    all = exprs.sequence({any, all, any});
  }
  return exprs.to_dfa(all);
}

}  // namespace jevons::grammar
