#include "base/json.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "base/strings.h"

namespace jevons {
namespace {

// Together they keep any text below about 1.5 GB of memory.
constexpr size_t kMaxDepth = 64, kMaxValues = size_t{1} << 22, kMaxText = size_t{1} << 28;

// Builds a Json from SAX events, with the checks that the library leaves to its user.
class Builder : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Builder(std::string_view text) : text_(text) {}
  Json take() { return std::move(root_); }
  const std::string& error() const { return error_; }

  bool null() override { return add(Json()); }
  bool boolean(bool value) override { return add(Json(value)); }
  bool number_integer(number_integer_t value) override { return add(Json(static_cast<int64_t>(value))); }
  bool number_unsigned(number_unsigned_t value) override {
    if (value > static_cast<uint64_t>(INT64_MAX)) return add(Json(static_cast<double>(value)));
    return add(Json(static_cast<int64_t>(value)));
  }
  bool number_float(number_float_t value, const string_t&) override { return add(Json(value)); }
  bool string(string_t& value) override { return add(Json(std::move(value))); }
  bool binary(binary_t&) override { return fail("binary value"); }
  bool start_object(size_t) override { return open(Json::object()); }
  bool end_object() override { return keys_.pop_back(), close(); }
  bool start_array(size_t) override { return open(Json::array()); }
  bool end_array() override { return keys_.pop_back(), close(); }
  bool key(string_t& value) override {
    if (!keys_.back().insert(value).second) return fail(cat("the key ", quote(value), " appears twice in one object"));
    key_ = std::move(value);
    return true;
  }
  bool parse_error(size_t position, const std::string&, const nlohmann::json::exception& e) override {
    std::string reason = e.what();
    if (size_t at = reason.rfind("; "); at != std::string::npos && reason.find("last read") == std::string::npos)
      reason = reason.substr(at + 2);
    else if (size_t colon = reason.find(": "); colon != std::string::npos)
      reason = reason.substr(colon + 2);
    size_t line = 1, column = 1;
    for (size_t i = 0; i + 1 < position && i < text_.size(); ++i) text_[i] == '\n' ? (++line, column = 1) : ++column;
    return fail(cat("not valid JSON at byte ", position, " (line ", line, ", column ", column, "): ", reason));
  }

 private:
  bool fail(std::string message) {
    if (error_.empty()) error_ = std::move(message);
    return false;
  }
  Json* add_value(Json value) {
    if (stack_.empty()) return &(root_ = std::move(value));
    Json& parent = *stack_.back();
    if (parent.is_array()) return &parent.as_array().emplace_back(std::move(value));
    return &parent.as_object().emplace_back(std::move(key_), std::move(value)).second;
  }
  bool count() { return ++values_ <= kMaxValues || fail(cat("JSON holds more than ", kMaxValues, " values")); }
  bool add(Json value) { return count() && (add_value(std::move(value)), true); }
  bool open(Json value) {
    if (!count()) return false;
    if (stack_.size() == kMaxDepth) return fail(cat("JSON is nested deeper than ", kMaxDepth, " levels"));
    keys_.emplace_back();
    stack_.push_back(add_value(std::move(value)));
    return true;
  }
  bool close() { return stack_.pop_back(), true; }

  std::string_view text_;
  Json root_;
  size_t values_ = 0;
  std::vector<Json*> stack_;  // open containers; a container does not move while it is open
  std::vector<std::unordered_set<std::string>> keys_;
  std::string key_, error_;
};

[[noreturn]] void wrong_type(const char* expected, const Json& found) {
  throw Error(Code::invalid, cat("expected ", expected, ", found ", found.type_name(), " ", quote(found.dump(), 40)));
}

// Length of the valid UTF-8 sequence at the front of `s`, 0 if there is none.
size_t utf8_length(std::string_view s) {
  const auto byte = [&](size_t i) { return i < s.size() ? static_cast<unsigned char>(s[i]) : 0u; };
  const auto tail = [&](size_t i) { return (byte(i) & 0xc0) == 0x80; };
  const unsigned c = byte(0);
  if (c < 0x80) return 1;
  if (c >= 0xc2 && c <= 0xdf && tail(1)) return 2;
  if (c >= 0xe0 && c <= 0xef && tail(1) && tail(2))
    return (c == 0xe0 && byte(1) < 0xa0) || (c == 0xed && byte(1) >= 0xa0) ? 0 : 3;
  if (c >= 0xf0 && c <= 0xf4 && tail(1) && tail(2) && tail(3))
    return (c == 0xf0 && byte(1) < 0x90) || (c == 0xf4 && byte(1) >= 0x90) ? 0 : 4;
  return 0;
}

void newline(std::string& out, int indent, int depth) {
  if (indent < 0) return;
  out += '\n';
  out.append(static_cast<size_t>(indent * depth), ' ');
}

void write(std::string& out, const Json& value, int indent, int depth) {
  if (value.is_object()) {
    out += '{';
    bool first = true;
    for (const auto& [key, member] : value.as_object()) {
      if (!first) out += ',';
      first = false;
      newline(out, indent, depth + 1);
      append_json_string(out, key);
      out += indent < 0 ? ":" : ": ";
      write(out, member, indent, depth + 1);
    }
    if (!first) newline(out, indent, depth);
    out += '}';
  } else if (value.is_array()) {
    out += '[';
    bool first = true;
    for (const Json& element : value.as_array()) {
      if (!first) out += ',';
      first = false;
      newline(out, indent, depth + 1);
      write(out, element, indent, depth + 1);
    }
    if (!first) newline(out, indent, depth);
    out += ']';
  } else if (value.is_string()) {
    append_json_string(out, value.as_string());
  } else if (value.is_null()) {
    out += "null";
  } else if (value.is_bool()) {
    out += value.as_bool() ? "true" : "false";
  } else if (value.is_int()) {
    append(out, value.as_int());
  } else {
    const double number = value.as_double();
    if (!std::isfinite(number)) {
      out += "null";  // JSON has no other word for it
    } else {
      const size_t begin = out.size();
      append(out, number);
      if (out.find_first_of(".e", begin) == std::string::npos) out += ".0";
    }
  }
}

}  // namespace

