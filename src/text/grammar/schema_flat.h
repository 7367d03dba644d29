// JSON Schemas as alternatives of flat nodes: $ref followed, allOf merged, anyOf and oneOf multiplied out.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "text/grammar/grammar.h"
#include "text/grammar/json_text.h"

namespace jevons::grammar {

using Conjunction = std::vector<const Json*>;  // schemas that must all hold; sorted, without duplicates and `true`

enum TypeBits : uint8_t { kNull = 1, kBool = 2, kInteger = 4, kFraction = 8, kString = 16, kArray = 32, kObject = 64 };

struct Flat {
  struct ArrayRule {
    std::vector<const Json*> prefix{};
    const Json* items = nullptr;
  };
  struct ObjectRule {
    const Json *properties = nullptr, *patterns = nullptr, *additional = nullptr;
  };
  uint8_t types = 127;
  std::optional<std::vector<Json>> values{};
  NumberRange number{};
  int64_t min_length = 0, max_length = -1;
  std::vector<std::string> patterns{}, formats{};
  int64_t min_items = 0, max_items = -1;
  std::vector<ArrayRule> arrays{};
  int64_t min_properties = 0, max_properties = -1;
  std::vector<std::string> required{};
  std::vector<ObjectRule> objects{};

  bool any_string() const { return min_length == 0 && max_length < 0 && patterns.empty() && formats.empty(); }
  bool any_array() const { return min_items == 0 && max_items < 0 && arrays.empty(); }
  bool any_object() const { return min_properties == 0 && max_properties < 0 && required.empty() && objects.empty(); }
};

// A number with integral value as integer, all through.
Json canonical(const Json& value);
uint8_t type_bit(const Json& value);
// JSON text of a number, without exponent.
std::string number_text(const Json& value);

class SchemaReader {
 public:
  SchemaReader(const Json& root, const JsonSchemaOptions& options, Budget& budget)
      : root_(root), options_(options), budget_(budget) {}

  std::vector<Flat> flatten(const Conjunction& schemas);
  static Conjunction conjunction(std::vector<const Json*> schemas);

  // The strings that a flat node allows, as values. Throws if it allows all.
  Nfa string_values(const Flat& flat);
  bool allows(const Flat& flat, const Json& value);
  // The schemas that a flat node puts on the property `name`.
  Conjunction property(const Flat& flat, const std::string& name);
  const Nfa& key_pattern(const std::string& pattern);

  [[noreturn]] void refuse(const Json& at, std::string_view what, Code code = Code::unsupported) const;
  std::vector<std::string>& warnings() { return warnings_; }

 private:
  void apply(const Json& schema, std::vector<Flat>& nodes, int depth);
  void apply_branches(const Json& schema, const char* keyword, std::vector<Flat>& nodes, int depth);
  void check_keywords(const Json& schema);
  void narrow(const Json& schema, Flat& flat);
  void narrow_numbers(const Json& schema, Flat& flat);
  void narrow_containers(const Json& schema, Flat& flat);
  void narrow_values(const Json& schema, Flat& flat);
  const Json& resolve(const Json& schema, const std::string& ref);
  int64_t count(const Json& schema, const char* keyword, int64_t absent);
  void warn(std::string message);

  bool disjoint(const Flat& a, const Flat& b, int depth);
  bool disjoint_objects(const Flat& a, const Flat& b, int depth);

  const Json& root_;
  const JsonSchemaOptions& options_;
  Budget& budget_;
  std::map<std::string, Nfa> key_patterns_;
  std::vector<std::string> warnings_;
};

}  // namespace jevons::grammar
