// Operators, attributes, indices and iteration: what Python and jinja2's sandbox do with them.
#include <algorithm>
#include <cmath>

#include "base/strings.h"
#include "text/jinja_eval.h"
#include "text/jinja_text.h"

namespace jevons::jinja {
namespace {

bool one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Value method(const Value& self, const std::string& name) {
  return std::make_shared<const Function>(Function{name, self, nullptr});
}

Value unsafe(const Value& of, const std::string& name) {
  return Value::undefined(
      cat("the method '", name, "' of '", of.type_name(), "' would change it; templates may change namespaces only"));
}

[[noreturn]] void type_error(std::string_view op, const Value& a, const Value& b) {
  for (const Value* value : {&a, &b})
    if (value->is_undefined()) template_error(value->reason());
  template_error(cat("the operator ", op, " does not take ", a.type_name(), " and ", b.type_name()));
}

[[noreturn]] void overflow(std::string_view op) {
  throw Error(Code::unsupported, cat("the result of ", op, " needs more than 64 bits"));
}

int64_t floor_divide(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a % b < 0) != (b < 0)); }

Value real_arithmetic(const std::string& op, double a, double b) {
  if (op == "+") return a + b;
  if (op == "-") return a - b;
  if (op == "*") return a * b;
  if (op == "**") {
    if (a == 0 && b < 0) template_error("0 has no negative power");
    if (a < 0 && b != std::floor(b))
      throw Error(Code::unsupported, "a complex number is not part of this Jinja subset");
    const double power = std::pow(a, b);
    if (std::isinf(power) && std::isfinite(a) && std::isfinite(b)) template_error("the result of ** is too large");
    return power;
  }
  if (b == 0) template_error("division by zero");
  if (op == "/") return a / b;
  double rest = std::fmod(a, b);
  if (rest != 0 && (rest < 0) != (b < 0)) rest += b;
  if (rest == 0) rest = std::copysign(0.0, b);
  if (op == "%") return rest;
  double quotient = (a - rest) / b;
  const double whole = std::floor(quotient);
  return quotient - whole > 0.5 ? whole + 1 : whole == 0 ? std::copysign(0.0, a / b) : whole;
}

Value int_power(int64_t base, int64_t exponent) {
  if (exponent < 0) return real_arithmetic("**", static_cast<double>(base), static_cast<double>(exponent));
  int64_t result = 1;
  for (; exponent > 0; exponent >>= 1) {
    if (exponent & 1 && __builtin_mul_overflow(result, base, &result)) overflow("**");
    if (exponent > 1 && __builtin_mul_overflow(base, base, &base)) overflow("**");
  }
  return result;
}

Value int_arithmetic(const std::string& op, int64_t a, int64_t b) {
  int64_t result = 0;
  if (op == "+") return __builtin_add_overflow(a, b, &result) ? overflow(op), Value() : Value(result);
  if (op == "-") return __builtin_sub_overflow(a, b, &result) ? overflow(op), Value() : Value(result);
  if (op == "*") return __builtin_mul_overflow(a, b, &result) ? overflow(op), Value() : Value(result);
  if (op == "**") return int_power(a, b);
  if (b == 0) template_error("division by zero");
  if (op == "/") return static_cast<double>(a) / static_cast<double>(b);
  if (b == -1) return op == "%" ? Value(int64_t{0}) : a == INT64_MIN ? (overflow(op), Value()) : Value(-a);
  const int64_t quotient = floor_divide(a, b);
  return op == "//" ? quotient : a - quotient * b;
}

}  // namespace

Value Interpreter::unary(const std::string& op, const Value& value) {
  if (value.is_undefined()) template_error(value.reason());
  if (!value.is_number()) template_error(cat("the sign ", op, " does not take ", value.type_name()));
  if (value.is_real()) return op == "-" ? -value.as_real() : value.as_real();
  if (op == "-" && value.as_int() == INT64_MIN) overflow(op);
  return op == "-" ? -value.as_int() : value.as_int();
}

