#include "text/jinja_parser.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <initializer_list>

#include "base/strings.h"
#include "text/jinja_lexer.h"

namespace jevons::jinja {
namespace {

using Kind = Token::Kind;
using Names = std::initializer_list<std::string_view>;

class Parser {
 public:
  Parser(std::string_view source, int max_depth) : tokens_(lex(source)), max_depth_(max_depth) {}

  Body run() {
    Body body = statements({});
    return body;
  }

 private:
  // Counts how deep expressions and blocks are nested.
  struct Depth {
    explicit Depth(Parser& parser) : parser_(parser) {
      if (++parser.depth_ > parser.max_depth_)
        throw Error(Code::too_large, cat("line ", parser.now().line, ": nested deeper than the limit of ",
                                         parser.max_depth_, " levels"));
    }
    ~Depth() { --parser_.depth_; }
    Parser& parser_;
  };

  const Token& now() const { return tokens_[at_]; }
  const Token& take() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
  bool is(Kind kind) const { return now().kind == kind; }
  bool is_op(std::string_view op) const { return is(Kind::op) && now().value == op; }
  bool is_name(std::string_view name) const { return is(Kind::name) && now().value == name; }
  bool skip_op(std::string_view op) { return is_op(op) && (take(), true); }
  bool skip_name(std::string_view name) { return is_name(name) && (take(), true); }

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(Code::invalid, cat("line ", now().line, ": ", what));
  }
  [[noreturn]] void expected(std::string_view what) const { fail(cat("expected ", what, ", found ", describe())); }
  [[noreturn]] void unsupported(const std::string& what) const {
    throw Error(Code::unsupported, cat("line ", now().line, ": ", what, " is not part of this Jinja subset"));
  }
  std::string describe() const {
    switch (now().kind) {
      case Kind::data:
        return "text";
      case Kind::print_begin:
        return "\"{{\"";
      case Kind::print_end:
        return "\"}}\"";
      case Kind::block_begin:
        return "\"{%\"";
      case Kind::block_end:
        return "\"%}\"";
      case Kind::end:
        return "the end of the template";
      default:
        return quote(now().value);
    }
  }
  void expect_op(std::string_view op) {
    if (!skip_op(op)) expected(quote(op));
  }
  void expect_name(std::string_view name) {
    if (!skip_name(name)) expected(quote(name));
  }
  std::string identifier() {
    if (!is(Kind::name)) expected("a name");
    return take().value;
  }
  void block_end() {
    if (!is(Kind::block_end)) expected("\"%}\"");
    take();
  }
  ExprPtr node(Expr::Kind kind, std::string name = {}) const {
    return std::make_unique<Expr>(Expr{.kind = kind, .line = now().line, .name = std::move(name)});
  }
  static ExprPtr with(ExprPtr node, ExprPtr a, ExprPtr b = nullptr) {
    node->args.push_back(std::move(a));
    if (b) node->args.push_back(std::move(b));
    return node;
  }

  // ---- statements ----

  // Statements up to a block that starts with one of `ends`; that name is left as the current token. Without `ends`, up
  // to the end of the template.
  Body statements(Names ends) {
    Depth depth(*this);
    Body body;
    while (true) {
      const int line = now().line;
      if (is(Kind::data)) {
        body.push_back({.kind = Stmt::Kind::text, .line = line, .name = take().value});
      } else if (is(Kind::print_begin)) {
        take();
        body.push_back({.kind = Stmt::Kind::print, .line = line, .expr = tuple(true, {})});
        if (!is(Kind::print_end)) expected("\"}}\"");
        take();
      } else if (is(Kind::block_begin)) {
        take();
        if (!is(Kind::name)) expected("the name of a tag");
        if (std::find(ends.begin(), ends.end(), now().value) != ends.end()) return body;
        body.push_back(statement());
      } else if (ends.size() == 0) {
        return body;
      } else {
        expected(cat("{% ", *(ends.end() - 1), " %}"));
      }
    }
  }

  Body body_until(Names ends) {
    block_end();
    return statements(ends);
  }
  // A body and its end tag.
  Body closed_body(std::string_view end) {
    Body body = body_until({end});
    take();
    block_end();
    return body;
  }

