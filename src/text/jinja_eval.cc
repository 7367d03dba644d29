#include "text/jinja_eval.h"

#include <algorithm>

#include "base/strings.h"
#include "text/jinja_text.h"

namespace jevons::jinja {

// Counts nested evaluations; the stack is finite.
struct Nested {
  explicit Nested(Interpreter& machine) : machine_(machine) {
    if (machine.depth_ + 1 > machine.limits_.nesting + 300)
      throw Error(Code::too_large,
                  cat("calls nest deeper than the limit of ", machine.limits_.nesting + 300, " levels"));
    ++machine.depth_;
  }
  ~Nested() { --machine_.depth_; }
  Interpreter& machine_;
};

namespace {

std::shared_ptr<Scope> inner(const std::shared_ptr<Scope>& parent) {
  auto scope = std::make_shared<Scope>();
  scope->parent = parent;
  return scope;
}

// Enters a scope for a C++ block.
struct Entered {
  Entered(std::shared_ptr<Scope>& current, std::shared_ptr<Scope> next) : current_(current), saved_(current) {
    current = std::move(next);
  }
  ~Entered() { current_ = std::move(saved_); }
  std::shared_ptr<Scope>& current_;
  std::shared_ptr<Scope> saved_;
};

}  // namespace

void template_error(std::string message) { throw Error(Code::invalid, std::move(message)); }

Value* Scope::find(std::string_view name) {
  for (auto& [key, value] : variables)
    if (key == name) return &value;
  return nullptr;
}

// Namespaces and the scopes of macros may refer to each other; emptied one by one, no destructor recurses through them.
Interpreter::~Interpreter() {
  for (auto& space : namespaces_) space->items.clear();
  for (auto& macro : macros_) macro->scope->variables.clear();
}

void Interpreter::spend(int64_t steps) {
  steps_ += steps + 1;
  if (steps_ > limits_.steps)
    throw Error(Code::too_large, cat("the template takes more than the limit of ", limits_.steps, " steps"));
}

std::string Interpreter::text_of(const Value& value) {
  spend_on(value);
  return to_text(value);
}

std::string Interpreter::render(const Body& body, std::vector<std::pair<std::string, Value>> variables) {
  std::string out;
  out_ = &out;
  scope_ = std::make_shared<Scope>();
  scope_->variables = std::move(variables);
  scope_ = inner(scope_);
  run(body);
  return out;
}

void Interpreter::print(std::string_view text) {
  spend(static_cast<int64_t>(text.size()) / 64);
  if (static_cast<int64_t>(out_->size() + text.size()) > limits_.output_bytes)
    throw Error(Code::too_large, cat("the output is longer than the limit of ", limits_.output_bytes, " bytes"));
  *out_ += text;
}

// ---- statements ----

Interpreter::Flow Interpreter::run(const Body& body) {
  for (const Stmt& stmt : body)
    if (const Flow flow = run(stmt); flow != Flow::normal) return flow;
  return Flow::normal;
}

Interpreter::Flow Interpreter::run(const Stmt& stmt) {
  const Nested nested(*this);
  line_ = stmt.line;
  spend(1);
  Flow flow = Flow::normal;
  switch (stmt.kind) {
    case Stmt::Kind::text:
      print(stmt.name);
      break;
    case Stmt::Kind::print:
      print(text_of(eval(*stmt.expr)));
      break;
    case Stmt::Kind::condition:
      return run(eval(*stmt.expr).truthy() ? stmt.body : stmt.other);
    case Stmt::Kind::loop:
      return run_loop(stmt);
    case Stmt::Kind::set:
      assign(*stmt.target, eval(*stmt.expr));
      break;
    case Stmt::Kind::set_block:
      return run_set_block(stmt);
    case Stmt::Kind::macro:
      define_macro(stmt);
      break;
    case Stmt::Kind::scope:
      return run_scope(stmt);
    case Stmt::Kind::filter_block: {
      Value text = captured(stmt.body, flow);
      if (flow == Flow::normal) print(text_of(eval_filter(*stmt.expr, std::move(text))));
      break;
    }
    case Stmt::Kind::leave:
      return Flow::leave;
    case Stmt::Kind::next:
      return Flow::next;
  }
  return flow;
}

Interpreter::Flow Interpreter::run_loop(const Stmt& stmt) {
  auto loop = std::make_shared<Loop>();
  loop->items = iterate(eval(*stmt.expr));
  if (stmt.filter) {
    std::vector<Value> kept;
    for (Value& item : loop->items) {
      const Entered entered(scope_, inner(scope_));
      assign(*stmt.target, item);
      if (eval(*stmt.filter).truthy()) kept.push_back(std::move(item));
    }
    loop->items = std::move(kept);
  }
  if (loop->items.empty()) {
    const Entered entered(scope_, inner(scope_));
    return run(stmt.other);
  }
  for (; loop->index < loop->items.size(); ++loop->index) {
    const Entered entered(scope_, inner(scope_));
    scope_->variables.emplace_back("loop", std::shared_ptr<const Loop>(loop));
    assign(*stmt.target, loop->items[loop->index]);
    spend(1);
    if (run(stmt.body) == Flow::leave) break;
  }
  loop->index = std::min(loop->index, loop->items.size() - 1);
  return Flow::normal;
}

Interpreter::Flow Interpreter::run_scope(const Stmt& stmt) {
  std::vector<Value> values;  // of the outer scope, all of them before the first name is bound
  for (const ExprPtr& value : stmt.defaults) values.push_back(eval(*value));
  const Entered entered(scope_, inner(scope_));
  for (size_t i = 0; i < values.size(); ++i) assign(*stmt.targets[i], std::move(values[i]));
  return run(stmt.body);
}

std::string Interpreter::captured(const Body& body, Flow& flow) {
  std::string text;
  std::string* const saved = std::exchange(out_, &text);
  {
    const Entered entered(scope_, inner(scope_));
    flow = run(body);
  }
  out_ = saved;
  return text;
}

Interpreter::Flow Interpreter::run_set_block(const Stmt& stmt) {
  Flow flow = Flow::normal;
  Value text = captured(stmt.body, flow);
  if (flow != Flow::normal) return flow;  // break or continue inside: nothing is set
  assign(*stmt.target, stmt.expr ? eval_filter(*stmt.expr, std::move(text)) : std::move(text));
  return flow;
}

void Interpreter::define_macro(const Stmt& stmt) {
  macros_.push_back(std::make_unique<Macro>(Macro{&stmt, scope_}));
  Value function = std::make_shared<const Function>(Function{stmt.name, {}, macros_.back().get()});
  if (Value* held = scope_->find(stmt.name))
    *held = std::move(function);
  else
    scope_->variables.emplace_back(stmt.name, std::move(function));
}

void Interpreter::assign(const Expr& target, Value value) {
  if (target.kind == Expr::Kind::name) {
    if (Value* held = scope_->find(target.name))
      *held = std::move(value);
    else
      scope_->variables.emplace_back(target.name, std::move(value));
  } else if (target.kind == Expr::Kind::attribute) {
    Namespace* space = eval(*target.args[0]).name_space();
    if (!space) template_error(cat("cannot assign to ", target.args[0]->name, ".", target.name, ": not a namespace"));
    if (target.name.starts_with('_'))
      template_error(cat("a namespace takes no attribute ", quote(target.name), ": it starts with \"_\""));
    if (Value* held = space->find(target.name))
      *held = std::move(value);
    else
      space->items.emplace_back(target.name, std::move(value));
  } else {
    std::vector<Value> items = iterate(value);
    if (items.size() != target.args.size())
      template_error(cat("cannot unpack ", items.size(), " values into ", target.args.size(), " names"));
    for (size_t i = 0; i < items.size(); ++i) assign(*target.args[i], std::move(items[i]));
  }
}

// ---- expressions ----

Value Interpreter::eval(const Expr& expr) {
  const Nested nested(*this);
  spend(1);
  line_ = expr.line;
  switch (expr.kind) {
    case Expr::Kind::literal:
      return expr.value;
    case Expr::Kind::name:
      return eval_name(expr.name);
    case Expr::Kind::list:
    case Expr::Kind::tuple:
    case Expr::Kind::dict:
      return eval_items(expr);
    case Expr::Kind::attribute:
      return attribute(eval(*expr.args[0]), expr.name);
    case Expr::Kind::item: {
      const Value of = eval(*expr.args[0]);
      return item(of, eval(*expr.args[1]));
    }
    case Expr::Kind::slice:
      return eval_slice(expr);
    case Expr::Kind::call:
      return eval_call(expr);
    case Expr::Kind::filter:
      return eval_filter(expr);
    case Expr::Kind::test: {
      const Value of = eval(*expr.args[0]);
      return test(expr.name, of, eval_args(expr, 1));
    }
    case Expr::Kind::logic_not:
      return !eval(*expr.args[0]).truthy();
    case Expr::Kind::logic_and: {
      Value left = eval(*expr.args[0]);
      return left.truthy() ? eval(*expr.args[1]) : left;
    }
    case Expr::Kind::logic_or: {
      Value left = eval(*expr.args[0]);
      return left.truthy() ? left : eval(*expr.args[1]);
    }
    case Expr::Kind::unary:
      return unary(expr.name, eval(*expr.args[0]));
    case Expr::Kind::binary: {
      const Value left = eval(*expr.args[0]);
      return binary(expr.name, left, eval(*expr.args[1]));
    }
    case Expr::Kind::compare:
      return eval_compare(expr);
    case Expr::Kind::concat:
      return eval_concat(expr);
    case Expr::Kind::conditional:
      if (eval(*expr.args[1]).truthy()) return eval(*expr.args[0]);
      if (expr.args[2]) return eval(*expr.args[2]);
      return Value::undefined(cat("the inline if of line ", expr.line, " was false and has no else"));
  }
  return {};
}

Value Interpreter::eval_name(const std::string& name) {
  for (Scope* scope = scope_.get(); scope; scope = scope->parent.get())
    if (const Value* value = scope->find(name)) return *value;
  if (is_global(name)) return std::make_shared<const Function>(Function{name, {}, nullptr});
  return Value::undefined(cat("'", name, "' is undefined"));
}

Value Interpreter::eval_items(const Expr& expr) {
  std::vector<Value> values;
  for (const ExprPtr& item : expr.args) values.push_back(eval(*item));
  if (expr.kind == Expr::Kind::list) return make_list(std::move(values));
  if (expr.kind == Expr::Kind::tuple) return make_list(std::move(values), List::Kind::tuple);
  std::vector<std::pair<Value, Value>> items;
  for (size_t i = 0; i + 1 < values.size(); i += 2) items.emplace_back(std::move(values[i]), std::move(values[i + 1]));
  spend(static_cast<int64_t>(items.size() * items.size()) / 64);
  return make_dict(std::move(items));
}

Value Interpreter::eval_slice(const Expr& expr) {
  const Value of = eval(*expr.args[0]);
  std::optional<int64_t> bounds[3];
  bool usable = true;
  for (int i = 0; i < 3; ++i) {
    if (!expr.args[i + 1]) continue;
    const Value bound = eval(*expr.args[i + 1]);
    if (bound.is_none()) continue;
    if (bound.is_bool() || bound.is_int())
      bounds[i] = bound.as_int();
    else
      usable = false;
  }
  if (of.is_undefined()) template_error(of.reason());
  const List* list = of.list();
  if (!usable) template_error("the bounds of a slice must be integers or none");
  if (!of.is_text() && !(list && list->kind <= List::Kind::range))
    template_error(cat("a value of type ", of.type_name(), " cannot be sliced"));
  const int64_t step = bounds[2].value_or(1);
  if (step == 0) template_error("the step of a slice cannot be 0");
  spend_on(of);
  if (list) {
    const SliceRange range = slice_range(static_cast<int64_t>(list->items.size()), bounds[0], bounds[1], step);
    std::vector<Value> items;
    for (int64_t i = 0; i < range.count; ++i) items.push_back(list->items[static_cast<size_t>(range.first + i * step)]);
    return make_list(std::move(items), list->kind);
  }
  const std::u32string codes = decode_utf8(of.text());
  const SliceRange range = slice_range(static_cast<int64_t>(codes.size()), bounds[0], bounds[1], step);
  std::string out;
  for (int64_t i = 0; i < range.count; ++i) append_utf8(out, codes[static_cast<size_t>(range.first + i * step)]);
  return out;
}

Args Interpreter::eval_args(const Expr& expr, size_t first) {
  Args args;
  for (size_t i = first; i < expr.args.size(); ++i) args.positional.push_back(eval(*expr.args[i]));
  for (const auto& [name, value] : expr.kwargs) args.named.emplace_back(name, eval(*value));
  return args;
}

Value Interpreter::eval_call(const Expr& expr) {
  const Value callee = eval(*expr.args[0]);
  const Args args = eval_args(expr, 1);
  line_ = expr.line;
  return call(callee, args);
}

Value Interpreter::eval_filter(const Expr& expr, std::optional<Value> input) {
  const Nested nested(*this);
  // In a filter block the innermost filter has no operand: it takes the captured text.
  const Expr* operand = expr.args[0].get();
  const Value value = !operand ? input.value() : input ? eval_filter(*operand, std::move(input)) : eval(*operand);
  const Args args = eval_args(expr, 1);
  line_ = expr.line;
  return filter(expr.name, value, args);
}

Value Interpreter::eval_compare(const Expr& expr) {
  Value left = eval(*expr.args[0]);
  for (size_t i = 0; i < expr.ops.size(); ++i) {
    Value right = eval(*expr.args[i + 1]);
    const std::string& op = expr.ops[i];
    spend((left.weight() + right.weight()) / 64);
    bool holds = false;
    if (op == "==")
      holds = equal(left, right);
    else if (op == "!=")
      holds = !equal(left, right);
    else if (op == "in")
      holds = contains(right, left);
    else if (op == "not in")
      holds = !contains(right, left);
    else {
      const int order = compare(left, right);
      if (op == "<")
        holds = order < 0;
      else if (op == "<=")
        holds = order <= 0;
      else if (op == ">")
        holds = order == 1;
      else
        holds = order == 0 || order == 1;
    }
    if (!holds) return false;
    left = std::move(right);
  }
  return true;
}

Value Interpreter::eval_concat(const Expr& expr) {
  std::string out;
  for (const ExprPtr& part : expr.args) {
    out += text_of(eval(*part));
    if (static_cast<int64_t>(out.size()) > limits_.output_bytes)
      throw Error(Code::too_large, cat("a text is longer than the limit of ", limits_.output_bytes, " bytes"));
  }
  return out;
}

}  // namespace jevons::jinja
