// For tests: checks a value against a JSON Schema, keyword by keyword (draft 2020-12), without the grammar engine.
// Knows the keywords that the tests use and throws on others.
#pragma once
#include <cmath>
#include <regex>
#include <string>

#include "base/json.h"
#include "base/strings.h"

namespace jevons {

class SchemaCheck {
 public:
  explicit SchemaCheck(const Json& root) : root_(root) {}
  // What is wrong; empty if the value is valid.
  std::string operator()(const Json& value) const { return check(root_, value); }

 private:
  static bool has_type(const Json& v, const std::string& type) {
    if (type == "integer") return v.is_int() || (v.is_number() && v.as_double() == std::floor(v.as_double()));
    if (type == "number") return v.is_number();
    if (type == "string") return v.is_string();
    if (type == "boolean") return v.is_bool();
    if (type == "null") return v.is_null();
    if (type == "array") return v.is_array();
    if (type == "object") return v.is_object();
    throw Error(Code::invalid, cat("no type ", type));
  }
  static size_t characters(const std::string& text) {
    size_t n = 0;
    for (char c : text) n += (static_cast<uint8_t>(c) & 0xC0) != 0x80;
    return n;
  }

  std::string check(const Json& schema, const Json& v) const {
    if (schema.is_bool()) return schema.as_bool() ? "" : "nothing is allowed here";
    for (const auto& [key, rule] : schema.as_object())
      if (const std::string wrong = check(schema, key, rule, v); !wrong.empty())
        return cat(v.dump(), " against ", key, " ", rule.dump(), ": ", wrong);
    return {};
  }

  std::string check(const Json& schema, const std::string& key, const Json& rule, const Json& v) const {
    const auto must = [](bool good) { return std::string(good ? "" : "is not so"); };
    const auto any = [&](const Json& list, auto&& good) {
      for (const Json& one : list.as_array())
        if (good(one)) return std::string();
      return std::string("is none of them");
    };
    if (key == "$defs" || key == "description") return {};
    if (key == "type") {
      if (rule.is_array()) return any(rule, [&](const Json& t) { return has_type(v, t.as_string()); });
      return must(has_type(v, rule.as_string()));
    }
    if (key == "enum") return any(rule, [&](const Json& one) { return one == v; });
    if (key == "const") return must(rule == v);
    if (key == "anyOf") return any(rule, [&](const Json& one) { return check(one, v).empty(); });
    if (key == "allOf") {
      for (const Json& one : rule.as_array())
        if (const std::string wrong = check(one, v); !wrong.empty()) return wrong;
      return {};
    }
    if (key == "$ref") {
      const std::string name = rule.as_string();
      return check(name == "#" ? root_ : root_.at("$defs").at(name.substr(8)), v);
    }
    if (key == "minimum") return must(!v.is_number() || v.as_double() >= rule.as_double());
    if (key == "maximum") return must(!v.is_number() || v.as_double() <= rule.as_double());
    if (key == "exclusiveMinimum") return must(!v.is_number() || v.as_double() > rule.as_double());
    if (key == "multipleOf") {
      const double q = v.is_number() ? v.as_double() / rule.as_double() : 0;
      return must(std::abs(q - std::round(q)) < 1e-9);
    }
    if (key == "minLength")
      return must(!v.is_string() || characters(v.as_string()) >= static_cast<size_t>(rule.as_int()));
    if (key == "maxLength")
      return must(!v.is_string() || characters(v.as_string()) <= static_cast<size_t>(rule.as_int()));
    if (key == "pattern") return must(!v.is_string() || std::regex_search(v.as_string(), std::regex(rule.as_string())));
    if (v.is_array()) return check_array(schema, key, rule, v);
    if (v.is_object()) return check_object(schema, key, rule, v);
    return {};
  }

  std::string check_array(const Json& schema, const std::string& key, const Json& rule, const Json& v) const {
    const Json* prefix = schema.find("prefixItems");
    const size_t first = prefix ? prefix->size() : 0;
    if (key == "minItems") return v.size() >= static_cast<size_t>(rule.as_int()) ? "" : "too few";
    if (key == "maxItems") return v.size() <= static_cast<size_t>(rule.as_int()) ? "" : "too many";
    for (size_t i = 0; i < v.size(); ++i) {
      const Json& item = v.as_array()[i];
      std::string wrong;
      if (key == "prefixItems" && i < first) wrong = check(rule.as_array()[i], item);
      if (key == "items" && i >= first) wrong = check(rule, item);
      if (!wrong.empty()) return wrong;
    }
    return {};
  }

  std::string check_object(const Json& schema, const std::string& key, const Json& rule, const Json& v) const {
    if (key == "required") {
      for (const Json& name : rule.as_array())
        if (!v.find(name.as_string())) return cat(name.as_string(), " is missing");
      return {};
    }
    const Json* declared = schema.find("properties");
    if (key != "properties" && key != "additionalProperties") throw Error(Code::invalid, cat("unknown keyword ", key));
    for (const auto& [name, member] : v.as_object()) {
      const Json* own = declared ? declared->find(name) : nullptr;
      std::string wrong;
      if (key == "properties" && own) wrong = check(*own, member);
      if (key == "additionalProperties" && !own) wrong = check(rule, member);
      if (!wrong.empty()) return wrong;
    }
    return {};
  }

  const Json& root_;
};

}  // namespace jevons
