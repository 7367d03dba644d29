#include "text/jinja_value.h"

#include <algorithm>
#include <cmath>

#include "base/strings.h"
#include "text/jinja_text.h"

namespace jevons::jinja {
namespace {

[[noreturn]] void fail(std::string message) { throw Error(Code::invalid, std::move(message)); }

template <class T, class V>
const T* get_shared(const V& v) {
  const auto* held = std::get_if<std::shared_ptr<const T>>(&v);
  return held ? held->get() : nullptr;
}

bool hashable(const Value& key) {
  if (const List* list = key.list())
    return list->kind == List::Kind::tuple && std::all_of(list->items.begin(), list->items.end(), hashable);
  return !key.dict() && !key.is_undefined();
}

std::string joined(const std::vector<Value>& items) {
  std::string out;
  for (size_t i = 0; i < items.size(); ++i) out += (i ? ", " : "") + to_repr(items[i]);
  return out;
}

// Takes one element into the nesting and weight of a container.
void take(const Value& item, int& nesting, int64_t& weight) {
  nesting = std::max(nesting, 1 + item.nesting());
  weight += 8 + item.weight();
  if (nesting > kMaxNesting)
    throw Error(Code::too_large, cat("a value would nest deeper than ", kMaxNesting, " levels"));
  if (weight > kMaxWeight) throw Error(Code::too_large, cat("a value would take more than ", human_bytes(kMaxWeight)));
}

int sign(auto a, auto b) { return a < b ? -1 : a > b ? 1 : a == b ? 0 : 2; }

// An integer against a real, exactly.
int sign_mixed(int64_t a, double b) {
  if (std::isnan(b)) return 2;
  if (b >= 9223372036854775808.0) return -1;
  if (b < -9223372036854775808.0) return 1;
  const double whole = std::trunc(b);
  const int order = sign(a, static_cast<int64_t>(whole));
  return order != 0 ? order : sign(whole, b);
}

int compare_numbers(const Value& a, const Value& b) {
  if (a.is_real() && b.is_real()) return sign(a.as_real(), b.as_real());
  if (a.is_real()) {
    const int order = sign_mixed(b.as_int(), a.as_real());
    return order == 2 ? 2 : -order;
  }
  return b.is_real() ? sign_mixed(a.as_int(), b.as_real()) : sign(a.as_int(), b.as_int());
}

bool ordered_kind(const Value& a, const Value& b) {
  const List *x = a.list(), *y = b.list();
  return x && y && x->kind == y->kind && (x->kind == List::Kind::list || x->kind == List::Kind::tuple);
}

}  // namespace

Value Value::undefined(std::string reason) {
  Value value;
  value.v_ = Undefined{std::make_shared<const std::string>(std::move(reason))};
  return value;
}

Value Value::from(const Json& json) {
  if (json.is_null()) return None{};
  if (json.is_bool()) return json.as_bool();
  if (json.is_int()) return json.as_int();
  if (json.is_number()) return json.as_double();
  if (json.is_string()) return json.as_string();
  if (json.is_array()) {
    std::vector<Value> items;
    items.reserve(json.size());
    for (const Json& item : json.as_array()) items.push_back(from(item));
    return make_list(std::move(items));
  }
  std::vector<std::pair<Value, Value>> items;
  items.reserve(json.size());
  for (const auto& [key, value] : json.as_object()) items.emplace_back(key, from(value));
  return make_dict(std::move(items));
}

const std::string& Value::reason() const {
  static const std::string unknown = "the value is undefined";
  const auto& reason = std::get<Undefined>(v_).reason;
  return reason ? *reason : unknown;
}

const List* Value::list() const { return get_shared<List>(v_); }
const Dict* Value::dict() const { return get_shared<Dict>(v_); }
const Loop* Value::loop() const { return get_shared<Loop>(v_); }
const Function* Value::function() const { return get_shared<Function>(v_); }
Namespace* Value::name_space() const {
  const auto* held = std::get_if<Namespace*>(&v_);
  return held ? *held : nullptr;
}

const char* Value::type_name() const {
  constexpr const char* names[] = {"undefined", "NoneType", "bool", "int",      "float",    "str",
                                   "list",      "dict",     "loop", "function", "namespace"};
  if (const List* l = list(); l && l->kind != List::Kind::list)
    return l->kind == List::Kind::tuple   ? "tuple"
           : l->kind == List::Kind::range ? "range"
           : l->kind == List::Kind::view  ? "dict view"
                                          : "iterator";
  return names[v_.index()];
}

bool Value::truthy() const {
  if (is_undefined() || is_none()) return false;
  if (is_bool() || is_int()) return as_int() != 0;
  if (is_real()) return as_real() != 0;
  if (is_text()) return !text().empty();
  if (const List* l = list()) return l->kind == List::Kind::iterator || !l->items.empty();
  if (const Dict* d = dict()) return !d->items.empty();
  return true;
}

int Value::nesting() const {
  if (const List* l = list()) return l->nesting;
  if (const Dict* d = dict()) return d->nesting;
  return 0;
}

int64_t Value::weight() const {
  if (is_text()) return static_cast<int64_t>(text().size());
  if (const List* l = list()) return l->weight;
  if (const Dict* d = dict()) return d->weight;
  return 0;
}

Value make_list(std::vector<Value> items, List::Kind kind) {
  auto list = std::make_shared<List>();
  for (const Value& item : items) take(item, list->nesting, list->weight);
  list->kind = kind;
  list->items = std::move(items);
  return std::shared_ptr<const List>(std::move(list));
}

Value make_dict(std::vector<std::pair<Value, Value>> items) {
  auto dict = std::make_shared<Dict>();
  for (auto& [key, value] : items) {
    if (!hashable(key)) fail(cat("a value of type ", key.type_name(), " cannot be the key of a dict"));
    take(key, dict->nesting, dict->weight);
    take(value, dict->nesting, dict->weight);
  }
  for (auto& [key, value] : items) {
    if (const Value* held = dict->find(key))
      *const_cast<Value*>(held) = std::move(value);
    else
      dict->items.emplace_back(std::move(key), std::move(value));
  }
  return std::shared_ptr<const Dict>(std::move(dict));
}

const Value* Dict::find(const Value& key) const {
  if (key.is_text()) return find(std::string_view(key.text()));
  for (const auto& [k, v] : items)
    if (equal(k, key)) return &v;
  return nullptr;
}

const Value* Dict::find(std::string_view key) const {
  for (const auto& [k, v] : items)
    if (k.is_text() && k.text() == key) return &v;
  return nullptr;
}

Value* Namespace::find(std::string_view name) {
  for (auto& [k, v] : items)
    if (k == name) return &v;
  return nullptr;
}

bool equal(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) return compare_numbers(a, b) == 0;
  if (a.is_text() && b.is_text()) return a.text() == b.text();
  if (a.is_undefined() || b.is_undefined()) return a.is_undefined() && b.is_undefined();
  if (a.is_none() || b.is_none()) return a.is_none() && b.is_none();
  if (ordered_kind(a, b))
    return std::equal(a.list()->items.begin(), a.list()->items.end(), b.list()->items.begin(), b.list()->items.end(),
                      equal);
  if (const Dict* x = a.dict(), *y = b.dict(); x && y)
    return x->items.size() == y->items.size() && std::all_of(x->items.begin(), x->items.end(), [&](const auto& item) {
             const Value* other = y->find(item.first);
             return other && equal(item.second, *other);
           });
  return (a.list() && a.list() == b.list()) || (a.loop() && a.loop() == b.loop()) ||
         (a.function() && a.function() == b.function()) || (a.name_space() && a.name_space() == b.name_space());
}