  Stmt statement() {
    const int line = now().line;
    const std::string tag = now().value;
    if (tag == "if") return condition();
    if (tag == "for") return loop();
    if (tag == "set") return set();
    if (tag == "macro") return macro();
    if (tag == "with") return with_scope();
    if (tag == "generation") {
      take();
      Stmt stmt{.kind = Stmt::Kind::scope, .line = line};
      stmt.body = closed_body("endgeneration");
      return stmt;
    }
    if (tag == "filter") {
      take();
      Stmt stmt{.kind = Stmt::Kind::filter_block, .line = line};
      stmt.expr = filters(nullptr, true);
      stmt.body = closed_body("endfilter");
      return stmt;
    }
    if (tag == "break" || tag == "continue") {
      if (loops_ == 0) fail(cat("{% ", tag, " %} stands outside of a for loop"));
      take();
      block_end();
      return {.kind = tag == "break" ? Stmt::Kind::leave : Stmt::Kind::next, .line = line};
    }
    for (std::string_view known :
         {"block", "extends", "include", "import", "from", "call", "autoescape", "do", "print", "trans", "debug"})
      if (tag == known) unsupported(cat("the tag {% ", tag, " %}"));
    fail(cat("unknown tag ", quote(tag)));
  }

  Stmt condition() {
    Depth depth(*this);
    Stmt stmt{.kind = Stmt::Kind::condition, .line = now().line};
    take();
    stmt.expr = tuple(false, {});
    stmt.body = body_until({"elif", "else", "endif"});
    if (is_name("elif")) {
      stmt.other.push_back(condition());
      return stmt;
    }
    if (skip_name("else")) stmt.other = body_until({"endif"});
    take();
    block_end();
    return stmt;
  }

  Stmt loop() {
    Stmt stmt{.kind = Stmt::Kind::loop, .line = now().line};
    take();
    stmt.target = target(false);
    if (stmt.target->name == "loop") fail("the variable of a loop cannot be \"loop\"");
    expect_name("in");
    stmt.expr = tuple(false, "recursive");
    if (skip_name("if")) stmt.filter = expression();
    if (is_name("recursive")) unsupported("a recursive loop");
    ++loops_;
    stmt.body = body_until({"else", "endfor"});
    --loops_;
    if (skip_name("else")) stmt.other = body_until({"endfor"});
    take();
    block_end();
    return stmt;
  }

  Stmt set() {
    Stmt stmt{.kind = Stmt::Kind::set, .line = now().line};
    take();
    stmt.target = target(true);
    if (skip_op("=")) {
      stmt.expr = tuple(true, {});
      block_end();
      return stmt;
    }
    stmt.kind = Stmt::Kind::set_block;
    if (is_op("|")) stmt.expr = filters(nullptr, false);
    stmt.body = closed_body("endset");
    return stmt;
  }

  Stmt macro() {
    Stmt stmt{.kind = Stmt::Kind::macro, .line = now().line};
    take();
    stmt.name = identifier();
    expect_op("(");
    while (!is_op(")")) {
      if (!stmt.targets.empty()) expect_op(",");
      auto parameter = node(Expr::Kind::name);
      parameter->name = assignable(identifier());
      stmt.targets.push_back(std::move(parameter));
      if (skip_op("="))
        stmt.defaults.push_back(expression());
      else if (!stmt.defaults.empty())
        fail("a parameter without default follows one with a default");
    }
    take();
    const int loops = std::exchange(loops_, 0);
    stmt.body = closed_body("endmacro");
    loops_ = loops;
    return stmt;
  }

  Stmt with_scope() {
    Stmt stmt{.kind = Stmt::Kind::scope, .line = now().line};
    take();
    while (!is(Kind::block_end)) {
      if (!stmt.targets.empty()) expect_op(",");
      stmt.targets.push_back(target(false));
      expect_op("=");
      stmt.defaults.push_back(expression());
    }
    stmt.body = closed_body("endwith");
    return stmt;
  }

