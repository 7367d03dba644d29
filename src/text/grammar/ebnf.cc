// The EBNF notation of llama.cpp's grammars: rules `name ::= alternatives`, "literals", [classes], ., ( ), | * + ?
// {m,n}, # comments. A rule ends where a line begins another one. The rule `root` is the whole text.
#include <algorithm>
#include <map>

#include "base/strings.h"
#include "text/grammar/automaton.h"
#include "text/grammar/grammar.h"
#include "text/unicode.h"

namespace jevons::grammar {
namespace {

constexpr int64_t kMaxRepeat = 100'000;

class EbnfParser {
 public:
  EbnfParser(Exprs& exprs, std::string_view text, int depth) : x_(exprs), text_(text), depth_left_(depth) {}

  RuleId parse() {
    skip(true);
    while (!done()) {
      const std::string name = rule_name();
      skip(false);
      if (!take("::=")) fail(cat("expected ::= after the rule name ", quote(name)));
      skip(true);
      const RuleId id = rule(name);
      if (x_.defined(id)) fail(cat("rule ", quote(name), " is defined twice"));
      x_.define(id, alternatives(false));
      skip(true);
    }
    const auto root = rules_.find("root");
    if (root == rules_.end()) fail("there is no rule named root, which stands for the whole text");
    return root->second;
  }

 private:
  [[noreturn]] void fail(std::string_view what, Code code = Code::invalid) const {
    const size_t at = std::min(at_, text_.size());
    const auto line = 1 + std::count(text_.begin(), text_.begin() + static_cast<int64_t>(at), '\n');
    throw Error(code, cat("grammar line ", line, " (offset ", at, "): ", what));
  }
  bool done() const { return at_ >= text_.size(); }
  char peek() const { return done() ? '\0' : text_[at_]; }
  bool take(std::string_view token) {
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  void skip(bool lines) {
    while (!done()) {
      if (peek() == '#') {
        while (!done() && peek() != '\n') ++at_;
      } else if (peek() == ' ' || peek() == '\t' || (lines && (peek() == '\n' || peek() == '\r'))) {
        ++at_;
      } else {
        return;
      }
    }
  }
  static bool name_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  }
  std::string rule_name() {
    const size_t begin = at_;
    while (name_char(peek())) ++at_;
    if (at_ == begin) fail(cat("expected a rule name, found ", quote(text_.substr(at_, 1))));
    return std::string(text_.substr(begin, at_ - begin));
  }
  RuleId rule(const std::string& name) {
    const auto known = rules_.find(name);
    return known != rules_.end() ? known->second : rules_.emplace(name, x_.declare(name)).first->second;
  }

  ExprId alternatives(bool nested) {
    if (depth_left_-- == 0) fail("groups are nested too deeply", Code::too_large);
    std::vector<ExprId> options{sequence(nested)};
    for (skip(nested); take("|"); skip(nested)) {
      skip(true);
      options.push_back(sequence(nested));
    }
    ++depth_left_;
    return x_.choice(std::move(options));
  }

  ExprId sequence(bool nested) {
    std::vector<ExprId> parts;
    for (skip(nested); !done() && peek() != '|' && peek() != ')' && peek() != '\n' && peek() != '\r'; skip(nested)) {
      ExprId what = atom();
      for (int64_t min = 0, max = 0; quantifier(min, max);) what = x_.repeat(what, min, max);
      parts.push_back(what);
    }
    return x_.sequence(std::move(parts));
  }

  bool quantifier(int64_t& min, int64_t& max) {
    if (take("*")) return min = 0, max = -1, true;
    if (take("+")) return min = 1, max = -1, true;
    if (take("?")) return min = 0, max = 1, true;
    if (!take("{")) return false;
    skip(true);
    min = max = number();
    skip(true);
    if (take(",")) {
      skip(true);
      max = peek() == '}' ? -1 : number();
      skip(true);
    }
    if (!take("}")) fail("expected } after a repeat count");
    if (max >= 0 && max < min) fail("the repeat counts are in the wrong order");
    return true;
  }
  int64_t number() {
    if (peek() < '0' || peek() > '9') fail("expected a repeat count");
    int64_t value = 0;
    for (; peek() >= '0' && peek() <= '9'; ++at_)
      if ((value = 10 * value + (peek() - '0')) > kMaxRepeat)
        fail(cat("a repeat count over ", kMaxRepeat), Code::too_large);
    return value;
  }

  ExprId atom() {
    if (take("(")) {
      const ExprId inner = alternatives(true);
      if (!take(")")) fail("expected )");
      return inner;
    }
    if (take("\"")) {
      std::string text;
      while (!take("\"")) {
        if (done() || peek() == '\n') fail("a literal has no closing \"");
        unicode::append_utf8(text, character());
      }
      return x_.literal(std::move(text));
    }
    if (take("[")) return x_.chars(char_class());
    if (take(".")) return x_.chars(CharSet{}.complement());
    return x_.rule(rule(rule_name()));
  }

  CharSet char_class() {
    const bool negated = take("^");
    CharSet set;
    while (!take("]")) {
      if (done()) fail("expected ] at the end of a class");
      const uint32_t lo = character();
      uint32_t hi = lo;
      if (peek() == '-' && at_ + 1 < text_.size() && text_[at_ + 1] != ']') {
        ++at_;
        hi = character();
      }
      if (hi < lo) fail("the ends of a range are in the wrong order");
      set.add(lo, hi);
    }
    return negated ? set.complement() : set;
  }

  uint32_t character() {
    if (done()) fail("unexpected end");
    if (!take("\\")) {
      const auto c = unicode::decode(text_.data() + at_, text_.data() + text_.size());
      if (!c.valid) fail("bytes that are not UTF-8");
      at_ += c.length;
      return c.point;
    }
    const char c = peek();
    ++at_;
    if (c == 'n') return '\n';
    if (c == 'r') return '\r';
    if (c == 't') return '\t';
    if (c == 'x') return hex(2);
    if (c == 'u') return hex(4);
    if (c == 'U') return hex(8);
    if (c == '"' || c == '\\' || c == '[' || c == ']' || c == '-' || c == '^') return static_cast<uint32_t>(c);
    --at_;
    fail(cat("unknown escape \\", done() ? "" : std::string(1, c)));
  }
  uint32_t hex(int digits) {
    uint32_t value = 0;
    for (int i = 0; i < digits; ++i, ++at_) {
      const char c = peek(), low = static_cast<char>(c | 32);
      if (!((c >= '0' && c <= '9') || (low >= 'a' && low <= 'f'))) fail("expected a hexadecimal digit");
      value = 16 * value + static_cast<uint32_t>(c <= '9' ? c - '0' : low - 'a' + 10);
    }
    if (value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) fail("this is no code point");
    return value;
  }

  Exprs& x_;
  std::string_view text_;
  size_t at_ = 0;
  int depth_left_;
  std::map<std::string, RuleId> rules_;
};

}  // namespace
}  // namespace jevons::grammar

namespace jevons {

Result<GrammarPtr> Grammar::from_ebnf(std::string_view text, const GrammarLimits& limits) {
  if (text.size() > limits.input_bytes)
    return Error(Code::too_large,
                 cat("the grammar has ", text.size(), " bytes; at most ", limits.input_bytes, " are read"));
  try {
    grammar::Budget budget(limits.states, limits.steps);
    grammar::Exprs exprs(budget);
    const auto root = grammar::EbnfParser(exprs, text, limits.depth).parse();
    return std::make_shared<const Grammar>(grammar::compile_rules(exprs), root, std::vector<std::string>{});
  } catch (const Error& error) {
    return error;
  }
}

}  // namespace jevons
