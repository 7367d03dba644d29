// The evaluator of chat templates: a tree walk with a budget.
//
// Every node, element and 64 bytes of new text cost steps; the limits of Limits are checked before memory is taken, so
// a hostile template ends with a sentence. All failures are thrown as Error; Template::render (jinja_template.h) adds
// the line and turns them into a Result. The definitions are in jinja_eval.cc (statements, expressions), jinja_ops.cc
// (operators, attributes, indices), jinja_calls.cc (functions, methods), jinja_filters.cc and jinja_tests.cc.
#pragma once
#include <ctime>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/jinja_ast.h"
#include "text/jinja_template.h"

namespace jevons::jinja {

// The arguments of a call.
struct Args {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;

  // The arguments in the order of the parameters `names`; absent ones are empty. Throws on unknown, repeated or too
  // many.
  std::vector<std::optional<Value>> bind(std::string_view callee, std::initializer_list<std::string_view> names) const;
};

struct Scope {
  std::shared_ptr<Scope> parent;
  std::vector<std::pair<std::string, Value>> variables;
  Value* find(std::string_view name);
};

struct Macro {
  const Stmt* definition;
  std::shared_ptr<Scope> scope;
};

struct Function {
  std::string name;
  Value self;                    // of a method
  const Macro* macro = nullptr;  // of a macro
};

struct Loop {
  std::vector<Value> items;
  size_t index = 0;
  mutable std::optional<std::vector<Value>> seen;  // the last arguments of loop.changed()
};

class Interpreter {
 public:
  Interpreter(const Limits& limits, std::time_t now) : limits_(limits), now_(now) {}
  ~Interpreter();

  std::string render(const Body& body, std::vector<std::pair<std::string, Value>> variables);
  int line() const { return line_; }  // of the node that was evaluated last

  // For filters and tests.
  void spend(int64_t steps);
  void spend_on(const Value& value) { spend(value.weight() / 64); }
  std::string text_of(const Value& value);
  std::vector<Value> iterate(const Value& value);
  int64_t length(const Value& value);
  Value attribute(const Value& of, const std::string& name);
  Value item(const Value& of, const Value& key);
  bool contains(const Value& in, const Value& what);
  Value add(const Value& a, const Value& b);
  Value filter(const std::string& name, const Value& input, const Args& args);
  bool test(const std::string& name, const Value& input, const Args& args);

 private:
  enum class Flow { normal, leave, next };

  Flow run(const Body& body);
  Flow run(const Stmt& stmt);
  Flow run_loop(const Stmt& stmt);
  Flow run_scope(const Stmt& stmt);
  Flow run_set_block(const Stmt& stmt);
  void define_macro(const Stmt& stmt);
  std::string captured(const Body& body, Flow& flow);
  void assign(const Expr& target, Value value);
  void print(std::string_view text);

  Value eval(const Expr& expr);
  Value eval_name(const std::string& name);
  Value eval_items(const Expr& expr);
  Value eval_slice(const Expr& expr);
  Value eval_call(const Expr& expr);
  Value eval_filter(const Expr& expr, std::optional<Value> input = {});
  Value eval_compare(const Expr& expr);
  Value eval_concat(const Expr& expr);
  Args eval_args(const Expr& expr, size_t first);

  Value unary(const std::string& op, const Value& value);
  Value binary(const std::string& op, const Value& a, const Value& b);
  Value multiply(const Value& a, const Value& b);
  Value loop_attribute(const Loop& loop, const std::string& name);

  Value call(const Value& callee, const Args& args);
  Value call_global(const std::string& name, const Args& args);
  Value call_text(const std::string& self, const std::string& name, const Args& args);
  Value call_dict(const Dict& self, const std::string& name, const Args& args);
  Value call_list(const List& self, const std::string& name, const Args& args);
  Value call_loop(const Loop& self, const std::string& name, const Args& args);
  Value call_macro(const Macro& macro, const Args& args);
  Value make_namespace(const Args& args);

  Limits limits_;
  std::time_t now_;
  int64_t steps_ = 0;
  int depth_ = 0;
  int line_ = 1;
  std::string* out_ = nullptr;
  std::shared_ptr<Scope> scope_;
  std::vector<std::unique_ptr<Namespace>> namespaces_;
  std::vector<std::unique_ptr<Macro>> macros_;

  friend struct Nested;
};

bool is_global(std::string_view name);
bool is_text_method(std::string_view name);
[[noreturn]] void template_error(std::string message);  // throws Error{invalid}

}  // namespace jevons::jinja