Value Interpreter::add(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) return binary("+", a, b);
  if (a.is_text() && b.is_text()) {
    const size_t bytes = a.text().size() + b.text().size();
    spend(static_cast<int64_t>(bytes) / 64);
    if (static_cast<int64_t>(bytes) > limits_.output_bytes)
      throw Error(Code::too_large, cat("a text is longer than the limit of ", limits_.output_bytes, " bytes"));
    std::string out;
    out.reserve(bytes);
    return (out += a.text()) += b.text();
  }
  const List *x = a.list(), *y = b.list();
  if (!x || !y || x->kind != y->kind || x->kind > List::Kind::tuple) type_error("+", a, b);
  spend(static_cast<int64_t>(x->items.size() + y->items.size()));
  std::vector<Value> items = x->items;
  items.insert(items.end(), y->items.begin(), y->items.end());
  return make_list(std::move(items), x->kind);
}

Value Interpreter::multiply(const Value& a, const Value& b) {
  const bool swapped = a.is_number();
  const Value &many = swapped ? b : a, &count = swapped ? a : b;
  const List* list = many.list();
  if (count.is_real() || !count.is_number() || !(many.is_text() || (list && list->kind <= List::Kind::tuple)))
    type_error("*", a, b);
  const int64_t times = std::max<int64_t>(count.as_int(), 0);
  const int64_t size = many.is_text() ? many.weight() : static_cast<int64_t>(list->items.size()) * 64;
  int64_t total = 0;
  if (__builtin_mul_overflow(size, times, &total) || total > limits_.output_bytes)
    throw Error(Code::too_large, cat("the result of * is longer than the limit of ", limits_.output_bytes, " bytes"));
  spend(total / 64);
  if (many.is_text()) {
    std::string out;
    for (int64_t i = 0; size > 0 && i < times; ++i) out += many.text();
    return out;
  }
  std::vector<Value> items;
  for (int64_t i = 0; size > 0 && i < times; ++i) items.insert(items.end(), list->items.begin(), list->items.end());
  return make_list(std::move(items), list->kind);
}

Value Interpreter::binary(const std::string& op, const Value& a, const Value& b) {
  if (a.is_number() && b.is_number())
    return a.is_real() || b.is_real() ? real_arithmetic(op, a.as_real(), b.as_real())
                                      : int_arithmetic(op, a.as_int(), b.as_int());
  if (op == "+") return add(a, b);
  if (op == "*") return multiply(a, b);
  if (op == "%" && a.is_text())
    throw Error(Code::unsupported, "formatting a text with % is not part of this Jinja subset; use ~ to join");
  type_error(op, a, b);
}

bool Interpreter::contains(const Value& in, const Value& what) {
  if (in.is_text()) {
    if (!what.is_text()) template_error(cat("'in' a text needs a text on its left, not ", what.type_name()));
    return in.text().find(what.text()) != std::string::npos;
  }
  if (const Dict* dict = in.dict()) {
    if (what.dict() || (what.list() && what.list()->kind == List::Kind::list))
      template_error(cat("a value of type ", what.type_name(), " cannot be the key of a dict"));
    spend(static_cast<int64_t>(dict->items.size()) / 8);
    return dict->find(what) != nullptr;
  }
  const std::vector<Value> items = iterate(in);
  return std::any_of(items.begin(), items.end(), [&](const Value& item) {
    spend_on(item);
    return equal(item, what);
  });
}

std::vector<Value> Interpreter::iterate(const Value& value) {
  std::vector<Value> items;
  if (value.is_text()) {
    const std::string& text = value.text();
    for (size_t at = 0; at < text.size();) {
      const size_t bytes = code_point_bytes(text, at);
      spend(0);
      items.emplace_back(std::string_view(text).substr(at, bytes));
      at += bytes;
    }
  } else if (const List* list = value.list()) {
    spend(static_cast<int64_t>(list->items.size()) / 8);
    if (!list->spent) items = list->items;
    list->spent = list->kind == List::Kind::iterator;
  } else if (const Dict* dict = value.dict()) {
    spend(static_cast<int64_t>(dict->items.size()) / 8);
    for (const auto& item : dict->items) items.push_back(item.first);
  } else if (!value.is_undefined()) {
    template_error(cat("a value of type ", value.type_name(), " cannot be iterated over"));
  }
  return items;
}