  std::string assignable(std::string name) const {
    for (std::string_view constant : {"true", "false", "none", "True", "False", "None"})
      if (name == constant) fail(cat("cannot assign to ", quote(name)));
    return name;
  }

  // What a value may be assigned to: a name, names with commas, or (in set) an attribute of a namespace.
  ExprPtr target(bool with_namespace) {
    Depth depth(*this);
    std::vector<ExprPtr> parts;
    bool many = false;
    do {
      if (!parts.empty() && ((!is(Kind::name) && !is_op("(")) || is_name("in"))) break;  // a trailing comma
      if (skip_op("(")) {
        parts.push_back(target(with_namespace));
        expect_op(")");
        continue;
      }
      auto name = node(Expr::Kind::name);
      name->name = assignable(identifier());
      if (with_namespace && skip_op(".")) name = with(node(Expr::Kind::attribute, identifier()), std::move(name));
      parts.push_back(std::move(name));
    } while (skip_op(",") && (many = true));
    if (!many) return std::move(parts[0]);
    auto tuple = node(Expr::Kind::tuple);
    tuple->args = std::move(parts);
    return tuple;
  }

  // ---- expressions ----

  ExprPtr expression() { return conditional(); }

  // An expression, or several with commas between them.
  ExprPtr tuple(bool with_conditional, std::string_view end_name, bool parentheses = false) {
    Depth depth(*this);
    const auto at_end = [&] {
      return is(Kind::print_end) || is(Kind::block_end) || is_op(")") || (!end_name.empty() && is_name(end_name));
    };
    std::vector<ExprPtr> parts;
    bool many = false;
    while (!at_end()) {
      parts.push_back(with_conditional ? conditional() : logic_or());
      if (!skip_op(",")) break;
      many = true;
    }
    if (!many && !parts.empty()) return std::move(parts[0]);
    if (!many && !parentheses) expected("an expression");
    auto out = node(Expr::Kind::tuple);
    out->args = std::move(parts);
    return out;
  }

  ExprPtr conditional() {
    Depth depth(*this);
    const int links = links_;
    ExprPtr left = logic_or();
    while (skip_name("if")) {
      auto out = with(node(Expr::Kind::conditional), std::move(left), logic_or());
      out->args.push_back(skip_name("else") ? conditional() : nullptr);
      left = std::move(out);
      chain();
    }
    links_ = links;
    return left;
  }

  // A left-leaning chain (a + b + c ...) is as deep as it is long.
  void chain() {
    if (++links_ > kMaxLinks)
      throw Error(Code::too_large, cat("line ", now().line, ": more than ", kMaxLinks, " operators in one expression"));
  }

  template <class Operand, class Match>
  ExprPtr left_chain(Operand operand, Match match) {
    const int links = links_;
    ExprPtr left = operand();
    while (auto out = match()) {
      left = with(std::move(out), std::move(left), operand());
      chain();
    }
    links_ = links;
    return left;
  }

  ExprPtr logic_or() {
    return left_chain([&] { return logic_and(); },
                      [&]() -> ExprPtr { return skip_name("or") ? node(Expr::Kind::logic_or) : nullptr; });
  }

  ExprPtr logic_and() {
    return left_chain([&] { return logic_not(); },
                      [&]() -> ExprPtr { return skip_name("and") ? node(Expr::Kind::logic_and) : nullptr; });
  }

  ExprPtr logic_not() {
    Depth depth(*this);
    if (skip_name("not")) return with(node(Expr::Kind::logic_not), logic_not());
    return comparison();
  }

  std::string comparison_operator() {
    for (std::string_view op : {"==", "!=", "<", "<=", ">", ">="})
      if (skip_op(op)) return std::string(op);
    if (skip_name("in")) return "in";
    if (is_name("not") && tokens_[at_ + 1].kind == Kind::name && tokens_[at_ + 1].value == "in")
      return take(), take(), "not in";
    return {};
  }

