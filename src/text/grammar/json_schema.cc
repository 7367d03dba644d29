// JSON Schema to a grammar. Every set of schemas that a value must satisfy is one rule, so recursive schemas end in
// recursive rules.
#include <algorithm>
#include <deque>
#include <map>

#include "base/strings.h"
#include "text/grammar/automaton.h"
#include "text/grammar/grammar.h"
#include "text/grammar/schema_flat.h"

namespace jevons::grammar {
namespace {

constexpr size_t kMaxKeyPatterns = 3;

class SchemaCompiler {
 public:
  SchemaCompiler(const Json& root, const JsonSchemaOptions& options, Budget& budget)
      : budget_(budget), x_(budget), reader_(root, options, budget) {
    space_ = x_.empty();
    after_colon_ = x_.empty();
    if (options.space == JsonSchemaOptions::Space::free) {
      const RuleId space = x_.declare("space");
      const ExprId blank = x_.choice({x_.literal(" "), x_.literal("\t")});
      x_.define(space,
                x_.optional(x_.choice({x_.literal(" "), x_.sequence({x_.optional(x_.literal("\r")), x_.literal("\n"),
                                                                     x_.repeat(blank, 0, options.indent)})})));
      space_ = x_.rule(space);
      after_colon_ = x_.optional(x_.literal(" "));
    }
    string_ = named("string", any_string(x_));
    number_ = named("number", any_number(x_));
    integer_ = named("integer", any_integer(x_));
  }

  GrammarPtr compile(const Conjunction& schemas, uint8_t types = 127) {
    const RuleId top = x_.declare("text");
    Conjunction all = SchemaReader::conjunction(schemas);
    x_.define(top, types == 127 ? value(all) : of_types(types));
    while (!pending_.empty()) {
      const auto [id, rule_schemas] = pending_.front();
      pending_.pop_front();
      std::vector<ExprId> options;
      for (const Flat& flat : reader_.flatten(rule_schemas)) add_options(flat, options);
      x_.define(id, x_.choice(std::move(options)));
    }
    return std::make_shared<const Grammar>(compile_rules(x_), top, reader_.warnings());
  }

 private:
  ExprId named(std::string name, ExprId body) {
    const RuleId id = x_.declare(std::move(name));
    x_.define(id, body);
    return x_.rule(id);
  }

  // A value that satisfies all of these schemas.
  ExprId value(Conjunction schemas) {
    const auto known = rules_.find(schemas);
    if (known != rules_.end()) return x_.rule(known->second);
    const RuleId id = x_.declare(cat("value ", rules_.size()));
    rules_.emplace(schemas, id);
    pending_.emplace_back(id, std::move(schemas));
    return x_.rule(id);
  }

  ExprId of_types(uint8_t types) {
    Flat flat;
    flat.types = types;
    std::vector<ExprId> options;
    add_options(flat, options);
    return x_.choice(std::move(options));
  }

  void add_options(const Flat& flat, std::vector<ExprId>& options) {
    if (flat.values) {
      for (const Json& v : *flat.values)
        if (reader_.allows(flat, v)) options.push_back(exactly(v));
      return;
    }
    if (flat.types & kNull) options.push_back(x_.literal("null"));
    if (flat.types & kBool) options.insert(options.end(), {x_.literal("true"), x_.literal("false")});
    if (flat.types & kInteger) options.push_back(number(flat));
    if (flat.types & kString) options.push_back(flat.any_string() ? string_ : spelled_of(reader_.string_values(flat)));
    if (flat.types & kArray) options.push_back(array(flat));
    if (flat.types & kObject) options.push_back(object(flat));
  }

  ExprId number(const Flat& flat) {
    const bool integer = !(flat.types & kFraction);
    if (flat.number.any()) return integer ? integer_ : number_;
    return x_.automaton(std::make_shared<const Nfa>(number_dfa(flat.number, integer, budget_)));
  }

  ExprId spelled_of(const Nfa& values) { return x_.automaton(std::make_shared<const Nfa>(spelled(values, budget_))); }

  ExprId string_literal(std::string_view text) {
    std::string out;
    append_json_string(out, text);
    return x_.literal(std::move(out));
  }

