#include "text/grammar/schema_flat.h"

#include <algorithm>
#include <cmath>

#include "base/strings.h"
#include "text/grammar/pattern.h"
#include "text/grammar/schema_formats.h"

namespace jevons::grammar {
namespace {

constexpr size_t kMaxAlternatives = 512;

constexpr std::string_view kNotes[] = {
    "title",        "description", "default",         "examples",         "example",       "$schema",
    "$id",          "$comment",    "readOnly",        "writeOnly",        "deprecated",    "$defs",
    "definitions",  "$anchor",     "contentEncoding", "contentMediaType", "contentSchema", "discriminator",
    "externalDocs", "minContains", "maxContains",     "$vocabulary"};
constexpr std::string_view kDone[] = {"type",
                                      "enum",
                                      "const",
                                      "nullable",
                                      "$ref",
                                      "allOf",
                                      "anyOf",
                                      "oneOf",
                                      "minimum",
                                      "maximum",
                                      "exclusiveMinimum",
                                      "exclusiveMaximum",
                                      "multipleOf",
                                      "minLength",
                                      "maxLength",
                                      "pattern",
                                      "format",
                                      "items",
                                      "prefixItems",
                                      "additionalItems",
                                      "minItems",
                                      "maxItems",
                                      "properties",
                                      "patternProperties",
                                      "additionalProperties",
                                      "required",
                                      "minProperties",
                                      "maxProperties"};
constexpr std::string_view kRefused[] = {"not",
                                         "if",
                                         "then",
                                         "else",
                                         "dependentSchemas",
                                         "dependentRequired",
                                         "dependencies",
                                         "contains",
                                         "uniqueItems",
                                         "unevaluatedItems",
                                         "unevaluatedProperties",
                                         "propertyNames",
                                         "$dynamicRef",
                                         "$recursiveRef",
                                         "$dynamicAnchor",
                                         "extends",
                                         "disallow",
                                         "id"};

template <size_t N>
bool among(const std::string_view (&list)[N], std::string_view name) {
  return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

uint8_t type_named(std::string_view name) {
  if (name == "null") return kNull;
  if (name == "boolean") return kBool;
  if (name == "integer") return kInteger;
  if (name == "number") return kInteger | kFraction;
  if (name == "string") return kString;
  if (name == "array") return kArray;
  if (name == "object") return kObject;
  return 0;
}

bool find_pointer(const Json& at, const Json* wanted, std::string& path) {
  if (&at == wanted) return true;
  const size_t before = path.size();
  const auto descend = [&](std::string_view key, const Json& child) {
    path += '/';
    for (const char c : key) path += c == '~' ? std::string("~0") : c == '/' ? std::string("~1") : std::string(1, c);
    if (find_pointer(child, wanted, path)) return true;
    path.resize(before);
    return false;
  };
  if (at.is_object())
    for (const auto& [key, child] : at.as_object())
      if (descend(key, child)) return true;
  if (at.is_array())
    for (size_t i = 0; i < at.size(); ++i)
      if (descend(cat(i), at.as_array()[i])) return true;
  return false;
}

void raise(int64_t& least, int64_t value) { least = std::max(least, value); }
void lower(int64_t& most, int64_t value) {
  if (value >= 0) most = most < 0 ? value : std::min(most, value);
}

Decimal decimal(const Json& number) {
  return number.is_int() ? Decimal::of(number.as_int()) : Decimal::of(number.as_double());
}

bool is_annotation_key(std::string_view key) { return key.starts_with("x-"); }

}  // namespace

Json canonical(const Json& value) {
  if (value.is_number() && !value.is_int()) {
    const double d = value.as_double();
    return std::floor(d) == d && std::abs(d) < 9e18 ? Json(static_cast<int64_t>(d)) : value;
  }
  Json out = value;
  if (out.is_array())
    for (Json& item : out.as_array()) item = canonical(item);
  if (out.is_object())
    for (auto& [key, item] : out.as_object()) item = canonical(item);
  return out;
}

uint8_t type_bit(const Json& value) {
  if (value.is_null()) return kNull;
  if (value.is_bool()) return kBool;
  if (value.is_number())
    return value.is_int() || std::floor(value.as_double()) == value.as_double() ? kInteger : kFraction;
  if (value.is_string()) return kString;
  return value.is_array() ? kArray : kObject;
}

std::string number_text(const Json& value) {
  const Decimal d = decimal(value);
  std::string all = d.digits;
  if (static_cast<int>(all.size()) <= d.scale) all.insert(0, d.scale + 1 - all.size(), '0');
  if (d.scale > 0) all.insert(all.size() - d.scale, ".");
  return (d.negative ? "-" : "") + all;
}

void SchemaReader::refuse(const Json& at, std::string_view what, Code code) const {
  std::string path;
  find_pointer(root_, &at, path);
  throw Error(code, cat("schema at #", path, ": ", what));
}

void SchemaReader::warn(std::string message) {
  if (std::find(warnings_.begin(), warnings_.end(), message) == warnings_.end())
    warnings_.push_back(std::move(message));
}

Conjunction SchemaReader::conjunction(std::vector<const Json*> schemas) {
  std::erase_if(schemas,
                [](const Json* s) { return (s->is_bool() && s->as_bool()) || (s->is_object() && s->size() == 0); });
  std::sort(schemas.begin(), schemas.end());
  schemas.erase(std::unique(schemas.begin(), schemas.end()), schemas.end());
  return schemas;
}

std::vector<Flat> SchemaReader::flatten(const Conjunction& schemas) {
  std::vector<Flat> nodes(1);
  for (const Json* schema : schemas) apply(*schema, nodes, 0);
  return nodes;
}

void SchemaReader::check_keywords(const Json& schema) {
  for (const auto& [key, value] : schema.as_object()) {
    if (among(kDone, key) || among(kNotes, key) || is_annotation_key(key)) {
      if (key == "$id" && &schema != &root_) refuse(schema, "$id below the root is not supported");
      continue;
    }
    if (key == "uniqueItems" && value.is_bool() && !value.as_bool()) continue;
    if (among(kRefused, key))
      refuse(schema, cat("the keyword ", quote(key), " is not supported; leave it out or check it afterwards"));
    warn(cat("the schema keyword ", quote(key), " is not known and has no effect"));
  }
}

const Json& SchemaReader::resolve(const Json& schema, const std::string& ref) {
  if (!ref.starts_with("#") || (ref.size() > 1 && ref[1] != '/'))
    refuse(schema, cat("$ref ", quote(ref), " does not point into this schema (only #/... is followed)"));
  const Json* at = &root_;
  for (size_t i = 1; i < ref.size();) {
    const size_t end = std::min(ref.find('/', i + 1), ref.size());
    std::string key;
    for (size_t k = i + 1; k < end; ++k) {
      if (ref[k] == '~' && k + 1 < end) {
        key += ref[++k] == '0' ? '~' : '/';
      } else if (ref[k] == '%' && k + 2 < end) {
        key += static_cast<char>(std::strtol(ref.substr(k + 1, 2).c_str(), nullptr, 16));
        k += 2;
      } else {
        key += ref[k];
      }
    }
    const Json* next = at->find(key);
    if (at->is_array() && !key.empty() && key.size() < 7 && key.find_first_not_of("0123456789") == std::string::npos &&
        std::stoul(key) < at->size())
      next = &at->as_array()[std::stoul(key)];
    if (!next) refuse(schema, cat("$ref ", quote(ref), " points to nothing: there is no ", quote(key)), Code::invalid);
    at = next;
    i = end;
  }
  return *at;
}

void SchemaReader::apply(const Json& schema, std::vector<Flat>& nodes, int depth) {
  budget_.steps(1 + nodes.size());
  if (depth > 64)
    refuse(schema, "$ref or allOf nests over 64 levels without a value in between (a reference to itself?)");
  if (schema.is_bool()) {
    if (!schema.as_bool()) nodes.clear();
    return;
  }
  if (!schema.is_object())
    refuse(schema, cat("expected a schema (an object, true or false), found ", schema.type_name()), Code::invalid);
  check_keywords(schema);
  for (Flat& flat : nodes) narrow(schema, flat);
  if (const Json* ref = schema.find("$ref")) {
    if (!ref->is_string()) refuse(schema, "$ref must be a string", Code::invalid);
    apply(resolve(schema, ref->as_string()), nodes, depth + 1);
  }
  for (const char* keyword : {"allOf", "anyOf", "oneOf"})
    if (const Json* list = schema.find(keyword); list && (!list->is_array() || list->size() == 0))
      refuse(schema, cat(keyword, " must be an array with at least one schema"), Code::invalid);
  if (const Json* all = schema.find("allOf"))
    for (const Json& part : all->as_array()) apply(part, nodes, depth + 1);
  for (const char* keyword : {"anyOf", "oneOf"})
    if (schema.find(keyword)) apply_branches(schema, keyword, nodes, depth);
}

void SchemaReader::apply_branches(const Json& schema, const char* keyword, std::vector<Flat>& nodes, int depth) {
  std::vector<std::vector<Flat>> branches;
  size_t total = 0;
  for (const Json& part : schema.at(keyword).as_array()) {
    branches.push_back(nodes);
    apply(part, branches.back(), depth + 1);
    if ((total += branches.back().size()) > kMaxAlternatives)
      refuse(schema, cat("its anyOf and oneOf multiply out to over ", kMaxAlternatives, " alternatives"),
             Code::too_large);
  }
  if (std::string_view(keyword) == "oneOf")
    for (size_t i = 0; i < branches.size(); ++i)
      for (size_t k = 0; k < i; ++k)
        for (const Flat& a : branches[i])
          for (const Flat& b : branches[k])
            if (!disjoint(a, b, 0)) {
              const std::string what = cat("oneOf: branches ", k, " and ", i, " cannot be shown to exclude each other");
              if (!options_.one_of_as_any_of)
                refuse(schema, what + "; give each a const tag or a type of its own, or use anyOf");
              warn(what + "; treated as anyOf");
            }
  nodes.clear();
  for (auto& branch : branches) nodes.insert(nodes.end(), branch.begin(), branch.end());
}

int64_t SchemaReader::count(const Json& schema, const char* keyword, int64_t absent) {
  const Json* value = schema.find(keyword);
  if (!value) return absent;
  if (type_bit(*value) != kInteger || value->as_double() < 0 || value->as_double() > 1e9)
    refuse(schema, cat(keyword, " must be an integer from 0 to 1000000000"), Code::invalid);
  return value->as_int();
}

void SchemaReader::narrow(const Json& schema, Flat& flat) {
  const Json* nullable = schema.find("nullable");
  const bool or_null = nullable && nullable->is_bool() && nullable->as_bool();
  if (const Json* type = schema.find("type")) {
    uint8_t bits = 0;
    const auto add = [&](const Json& name) {
      const uint8_t bit = name.is_string() ? type_named(name.as_string()) : 0;
      if (!bit) refuse(schema, cat("unknown type ", name.dump()), Code::invalid);
      bits |= bit;
    };
    if (type->is_array())
      for (const Json& name : type->as_array()) add(name);
    else
      add(*type);
    flat.types &= or_null ? bits | kNull : bits;
  }
  narrow_values(schema, flat);
  narrow_numbers(schema, flat);
  narrow_containers(schema, flat);
  raise(flat.min_length, count(schema, "minLength", 0));
  lower(flat.max_length, count(schema, "maxLength", -1));
  for (const char* keyword : {"pattern", "format"})
    if (const Json* text = schema.find(keyword)) {
      if (!text->is_string()) refuse(schema, cat(keyword, " must be a string"), Code::invalid);
      const bool format = std::string_view(keyword) == "format";
      if (format && format_pattern(text->as_string()).empty()) {
        warn(cat("the format ", quote(text->as_string()), " is not checked"));
        continue;
      }
      auto& list = format ? flat.formats : flat.patterns;
      if (std::find(list.begin(), list.end(), text->as_string()) == list.end()) list.push_back(text->as_string());
    }
}

void SchemaReader::narrow_values(const Json& schema, Flat& flat) {
  std::vector<Json> values;
  for (const char* keyword : {"enum", "const"}) {
    const Json* given = schema.find(keyword);
    if (!given) continue;
    values.clear();
    if (std::string_view(keyword) == "const") {
      values.push_back(canonical(*given));
    } else {
      if (!given->is_array()) refuse(schema, "enum must be an array", Code::invalid);
      for (const Json& v : given->as_array()) values.push_back(canonical(v));
      if (const Json* nullable = schema.find("nullable"); nullable && nullable->is_bool() && nullable->as_bool())
        values.emplace_back(nullptr);
    }
    if (flat.values) {
      budget_.steps(flat.values->size() * values.size());
      std::erase_if(*flat.values,
                    [&](const Json& v) { return std::find(values.begin(), values.end(), v) == values.end(); });
    } else {
      flat.values = values;
    }
  }
}

void SchemaReader::narrow_numbers(const Json& schema, Flat& flat) {
  for (const char* keyword : {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}) {
    const Json* value = schema.find(keyword);
    if (!value) continue;
    const std::string_view name = keyword;
    if (!value->is_number() || !std::isfinite(value->as_double()))
      refuse(schema, cat(keyword, " must be a number"), Code::invalid);
    const Decimal bound = decimal(*value);
    if (name == "multipleOf") {
      if (bound.negative || bound.digits == "0") refuse(schema, "multipleOf must be over 0", Code::invalid);
      flat.number.multiples.push_back(bound);
    } else {
      auto& list = name.ends_with("inimum") ? flat.number.at_least : flat.number.at_most;
      list.push_back({bound, name.starts_with("exclusive")});
    }
  }
}

void SchemaReader::narrow_containers(const Json& schema, Flat& flat) {
  raise(flat.min_items, count(schema, "minItems", 0));
  lower(flat.max_items, count(schema, "maxItems", -1));
  raise(flat.min_properties, count(schema, "minProperties", 0));
  lower(flat.max_properties, count(schema, "maxProperties", -1));
  const Json *items = schema.find("items"), *prefix = schema.find("prefixItems");
  if (items && items->is_array()) {  // before 2020-12
    if (prefix) refuse(schema, "items as an array and prefixItems exclude each other", Code::invalid);
    prefix = items;
    items = schema.find("additionalItems");
  }
  if (items || prefix) {
    Flat::ArrayRule rule{{}, items};
    if (prefix) {
      if (!prefix->is_array()) refuse(schema, "prefixItems must be an array", Code::invalid);
      for (const Json& item : prefix->as_array()) rule.prefix.push_back(&item);
    }
    flat.arrays.push_back(std::move(rule));
  }
  const Flat::ObjectRule rule{schema.find("properties"), schema.find("patternProperties"),
                              schema.find("additionalProperties")};
  for (const Json* map : {rule.properties, rule.patterns})
    if (map && !map->is_object()) refuse(schema, "properties and patternProperties must be objects", Code::invalid);
  if (rule.properties || rule.patterns || rule.additional) flat.objects.push_back(rule);
  if (const Json* required = schema.find("required")) {
    if (!required->is_array()) refuse(schema, "required must be an array of names", Code::invalid);
    for (const Json& name : required->as_array()) {
      if (!name.is_string()) refuse(schema, "required must be an array of names", Code::invalid);
      auto& list = flat.required;
      if (std::find(list.begin(), list.end(), name.as_string()) == list.end()) list.push_back(name.as_string());
    }
  }
}

Nfa SchemaReader::string_values(const Flat& flat) {
  std::optional<Nfa> all;
  const auto keep = [&](Nfa next) { all = all ? intersect(*all, next, budget_) : std::move(next); };
  for (const auto& format : flat.formats) keep(pattern_dfa(format_pattern(format), false, budget_));
  for (const auto& pattern : flat.patterns) keep(pattern_dfa(pattern, true, budget_));
  if (flat.min_length > 0 || flat.max_length >= 0 || !all) keep(length_dfa(flat.min_length, flat.max_length, budget_));
  return std::move(*all);
}

bool SchemaReader::allows(const Flat& flat, const Json& value) {
  const uint8_t bit = type_bit(value);
  if (!(flat.types & bit)) return false;
  if (flat.values && std::find(flat.values->begin(), flat.values->end(), value) == flat.values->end()) return false;
  if (bit & (kInteger | kFraction))
    return flat.number.any() || accepts(number_dfa(flat.number, false, budget_), number_text(value));
  if (bit == kString) return flat.any_string() || accepts(string_values(flat), value.as_string());
  if ((bit == kArray && !flat.any_array()) || (bit == kObject && !flat.any_object()))
    refuse(root_, "enum or const with an array or object, beside keywords for arrays or objects, is not supported");
  return true;
}

const Nfa& SchemaReader::key_pattern(const std::string& pattern) {
  const auto known = key_patterns_.find(pattern);
  if (known != key_patterns_.end()) return known->second;
  return key_patterns_.emplace(pattern, pattern_dfa(pattern, true, budget_)).first->second;
}

Conjunction SchemaReader::property(const Flat& flat, const std::string& name) {
  std::vector<const Json*> all;
  for (const auto& rule : flat.objects) {
    const size_t before = all.size();
    if (const Json* own = rule.properties ? rule.properties->find(name) : nullptr) all.push_back(own);
    if (rule.patterns)
      for (const auto& [pattern, schema] : rule.patterns->as_object())
        if (accepts(key_pattern(pattern), name)) all.push_back(&schema);
    if (all.size() == before && rule.additional) all.push_back(rule.additional);
  }
  return conjunction(std::move(all));
}

bool SchemaReader::disjoint(const Flat& a, const Flat& b, int depth) {
  budget_.steps(10);
  const uint8_t common = a.types & b.types;
  if (!common) return true;
  if (a.values || b.values) {
    const Flat &one = a.values ? a : b, &other = a.values ? b : a;
    return std::none_of(one.values->begin(), one.values->end(),
                        [&](const Json& v) { return (one.types & type_bit(v)) && allows(other, v); });
  }
  if (common & (kNull | kBool | kArray)) return false;
  if (common & (kInteger | kFraction)) {
    NumberRange both = a.number;
    both.at_least.insert(both.at_least.end(), b.number.at_least.begin(), b.number.at_least.end());
    both.at_most.insert(both.at_most.end(), b.number.at_most.begin(), b.number.at_most.end());
    both.multiples.insert(both.multiples.end(), b.number.multiples.begin(), b.number.multiples.end());
    if (!is_empty(number_dfa(both, !(common & kFraction), budget_))) return false;
  }
  if ((common & kString) &&
      (a.any_string() || b.any_string() || !is_empty(intersect(string_values(a), string_values(b), budget_))))
    return false;
  return !(common & kObject) || disjoint_objects(a, b, depth);
}

// A property that both must have, with values that exclude each other.
bool SchemaReader::disjoint_objects(const Flat& a, const Flat& b, int depth) {
  if (depth == 3) return false;
  for (const auto* one : {&a, &b}) {
    const Flat& other = one == &a ? b : a;
    for (const auto& name : one->required) {
      const bool both = std::find(other.required.begin(), other.required.end(), name) != other.required.end();
      const auto theirs = flatten(property(other, name));
      if (!both && !theirs.empty()) continue;
      bool apart = true;
      for (const Flat& x : flatten(property(*one, name)))
        for (const Flat& y : theirs) apart = apart && disjoint(x, y, depth + 1);
      if (apart) return true;
    }
  }
  return false;
}

}  // namespace jevons::grammar