  ExprPtr comparison() {
    ExprPtr first = sum();
    std::string op = comparison_operator();
    if (op.empty()) return first;
    auto out = with(node(Expr::Kind::compare), std::move(first));
    for (; !op.empty(); op = comparison_operator()) {
      out->ops.push_back(std::move(op));
      out->args.push_back(sum());
    }
    return out;
  }

  ExprPtr binary(Names ops) {
    for (std::string_view op : ops)
      if (skip_op(op)) return node(Expr::Kind::binary, std::string(op));
    return nullptr;
  }

  ExprPtr sum() {
    return left_chain([&] { return concat(); }, [&] { return binary({"+", "-"}); });
  }

  ExprPtr concat() {
    ExprPtr first = product();
    if (!is_op("~")) return first;
    auto out = with(node(Expr::Kind::concat), std::move(first));
    while (skip_op("~")) out->args.push_back(product());
    return out;
  }

  ExprPtr product() {
    return left_chain([&] { return power(); }, [&] { return binary({"*", "/", "//", "%"}); });
  }

  ExprPtr power() {
    return left_chain([&] { return unary(true); }, [&] { return binary({"**"}); });
  }

  ExprPtr unary(bool with_filters) {
    Depth depth(*this);
    ExprPtr out;
    if (is_op("-") || is_op("+")) {
      auto sign = node(Expr::Kind::unary, take().value);
      out = with(std::move(sign), unary(false));
    } else {
      out = primary();
    }
    const int links = links_;
    out = postfix(std::move(out));
    if (with_filters) out = filters(std::move(out), false);
    links_ = links;
    return out;
  }

  ExprPtr literal(Value value) const {
    auto out = node(Expr::Kind::literal);
    out->value = std::move(value);
    return out;
  }

  ExprPtr primary() {
    if (is(Kind::name)) {
      const std::string& name = now().value;
      ExprPtr out;
      if (name == "true" || name == "True")
        out = literal(true);
      else if (name == "false" || name == "False")
        out = literal(false);
      else if (name == "none" || name == "None")
        out = literal(None{});
      else
        out = node(Expr::Kind::name, name);
      take();
      return out;
    }
    if (is(Kind::text)) {
      std::string text;
      while (is(Kind::text)) text += take().value;
      return literal(std::move(text));
    }
    if (is(Kind::integer)) return literal(integer());
    if (is(Kind::real)) return literal(std::strtod(take().value.c_str(), nullptr));
    if (skip_op("(")) {
      ExprPtr out = tuple(true, {}, true);
      expect_op(")");
      return out;
    }
    if (skip_op("[")) {
      auto out = node(Expr::Kind::list);
      while (!is_op("]")) {
        if (!out->args.empty()) expect_op(",");
        if (is_op("]")) break;
        out->args.push_back(expression());
      }
      take();
      return out;
    }
    if (skip_op("{")) {
      auto out = node(Expr::Kind::dict);
      while (!is_op("}")) {
        if (!out->args.empty()) expect_op(",");
        if (is_op("}")) break;
        out->args.push_back(expression());
        expect_op(":");
        out->args.push_back(expression());
      }
      take();
      return out;
    }
    expected("an expression");
  }

  int64_t integer() {
    const std::string& digits = now().value;
    const int base = digits.size() < 2 || digits[0] != '0' ? 10
                     : (digits[1] | 0x20) == 'x'           ? 16
                     : (digits[1] | 0x20) == 'o'           ? 8
                     : (digits[1] | 0x20) == 'b'           ? 2
                                                           : 10;
    const char* begin = digits.data() + (base == 10 ? 0 : 2);
    const char* end = digits.data() + digits.size();
    int64_t value = 0;
    const auto [stop, error] = std::from_chars(begin, end, value, base);
    if (error == std::errc::result_out_of_range) fail(cat("the integer ", quote(digits), " needs more than 64 bits"));
    if (error != std::errc() || stop != end || (base == 10 && digits.size() > 1 && digits[0] == '0' && value != 0))
      fail(cat("not a number: ", quote(digits)));
    take();
    return value;
  }

