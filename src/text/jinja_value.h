// The values of a template: Python's, as far as templates see them.
//
// A Value is cheap to copy (text and containers are shared and never change, as in jinja2's immutable sandbox); the one
// thing that changes is a namespace, which the interpreter owns, so values form no cycles. Containers nest at most
// kMaxNesting deep (comparing, printing and destroying them recurse) and weigh at most kMaxWeight: a list that holds
// another twice weighs it twice, so work over a value is bounded by its weight.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/json.h"

namespace jevons::jinja {

struct List;
struct Dict;
struct Namespace;
struct Loop;
struct Function;

inline constexpr int kMaxNesting = 100;
inline constexpr int64_t kMaxWeight = int64_t{1} << 28;

struct None {};
struct Undefined {
  std::shared_ptr<const std::string> reason;  // "'x' is undefined"; may be null
};

class Value {
 public:
  Value() = default;                                                                       // undefined
  Value(None) : v_(None{}) {}                                                              // NOLINT: implicit
  Value(bool value) : v_(value) {}                                                         // NOLINT
  Value(int64_t value) : v_(value) {}                                                      // NOLINT
  Value(double value) : v_(value) {}                                                       // NOLINT
  Value(std::string value) : v_(std::make_shared<const std::string>(std::move(value))) {}  // NOLINT
  Value(std::string_view value) : Value(std::string(value)) {}                             // NOLINT
  Value(const char* value) : Value(std::string(value)) {}                                  // NOLINT
  Value(std::shared_ptr<const List> value) : v_(std::move(value)) {}                       // NOLINT
  Value(std::shared_ptr<const Dict> value) : v_(std::move(value)) {}                       // NOLINT
  Value(std::shared_ptr<const Loop> value) : v_(std::move(value)) {}                       // NOLINT
  Value(std::shared_ptr<const Function> value) : v_(std::move(value)) {}                   // NOLINT
  Value(Namespace* value) : v_(value) {}                                                   // NOLINT
  static Value undefined(std::string reason);
  static Value from(const Json& json);

  bool is_undefined() const { return std::holds_alternative<Undefined>(v_); }
  bool is_none() const { return std::holds_alternative<None>(v_); }
  bool is_bool() const { return std::holds_alternative<bool>(v_); }
  bool is_int() const { return std::holds_alternative<int64_t>(v_); }  // not a boolean
  bool is_real() const { return std::holds_alternative<double>(v_); }
  bool is_number() const { return is_bool() || is_int() || is_real(); }
  bool is_text() const { return std::holds_alternative<std::shared_ptr<const std::string>>(v_); }

  bool as_bool() const { return std::get<bool>(v_); }
  int64_t as_int() const { return is_bool() ? as_bool() : std::get<int64_t>(v_); }  // of a boolean or integer
  double as_real() const { return is_real() ? std::get<double>(v_) : static_cast<double>(as_int()); }
  const std::string& text() const { return *std::get<std::shared_ptr<const std::string>>(v_); }
  const std::string& reason() const;  // why it is undefined

  // Null unless it is one.
  const List* list() const;
  const Dict* dict() const;
  const Loop* loop() const;
  const Function* function() const;
  Namespace* name_space() const;

  const char* type_name() const;  // Python's: "str", "NoneType", ...
  bool truthy() const;
  int nesting() const;     // 0 for what holds nothing, 1 + the deepest element for a container
  int64_t weight() const;  // bytes of its text, 8 for each element and all that the elements weigh

 private:
  std::variant<Undefined, None, bool, int64_t, double, std::shared_ptr<const std::string>, std::shared_ptr<const List>,
               std::shared_ptr<const Dict>, std::shared_ptr<const Loop>, std::shared_ptr<const Function>, Namespace*>
      v_;
};

// A list, a tuple, a range, a view (dict.items() and the like) or an iterator, which is empty once it has been read.
struct List {
  enum class Kind { list, tuple, range, view, iterator };
  Kind kind = Kind::list;
  std::vector<Value> items;
  int nesting = 1;
  int64_t weight = 8;
  mutable bool spent = false;
};

// In insertion order; keys are text, numbers, booleans, none or tuples. Look-up is linear: the dicts of requests are
// small.
struct Dict {
  std::vector<std::pair<Value, Value>> items;
  int nesting = 1;
  int64_t weight = 8;
  const Value* find(const Value& key) const;
  const Value* find(std::string_view key) const;
};

struct Namespace {
  std::vector<std::pair<std::string, Value>> items;
  Value* find(std::string_view name);
};

// Throw Error{too_large} when the result would nest deeper than kMaxNesting or weigh more than kMaxWeight.
Value make_list(std::vector<Value> items, List::Kind kind = List::Kind::list);
Value make_dict(std::vector<std::pair<Value, Value>> items);  // a repeated key keeps its place and takes the last value

bool equal(const Value& a, const Value& b);   // Python ==
int compare(const Value& a, const Value& b);  // <0, 0, >0, 2 if unordered (a NaN); throws if the types have no order
std::string to_text(const Value& value);      // str(); throws for what has no stable text (functions, namespaces)
std::string to_repr(const Value& value);      // repr()

// json.dumps(value, ensure_ascii, indent, separators, sort_keys); indent null is one line.
struct DumpStyle {
  std::optional<std::string> indent;
  std::string item_separator = ", ", key_separator = ": ";
  bool ascii = false, sort_keys = false;
};
std::string dump_json(const Value& value, const DumpStyle& style);

}  // namespace jevons::jinja