  // This value, with white space where it may be.
  ExprId exactly(const Json& v) {
    if (v.is_number()) return x_.literal(number_text(v));
    if (v.is_string()) return string_literal(v.as_string());
    if (!v.is_array() && !v.is_object()) return x_.literal(v.dump());
    std::vector<ExprId> parts{x_.literal(v.is_array() ? "[" : "{")};
    const auto item = [&](const std::string* key, const Json& child) {
      if (parts.size() > 1) parts.push_back(x_.literal(","));
      parts.push_back(space_);
      if (key) parts.insert(parts.end(), {string_literal(*key), x_.literal(":"), after_colon_});
      parts.push_back(exactly(child));
    };
    if (v.is_array())
      for (const Json& child : v.as_array()) item(nullptr, child);
    else
      for (const auto& [key, child] : v.as_object()) item(&key, child);
    parts.insert(parts.end(), {space_, x_.literal(v.is_array() ? "]" : "}")});
    return x_.sequence(std::move(parts));
  }

  // Node 0: before the opening bracket; node 1 + i: i items; the last node: behind the closing one.
  ExprId array(const Flat& flat) {
    int64_t last = std::max<int64_t>({1, flat.min_items, flat.max_items});
    for (const auto& rule : flat.arrays) last = std::max(last, static_cast<int64_t>(rule.prefix.size()));
    if (flat.max_items >= 0) last = flat.max_items;
    budget_.states(last);
    const auto end = static_cast<int32_t>(last) + 2;
    std::vector<Exprs::GraphEdge> edges{{0, 1, x_.literal("[")}};
    const auto item = [&](int64_t i) {
      std::vector<const Json*> all;
      for (const auto& rule : flat.arrays)
        if (const Json* own = i < static_cast<int64_t>(rule.prefix.size()) ? rule.prefix[i] : rule.items)
          all.push_back(own);
      const ExprId v = value(SchemaReader::conjunction(std::move(all)));
      return i == 0 ? x_.sequence({space_, v}) : x_.sequence({x_.literal(","), space_, v});
    };
    const ExprId close = x_.sequence({space_, x_.literal("]")});
    for (int64_t i = 0; i <= last; ++i) {
      const auto node = static_cast<int32_t>(i) + 1;
      if (i < last) edges.push_back({node, node + 1, item(i)});
      if (i == last && flat.max_items < 0) edges.push_back({node, node, item(i)});
      if (i >= flat.min_items) edges.push_back({node, end, close});
    }
    return x_.graph(end + 1, std::move(edges));
  }

  std::vector<std::string> declared_names(const Flat& flat) {
    std::vector<std::string> names;
    const auto add = [&](const std::string& name) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    };
    for (const auto& rule : flat.objects)
      if (rule.properties)
        for (const auto& [name, schema] : rule.properties->as_object()) add(name);
    for (const auto& name : flat.required) add(name);
    return names;
  }

  // Members whose names are not declared: for each set of patterns that a name may match, the names and the values.
  std::vector<ExprId> free_members(const Flat& flat, const std::vector<std::string>& names) {
    std::vector<std::string> patterns;
    for (const auto& rule : flat.objects)
      if (rule.patterns)
        for (const auto& [pattern, schema] : rule.patterns->as_object())
          if (std::find(patterns.begin(), patterns.end(), pattern) == patterns.end()) patterns.push_back(pattern);
    if (patterns.size() > kMaxKeyPatterns)
      throw Error(Code::unsupported, cat("a schema has over ", kMaxKeyPatterns, " patternProperties in one object"));
    std::vector<ExprId> members;
    for (size_t matched = 0; matched < size_t{1} << patterns.size(); ++matched) {
      std::vector<const Json*> all;
      for (const auto& rule : flat.objects) {
        const size_t before = all.size();
        for (size_t p = 0; p < patterns.size(); ++p)
          if (const Json* own = (matched >> p & 1) && rule.patterns ? rule.patterns->find(patterns[p]) : nullptr)
            all.push_back(own);
        if (all.size() == before && rule.additional) all.push_back(rule.additional);
      }
      if (std::any_of(all.begin(), all.end(), [](const Json* s) { return s->is_bool() && !s->as_bool(); })) continue;
      members.push_back(member(free_key(names, patterns, matched), value(SchemaReader::conjunction(std::move(all)))));
    }
    return members;
  }