int compare(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) return compare_numbers(a, b);
  if (a.is_text() && b.is_text()) return sign(a.text().compare(b.text()), 0);
  if (ordered_kind(a, b)) {
    const auto &x = a.list()->items, &y = b.list()->items;
    for (size_t i = 0; i < std::min(x.size(), y.size()); ++i)
      if (!equal(x[i], y[i])) return compare(x[i], y[i]);
    return sign(x.size(), y.size());
  }
  if (a.is_undefined()) fail(a.reason());
  if (b.is_undefined()) fail(b.reason());
  fail(cat("values of type ", a.type_name(), " and ", b.type_name(), " have no order"));
}

std::string to_text(const Value& value) {
  if (value.is_text()) return value.text();
  if (value.is_undefined()) return {};
  return to_repr(value);
}

std::string to_repr(const Value& value) {
  if (value.is_none()) return "None";
  if (value.is_undefined()) return "Undefined";
  if (value.is_bool()) return value.as_bool() ? "True" : "False";
  if (value.is_int()) return cat(value.as_int());
  if (value.is_real()) return real_text(value.as_real());
  if (value.is_text()) return quoted(value.text());
  if (const List* list = value.list(); list && list->kind == List::Kind::list) return "[" + joined(list->items) + "]";
  if (const List* list = value.list(); list && list->kind == List::Kind::tuple)
    return "(" + joined(list->items) + (list->items.size() == 1 ? ",)" : ")");
  if (const Dict* dict = value.dict()) {
    std::string out = "{";
    for (const auto& [key, item] : dict->items)
      out += (out.size() > 1 ? ", " : "") + to_repr(key) + ": " + to_repr(item);
    return out += "}";
  }
  throw Error(Code::unsupported, cat("printing a value of type ", value.type_name(),
                                     " is not part of this Jinja subset; print its elements or its result"));
}

}  // namespace jevons::jinja
