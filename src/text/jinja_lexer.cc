#include "text/jinja_lexer.h"

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "text/jinja_text.h"

namespace jevons::jinja {
namespace {

using Kind = Token::Kind;

bool digit(char c) { return c >= '0' && c <= '9'; }
bool hex(char c) { return digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

std::string normalized(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      out += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      out += source[i];
    }
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(normalized(source)), text_(source_) {}

  std::vector<Token> run() {
    while (at_ < text_.size()) root();
    push(Kind::end, "");
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(Code::invalid, cat("line ", line_at(at_), ": ", what));
  }

  int line_at(size_t at) const {  // errors only
    return 1 + static_cast<int>(std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
  }

  bool starts(std::string_view prefix) const { return text_.substr(at_).starts_with(prefix); }

  void push(Kind kind, std::string value) { tokens_.push_back({kind, std::move(value), line_}); }

  void advance(size_t bytes) {
    for (size_t i = 0; i < bytes; ++i) line_ += text_[at_ + i] == '\n';
    at_ += bytes;
  }

  void skip_space() {
    while (at_ < text_.size()) {
      const size_t bytes = code_point_bytes(text_, at_);
      if (!is_space(decode_utf8(text_.substr(at_, bytes))[0])) break;
      advance(bytes);
    }
  }

  // The text up to the next tag, and the tag.
  void root() {
    size_t tag = at_;
    while (true) {
      tag = text_.find('{', tag);
      if (tag == text_.npos) break;
      const char next = tag + 1 < text_.size() ? text_[tag + 1] : ' ';
      if (next == '{' || next == '%' || next == '#') break;
      ++tag;
    }
    if (tag == text_.npos) {
      push(Kind::data, std::string(text_.substr(at_)));
      at_ = text_.size();
      return;
    }
    const char type = text_[tag + 1];
    const char control = tag + 2 < text_.size() ? text_[tag + 2] : ' ';
    emit_data(tag, control, type != '{');
    advance(tag - at_ + 2 + (control == '-' || control == '+'));
    if (type == '#')
      comment();
    else if (type == '{')
      inside(Kind::print_begin, Kind::print_end);
    else if (!raw())
      inside(Kind::block_begin, Kind::block_end);
  }

  // Emits the text before a tag at `end`, stripped as the tag's sign or lstrip_blocks says.
  void emit_data(size_t end, char control, bool lstrip) {
    std::string_view data = text_.substr(at_, end - at_);
    if (control == '-') {
      data = strip(data, {}, false, true);
    } else if (control != '+' && lstrip) {
      const size_t line = data.rfind('\n') + 1;  // npos + 1 is 0
      if ((line > 0 || line_starting_) && strip(data.substr(line), {}, true, false).empty())
        data = data.substr(0, line);
    }
    if (!data.empty()) push(Kind::data, std::string(data));
  }

  // The end of a tag at at_: "-%}" takes the white space after it, "%}" one newline if `trim`, "+%}" nothing.
  bool close(std::string_view mark, bool trim) {
    const bool minus = starts(cat("-", mark));
    const bool plus = trim && starts(cat("+", mark));
    if (!minus && !plus && !starts(mark)) return false;
    const size_t begin = at_;
    advance(mark.size() + (minus || plus));
    if (minus)
      skip_space();
    else if (trim && !plus && starts("\n"))
      advance(1);
    line_starting_ = at_ > begin && text_[at_ - 1] == '\n';
    return true;
  }

  void comment() {
    const size_t begin = at_;
    for (; at_ < text_.size(); advance(1))
      if (close("#}", true)) return;
    at_ = begin;
    fail("this comment is never closed; expected \"#}\"");
  }

  // {% raw %} ... {% endraw %}: text as it is. False if this block is something else.
  bool raw() {
    const size_t begin = at_;
    const int begin_line = line_;
    skip_space();
    if (starts("raw")) {
      advance(3);
      skip_space();
      if (starts("-%}") || starts("%}")) {
        const bool minus = starts("-");
        advance(2 + minus);
        if (minus) skip_space();
        line_starting_ = text_[at_ - 1] == '\n';
        raw_body();
        return true;
      }
    }
    at_ = begin;
    line_ = begin_line;
    return false;
  }

  void raw_body() {
    const size_t body = at_;
    for (size_t tag = text_.find("{%", body); tag != text_.npos; tag = text_.find("{%", tag + 1)) {
      const char control = tag + 2 < text_.size() ? text_[tag + 2] : ' ';
      size_t name = tag + 2 + (control == '-' || control == '+');
      while (name < text_.size() && (text_[name] == ' ' || text_[name] == '\n' || text_[name] == '\t')) ++name;
      if (!text_.substr(name).starts_with("endraw")) continue;
      at_ = body;
      emit_data(tag, control, true);
      advance(name + 6 - at_);
      skip_space();
      if (close("%}", true)) return;
      at_ = body;
    }
    fail("this raw block is never closed; expected {% endraw %}");
  }

  // The tokens of a {{ }} or {% %} tag.
  void inside(Kind begin, Kind end) {
    const std::string_view mark = begin == Kind::print_begin ? "}}" : "%}";
    const size_t opened = at_;
    push(begin, "");
    std::string open;  // the closing brackets that are due
    while (true) {
      if (open.empty() && close(mark, end == Kind::block_end)) return push(end, "");
      skip_space();
      if (open.empty() && close(mark, end == Kind::block_end)) return push(end, "");
      if (at_ >= text_.size()) {
        at_ = opened;
        fail(cat("this tag is never closed; expected ", quote(mark)));
      }
      const char c = text_[at_];
      if (digit(c))
        number();
      else if (c == '\'' || c == '"')
        string();
      else if (name_start(c) || static_cast<unsigned char>(c) >= 0x80)
        name();
      else
        op(open);
    }
  }

  void name() {
    const size_t begin = at_;
    while (at_ < text_.size() &&
           (name_start(text_[at_]) || digit(text_[at_]) || static_cast<unsigned char>(text_[at_]) >= 0x80))
      ++at_;
    const std::string_view found = text_.substr(begin, at_ - begin);
    if (std::any_of(found.begin(), found.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; })) {
      at_ = begin;
      fail(cat("the name ", quote(found), " is not ASCII; names are letters, digits and \"_\""));
    }
    push(Kind::name, std::string(found));
  }

  void digits(std::string& out, bool (*is)(char)) {
    while (at_ < text_.size() &&
           (is(text_[at_]) || (text_[at_] == '_' && at_ + 1 < text_.size() && is(text_[at_ + 1])))) {
      if (text_[at_] != '_') out += text_[at_];
      ++at_;
    }
  }

  void number() {
    std::string out;
    if (starts("0x") || starts("0X") || starts("0b") || starts("0B") || starts("0o") || starts("0O")) {
      out = text_.substr(at_, 2);
      at_ += 2;
      digits(out, out[1] == 'x' || out[1] == 'X' ? hex : digit);
      return push(Kind::integer, std::move(out));
    }
    bool real = false;
    digits(out, digit);
    // "a.0.1" indexes twice: a number after a dot has no fraction
    const bool after_dot = !tokens_.empty() && tokens_.back().kind == Kind::op && tokens_.back().value == ".";
    if (!after_dot && at_ + 1 < text_.size() && text_[at_] == '.' && digit(text_[at_ + 1])) {
      real = true;
      out += '.';
      ++at_;
      digits(out, digit);
    }
    if (!after_dot && at_ < text_.size() && (text_[at_] == 'e' || text_[at_] == 'E')) {
      const size_t sign = at_ + 1 < text_.size() && (text_[at_ + 1] == '+' || text_[at_ + 1] == '-');
      if (at_ + 1 + sign < text_.size() && digit(text_[at_ + 1 + sign])) {
        real = true;
        out += text_.substr(at_, 1 + sign);
        at_ += 1 + sign;
        digits(out, digit);
      }
    }
    push(real ? Kind::real : Kind::integer, std::move(out));
  }

  void string() {
    const char quote_mark = text_[at_];
    const size_t begin = at_;
    const int begin_line = line_;
    std::string out;
    for (advance(1); at_ < text_.size() && text_[at_] != quote_mark;) {
      if (text_[at_] == '\\') {
        escape(out);
      } else {
        out += text_[at_];
        advance(1);
      }
    }
    if (at_ >= text_.size()) {
      at_ = begin;
      fail("this string is never closed");
    }
    advance(1);
    tokens_.push_back({Kind::text, std::move(out), begin_line});
  }

  // A backslash sequence of a Python string; an unknown one stays as it is.
  void escape(std::string& out) {
    const char c = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
    constexpr std::string_view letters = "abfnrtv\\'\"\n";
    constexpr std::string_view values{"\a\b\f\n\r\t\v\\'\"", 10};
    const size_t known = letters.find(c);
    if (c == 'x') return code(out, 2);
    if (c == 'u') return code(out, 4);
    if (c == 'U') return code(out, 8);
    if (c == 'N') fail("the escape \\N{...} is not part of this Jinja subset; write the character itself");
    if (c >= '0' && c <= '7') {
      ++at_;
      char32_t value = 0;
      for (int i = 0; i < 3 && at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '7'; ++i, ++at_)
        value = value * 8 + static_cast<char32_t>(text_[at_] - '0');
      return append_utf8(out, value);
    }
    if (known == letters.npos || c == '\0') {
      out += '\\';
      advance(1);
      return;
    }
    if (known < values.size()) out += values[known];
    advance(2);
  }

  void code(std::string& out, size_t count) {
    const std::string_view body = text_.substr(std::min(at_ + 2, text_.size())).substr(0, count);
    if (body.size() != count || !std::all_of(body.begin(), body.end(), hex))
      fail(cat("a \\", std::string(1, text_[at_ + 1]), " escape needs ", count, " hexadecimal digits"));
    char32_t value = 0;
    for (char c : body) value = value * 16 + static_cast<char32_t>(digit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
    if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) fail("this escape is no Unicode character");
    append_utf8(out, value);
    at_ += 2 + count;
  }

  void op(std::string& open) {
    for (std::string_view two : {"//", "**", "==", "!=", ">=", "<="})
      if (starts(two)) {
        at_ += 2;
        return push(Kind::op, std::string(two));
      }
    const char c = text_[at_];
    if (std::string_view("+-*/%~()[]{}<>=.:|,").find(c) == std::string_view::npos)
      fail(cat("unexpected character ", quote(text_.substr(at_, 1)), " in a tag"));
    if (c == '(' || c == '[' || c == '{') open += c == '(' ? ')' : c == '[' ? ']' : '}';
    if (c == ')' || c == ']' || c == '}') {
      if (open.empty() || open.back() != c)
        fail(cat("unexpected ", quote(std::string(1, c)),
                 open.empty() ? std::string() : cat(", expected ", quote(std::string(1, open.back())))));
      open.pop_back();
    }
    ++at_;
    push(Kind::op, std::string(1, c));
  }

  std::string source_;
  std::string_view text_;
  size_t at_ = 0;
  int line_ = 1;
  bool line_starting_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> lex(std::string_view source) { return Lexer(source).run(); }

}  // namespace jevons::jinja
