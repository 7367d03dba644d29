// JSON values: an ordered tree, a strict parser with limits, a writer. The parser behind it is nlohmann's SAX reader.
//
// parse() refuses: depth over 64, over 4,194,304 values, duplicate keys, invalid UTF-8, trailing bytes, text over
// `max_bytes` or 256 MiB. Numbers without fraction or exponent that fit are int64, others double.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"

namespace jevons {

class Json {
 public:
  using Array = std::vector<Json>;
  using Object = std::vector<std::pair<std::string, Json>>;  // in document order

  Json() = default;
  Json(std::nullptr_t) {}                                    // NOLINT: implicit on purpose
  Json(bool value) : value_(value) {}                        // NOLINT
  Json(double value) : value_(value) {}                      // NOLINT
  Json(float value) : value_(static_cast<double>(value)) {}  // NOLINT
  template <class T>
  requires std::is_integral_v<T> Json(T value) : value_(static_cast<int64_t>(value)) {}  // NOLINT
  Json(std::string value) : value_(std::move(value)) {}                                  // NOLINT
  Json(std::string_view value) : value_(std::string(value)) {}                           // NOLINT
  Json(const char* value) : value_(std::string(value)) {}                                // NOLINT
  Json(Array value) : value_(std::move(value)) {}                                        // NOLINT
  Json(Object value) : value_(std::move(value)) {}                                       // NOLINT
  static Json array() { return Json(Array{}); }
  static Json object() { return Json(Object{}); }

  static Result<Json> parse(std::string_view text, size_t max_bytes = size_t{1} << 30);

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  bool is_bool() const { return std::holds_alternative<bool>(value_); }
  bool is_int() const { return std::holds_alternative<int64_t>(value_); }
  bool is_number() const { return is_int() || std::holds_alternative<double>(value_); }
  bool is_string() const { return std::holds_alternative<std::string>(value_); }
  bool is_array() const { return std::holds_alternative<Array>(value_); }
  bool is_object() const { return std::holds_alternative<Object>(value_); }
  const char* type_name() const;  // "null", "boolean", "integer", "number", "string", "array", "object"

  // The typed views throw Error{invalid} "expected a string, found an array" on another type.
  bool as_bool() const;
  int64_t as_int() const;  // also a double with an integral value
  double as_double() const;
  const std::string& as_string() const;
  const Array& as_array() const;
  Array& as_array();
  const Object& as_object() const;
  Object& as_object();

  // Object access. find() is null if absent or if this is no object; at() throws and names the key.
  const Json* find(std::string_view key) const;
  const Json& at(std::string_view key) const;
  Json& operator[](std::string_view key);  // inserts null; turns a null into an object
  void push_back(Json value);              // turns a null into an array
  size_t size() const;                     // elements of an array or object, else 0

  // indent < 0: one line. ASCII control characters escaped, other bytes as they are; invalid UTF-8 becomes U+FFFD.
  std::string dump(int indent = -1) const;
  bool operator==(const Json&) const = default;

 private:
  std::variant<std::monostate, bool, int64_t, double, std::string, Array, Object> value_;
};

// Appends the JSON string literal of `text`, quotes included.
void append_json_string(std::string& out, std::string_view text);

}  // namespace jevons