  ExprId free_key(const std::vector<std::string>& names, const std::vector<std::string>& patterns, size_t matched) {
    if (names.empty() && patterns.empty()) return string_;
    Nfa keys = length_dfa(0, -1, budget_);
    if (!names.empty()) keys = intersect(keys, complement(texts_dfa(names, budget_), budget_), budget_);
    for (size_t p = 0; p < patterns.size(); ++p) {
      const Nfa& pattern = reader_.key_pattern(patterns[p]);
      keys = intersect(keys, matched >> p & 1 ? pattern : complement(pattern, budget_), budget_);
    }
    return spelled_of(keys);
  }

  ExprId member(ExprId key, ExprId v) { return x_.sequence({space_, key, x_.literal(":"), after_colon_, v}); }

  // Declared members in their order, then free ones. Nodes are (declared members passed, members written so far, as
  // far as that matters: for the comma and for minProperties and maxProperties).
  ExprId object(const Flat& flat) {
    const auto names = declared_names(flat);
    const auto free = free_members(flat, names);
    // The same free name may be written twice, so only the first free member is sure to count for minProperties.
    if (flat.min_properties > 1 && !free.empty() && flat.min_properties > static_cast<int64_t>(flat.required.size()))
      throw Error(
          Code::unsupported,
          "minProperties over 1 together with names that are not declared is not supported: name the required ones");
    const int64_t cap = std::max<int64_t>({1, flat.min_properties, flat.max_properties});
    const auto n = static_cast<int64_t>(names.size());
    budget_.states((n + 1) * (cap + 1));
    const auto node = [&](int64_t passed, int64_t written) {
      return static_cast<int32_t>(1 + passed * (cap + 1) + written);
    };
    const int32_t end = node(n + 1, 0);
    std::vector<Exprs::GraphEdge> edges{{0, node(0, 0), x_.literal("{")}};
    const ExprId comma = x_.literal(","), close = x_.sequence({space_, x_.literal("}")}), nothing = x_.empty();
    for (int64_t written = 0; written <= cap; ++written) {
      const int64_t next = std::min(written + 1, cap);
      const bool room = flat.max_properties < 0 || written < flat.max_properties;
      const auto separated = [&](ExprId m) { return written == 0 ? m : x_.sequence({comma, m}); };
      for (int64_t i = 0; i < n; ++i) {
        const bool required = std::find(flat.required.begin(), flat.required.end(), names[i]) != flat.required.end();
        const ExprId m = member(string_literal(names[i]), value(reader_.property(flat, names[i])));
        if (room) edges.push_back({node(i, written), node(i + 1, next), separated(m)});
        if (!required) edges.push_back({node(i, written), node(i + 1, written), nothing});
      }
      if (room)
        for (const ExprId m : free) edges.push_back({node(n, written), node(n, next), separated(m)});
      if (written >= flat.min_properties) edges.push_back({node(n, written), end, close});
    }
    return x_.graph(end + 1, std::move(edges));
  }

  Budget& budget_;
  Exprs x_;
  SchemaReader reader_;
  ExprId space_, after_colon_, string_, number_, integer_;
  std::map<Conjunction, RuleId> rules_;
  std::deque<std::pair<RuleId, Conjunction>> pending_;
};

}  // namespace
}  // namespace jevons::grammar

namespace jevons {

Result<GrammarPtr> Grammar::from_json_schema(const Json& schema, const JsonSchemaOptions& options) {
  try {
    grammar::Budget budget(options.limits.states, options.limits.steps);
    return grammar::SchemaCompiler(schema, options, budget).compile({&schema});
  } catch (const Error& error) {
    return error;
  }
}

GrammarPtr Grammar::json_object(const JsonSchemaOptions& options) {
  const Json any(true);
  grammar::Budget budget(options.limits.states, options.limits.steps);
  return grammar::SchemaCompiler(any, options, budget).compile({&any}, grammar::kObject);
}

}  // namespace jevons