int64_t Interpreter::length(const Value& value) {
  if (value.is_undefined()) return 0;
  if (value.is_text()) return static_cast<int64_t>(count_code_points(value.text()));
  if (const Dict* dict = value.dict()) return static_cast<int64_t>(dict->items.size());
  if (const List* list = value.list(); list && list->kind != List::Kind::iterator)
    return static_cast<int64_t>(list->items.size());
  if (const Loop* loop = value.loop()) return static_cast<int64_t>(loop->items.size());
  template_error(cat("a value of type ", value.type_name(), " has no length"));
}

Value Interpreter::loop_attribute(const Loop& loop, const std::string& name) {
  const auto index = static_cast<int64_t>(loop.index), size = static_cast<int64_t>(loop.items.size());
  if (name == "index") return index + 1;
  if (name == "index0") return index;
  if (name == "revindex") return size - index;
  if (name == "revindex0") return size - index - 1;
  if (name == "first") return index == 0;
  if (name == "last") return index + 1 == size;
  if (name == "length") return size;
  if (name == "depth") return int64_t{1};  // counts recursive loops only
  if (name == "depth0") return int64_t{0};
  if (name == "previtem") return index > 0 ? loop.items[loop.index - 1] : Value::undefined("there is no previous item");
  if (name == "nextitem")
    return index + 1 < size ? loop.items[loop.index + 1] : Value::undefined("there is no next item");
  return Value::undefined(cat("'loop' has no attribute '", name, "'"));
}

Value Interpreter::attribute(const Value& of, const std::string& name) {
  if (of.is_undefined()) template_error(of.reason());
  if (of.is_text() && is_text_method(name)) return method(of, name);
  if (const Dict* dict = of.dict()) {
    if (one_of(name, {"get", "items", "keys", "values", "copy"})) return method(of, name);
    if (one_of(name, {"clear", "pop", "popitem", "setdefault", "update"})) return unsafe(of, name);
    spend(static_cast<int64_t>(dict->items.size()) / 8);
    if (const Value* found = dict->find(std::string_view(name))) return *found;
    return Value::undefined(cat("'dict object' has no attribute '", name, "'"));
  }
  if (const List* list = of.list(); list && list->kind <= List::Kind::tuple) {
    if (one_of(name, {"count", "index"}) || (name == "copy" && list->kind == List::Kind::list)) return method(of, name);
    if (one_of(name, {"append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"}))
      return unsafe(of, name);
  }
  if (const Loop* loop = of.loop())
    return name == "cycle" || name == "changed" ? method(of, name) : loop_attribute(*loop, name);
  if (Namespace* space = of.name_space())
    if (const Value* found = space->find(name)) return *found;
  return Value::undefined(cat("'", of.type_name(), " object' has no attribute '", name, "'"));
}

Value Interpreter::item(const Value& of, const Value& key) {
  if (of.is_undefined()) template_error(of.reason());
  const List* list = of.list();
  const bool indexable = of.is_text() || (list && list->kind <= List::Kind::range);
  if (indexable && (key.is_int() || key.is_bool())) {
    const int64_t size = length(of);
    const int64_t index = key.as_int() < 0 ? key.as_int() + size : key.as_int();
    if (index < 0 || index >= size) return Value::undefined(cat("there is no element ", key.as_int()));
    if (list) return list->items[static_cast<size_t>(index)];
    spend_on(of);
    return encode_utf8(std::u32string_view(decode_utf8(of.text())).substr(static_cast<size_t>(index), 1));
  }
  if (const Dict* dict = of.dict()) {
    spend(static_cast<int64_t>(dict->items.size()) / 8 + key.weight() / 64);
    if (const Value* found = dict->find(key)) return *found;
  }
  if (key.is_text()) return attribute(of, key.text());
  return Value::undefined(
      cat("'", of.type_name(), " object' has no element ", key.is_number() ? to_text(key) : "of this key"));
}

}  // namespace jevons::jinja