  ExprPtr postfix(ExprPtr out) {
    while (true) {
      chain();
      if (skip_op(".")) {
        if (is(Kind::integer)) {
          auto item = node(Expr::Kind::item);
          ExprPtr index = literal(integer());
          out = with(std::move(item), std::move(out), std::move(index));
        } else {
          out = with(node(Expr::Kind::attribute, identifier()), std::move(out));
        }
      } else if (skip_op("[")) {
        out = subscript(std::move(out));
      } else if (is_op("(")) {
        auto call = with(node(Expr::Kind::call), std::move(out));
        arguments(*call);
        out = std::move(call);
      } else {
        return out;
      }
    }
  }

  ExprPtr subscript(ExprPtr of) {
    ExprPtr parts[3];
    auto slice = node(Expr::Kind::slice);
    bool is_slice = false;
    for (int i = 0; i < 3; ++i) {
      if (!is_op(":") && !is_op("]") && !is_op(",")) parts[i] = expression();
      if (i == 2 || !skip_op(":")) break;
      is_slice = true;
    }
    if (is_op(",")) unsupported("an index with commas");
    if (!is_slice && !parts[0]) expected("an index");
    expect_op("]");
    if (!is_slice) {
      slice->kind = Expr::Kind::item;
      return with(std::move(slice), std::move(of), std::move(parts[0]));
    }
    slice->args.push_back(std::move(of));
    for (ExprPtr& part : parts) slice->args.push_back(std::move(part));
    return slice;
  }

  void arguments(Expr& call) {
    expect_op("(");
    bool first = true;
    while (!is_op(")")) {
      if (!std::exchange(first, false)) {
        expect_op(",");
        if (is_op(")")) break;
      }
      if (is_op("*") || is_op("**")) unsupported("unpacking arguments with \"*\"");
      const Token& next = tokens_[std::min(at_ + 1, tokens_.size() - 1)];
      if (is(Kind::name) && next.kind == Kind::op && next.value == "=") {
        std::string name = take().value;
        take();
        call.kwargs.emplace_back(std::move(name), expression());
      } else {
        if (!call.kwargs.empty()) fail("a positional argument follows a named one");
        call.args.push_back(expression());
      }
    }
    take();
  }

  std::string dotted_name() {
    std::string name = identifier();
    while (skip_op(".")) name += "." + identifier();
    return name;
  }

  // Filters, tests and calls after an operand. Without operand (filter and set blocks) filters only; `bare`: the first
  // one has no "|".
  ExprPtr filters(ExprPtr out, bool bare) {
    const bool operand = out != nullptr;
    while (true) {
      chain();
      if (bare || skip_op("|")) {
        bare = false;
        auto filter = node(Expr::Kind::filter);
        filter->args.push_back(std::move(out));
        filter->name = dotted_name();
        if (is_op("(")) arguments(*filter);
        out = std::move(filter);
      } else if (operand && is_name("is")) {
        out = test(std::move(out));
      } else if (operand && is_op("(")) {
        auto call = with(node(Expr::Kind::call), std::move(out));
        arguments(*call);
        out = std::move(call);
      } else {
        return out;
      }
    }
  }

  ExprPtr test(ExprPtr of) {
    Depth depth(*this);
    auto out = with(node(Expr::Kind::test), std::move(of));
    take();
    const bool negated = skip_name("not");
    out->name = dotted_name();
    const bool operand = is(Kind::name)
                             ? !is_name("else") && !is_name("or") && !is_name("and")
                             : is(Kind::text) || is(Kind::integer) || is(Kind::real) || is_op("[") || is_op("{");
    if (is_op("(")) {
      arguments(*out);
    } else if (operand) {
      if (is_name("is")) fail("tests cannot be chained with \"is\"");
      out->args.push_back(postfix(primary()));
    }
    if (!negated) return out;
    return with(node(Expr::Kind::logic_not), std::move(out));
  }

  static constexpr int kMaxLinks = 200;
  std::vector<Token> tokens_;
  size_t at_ = 0;
  int max_depth_;
  int depth_ = 0;
  int loops_ = 0;
  int links_ = 0;
};

}  // namespace

Body parse_template(std::string_view source, int max_depth) { return Parser(source, max_depth).run(); }

}  // namespace jevons::jinja
