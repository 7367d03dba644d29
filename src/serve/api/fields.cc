#include "serve/api/fields.h"

#include <cmath>

#include "base/strings.h"

namespace jevons {

Fields::Fields(const Json& body, int bad_value_status) : body_(&body), bad_value_status_(bad_value_status) {
  if (!body.is_object()) throw ApiError(400, cat("the body is ", body.type_name(), ", expected a JSON object"));
}

void Fields::wrong(const std::string& name, const std::string& what) const {
  throw ApiError(bad_value_status_, cat("'", name, "' ", what), "invalid_value", name);
}

const Json* Fields::find(const char* name, const char* type, const char* about, Json schema,
                         ApiParameter::Effect effect) {
  known_.insert(name);
  if (!body_) {
    parameters_.push_back({name, type, about, effect, std::move(schema)});
    return nullptr;
  }
  const Json* found = body_->find(name);
  return found && !found->is_null() ? found : nullptr;
}

std::optional<bool> Fields::boolean(const char* name, const char* about) {
  const Json* v = find(name, "boolean", about, Json::Object{{"type", "boolean"}});
  if (!v) return {};
  if (!v->is_bool()) wrong(name, cat("is ", v->type_name(), ", expected true or false"));
  return v->as_bool();
}

std::optional<int64_t> Fields::integer(const char* name, int64_t min, int64_t max, const char* about) {
  const Json* v = find(name, "integer", about, Json::Object{{"type", "integer"}, {"minimum", min}, {"maximum", max}});
  if (!v) return {};
  if (!v->is_number() || std::trunc(v->as_double()) != v->as_double())
    wrong(name, cat("is ", v->dump().substr(0, 60), ", expected a whole number"));
  const bool fits = v->is_int() || std::abs(v->as_double()) < 0x1p63;
  if (!fits || v->as_int() < min || v->as_int() > max)
    wrong(name, cat("is ", v->dump(), ", expected ", min, " to ", max));
  return v->as_int();
}

std::optional<double> Fields::number(const char* name, double min, double max, const char* about) {
  const Json* v = find(name, "number", about, Json::Object{{"type", "number"}, {"minimum", min}, {"maximum", max}});
  if (!v) return {};
  if (!v->is_number()) wrong(name, cat("is ", v->dump().substr(0, 60), ", expected a number"));
  if (!(v->as_double() >= min && v->as_double() <= max))
    wrong(name, cat("is ", v->dump(), ", expected ", min, " to ", max));
  return v->as_double();
}

std::optional<std::string> Fields::text(const char* name, const char* about) {
  const Json* v = find(name, "string", about, Json::Object{{"type", "string"}});
  if (!v) return {};
  if (!v->is_string()) wrong(name, cat("is ", v->type_name(), ", expected a string"));
  return v->as_string();
}

std::optional<std::string> Fields::choice(const char* name, const std::vector<std::string>& values, const char* about) {
  Json list = Json::array();
  std::string names;
  for (const std::string& value : values) list.push_back(value), names += (names.empty() ? "" : ", ") + value;
  const Json* v = find(name, "string", about, Json::Object{{"type", "string"}, {"enum", list}});
  if (!v) return {};
  if (v->is_string())
    for (const std::string& value : values)
      if (v->as_string() == value) return value;
  wrong(name, cat("is ", v->dump().substr(0, 60), ", expected one of: ", names));
}

const Json* Fields::value(const char* name, const char* type, const char* about) {
  return find(name, type, about, Json::Object{{"description", about}});
}

std::vector<std::string> Fields::texts(const char* name, size_t most, const char* about) {
  const Json text = Json::Object{{"type", "string"}};
  const Json* v = find(
      name, "string or array", about,
      Json::Object{{"anyOf", Json::Array{text, Json::Object{{"type", "array"}, {"items", text}, {"maxItems", most}}}}});
  if (!v) return {};
  if (v->is_string()) return {v->as_string()};
  if (!v->is_array()) wrong(name, cat("is ", v->type_name(), ", expected a string or a list of strings"));
  if (v->size() > most) wrong(name, cat("has ", v->size(), " strings, at most ", most, " are allowed"));
  std::vector<std::string> out;
  for (const Json& item : v->as_array()) {
    if (!item.is_string()) wrong(name, cat("holds ", item.type_name(), ", expected strings"));
    out.push_back(item.as_string());
  }
  return out;
}

void Fields::without_effect(const char* name, const char* why) {
  if (find(name, "any", why, Json::object(), ApiParameter::Effect::warned)) warnings_.push_back(cat(name, ": ", why));
}

void Fields::refuse(const char* name, const char* why, const Json& harmless) {
  const Json* v = find(name, "any", why, Json::object(), ApiParameter::Effect::refused);
  if (v && !(*v == harmless)) throw ApiError(400, cat("'", name, "' ", why), "unsupported_parameter", name);
}

void Fields::finish() {
  if (!body_) return;
  for (const auto& [name, value] : body_->as_object())
    if (!known_.contains(name)) warnings_.push_back(cat(quote(name), ": unknown here, ignored"));
}

}  // namespace jevons