Result<Json> Json::parse(std::string_view text, size_t max_bytes) {
  if (const size_t limit = std::min(max_bytes, kMaxText); text.size() > limit)
    return Error(Code::too_large, cat("JSON text of ", text.size(), " bytes; at most ", limit, " are accepted"));
  Builder builder(text);
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &builder)) return Error(Code::invalid, builder.error());
  return builder.take();
}

const char* Json::type_name() const {
  static const char* const names[] = {"null", "boolean", "integer", "number", "string", "array", "object"};
  return names[value_.index()];
}

bool Json::as_bool() const { return is_bool() ? std::get<bool>(value_) : (wrong_type("a boolean", *this), false); }
int64_t Json::as_int() const {
  if (is_int()) return std::get<int64_t>(value_);
  if (const double* d = std::get_if<double>(&value_); d && std::floor(*d) == *d && std::fabs(*d) < 9e18)
    return static_cast<int64_t>(*d);
  wrong_type("an integer", *this);
}
double Json::as_double() const {
  if (is_int()) return static_cast<double>(std::get<int64_t>(value_));
  if (const double* d = std::get_if<double>(&value_)) return *d;
  wrong_type("a number", *this);
}
const std::string& Json::as_string() const {
  if (!is_string()) wrong_type("a string", *this);
  return std::get<std::string>(value_);
}
const Json::Array& Json::as_array() const {
  if (!is_array()) wrong_type("an array", *this);
  return std::get<Array>(value_);
}
Json::Array& Json::as_array() { return const_cast<Array&>(std::as_const(*this).as_array()); }
const Json::Object& Json::as_object() const {
  if (!is_object()) wrong_type("an object", *this);
  return std::get<Object>(value_);
}
Json::Object& Json::as_object() { return const_cast<Object&>(std::as_const(*this).as_object()); }

const Json* Json::find(std::string_view key) const {
  if (!is_object()) return nullptr;
  for (const auto& [name, member] : std::get<Object>(value_))
    if (name == key) return &member;
  return nullptr;
}

const Json& Json::at(std::string_view key) const {
  if (!is_object()) wrong_type("an object", *this);
  const Json* found = find(key);
  if (!found) throw Error(Code::invalid, cat("the field ", quote(key), " is missing"));
  return *found;
}

Json& Json::operator[](std::string_view key) {
  if (is_null()) value_ = Object{};
  if (const Json* found = find(key)) return const_cast<Json&>(*found);
  return as_object().emplace_back(std::string(key), Json()).second;
}

void Json::push_back(Json value) {
  if (is_null()) value_ = Array{};
  as_array().push_back(std::move(value));
}

size_t Json::size() const { return is_array() ? as_array().size() : is_object() ? as_object().size() : 0; }

std::string Json::dump(int indent) const {
  std::string out;
  write(out, *this, indent, 0);
  return out;
}

void append_json_string(std::string& out, std::string_view text) {
  static const char hex[] = "0123456789abcdef";
  out += '"';
  for (size_t i = 0; i < text.size();) {
    const unsigned char c = static_cast<unsigned char>(text[i]);
    if (c == '"' || c == '\\') {
      (out += '\\') += text[i++];
    } else if (c == '\n' || c == '\r' || c == '\t') {
      (out += '\\') += c == '\n' ? 'n' : c == '\r' ? 'r' : 't', ++i;
    } else if (c < 0x20 || c == 0x7f) {
      ((out += "\\u00") += hex[c >> 4]) += hex[c & 15], ++i;
    } else if (size_t length = utf8_length(text.substr(i))) {
      out.append(text, i, length), i += length;
    } else {
      out += "\xef\xbf\xbd", ++i;
    }
  }
  out += '"';
}

}  // namespace jevons
