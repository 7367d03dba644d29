// The filters of templates: `value | name(arguments)`. Each says what jinja2's filter of that name does.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>

#include "base/strings.h"
#include "text/jinja_eval.h"
#include "text/jinja_text.h"

namespace jevons::jinja {
namespace {

using Machine = Interpreter;
using Filter = Value (*)(Machine&, const Value&, const Args&);

Value iterator(std::vector<Value> items) { return make_list(std::move(items), List::Kind::iterator); }

bool flag(const std::optional<Value>& value, bool absent) { return value ? value->truthy() : absent; }

int64_t integer(const std::optional<Value>& value, int64_t absent, std::string_view filter) {
  if (!value) return absent;
  if (!value->is_int() && !value->is_bool())
    template_error(cat("the filter ", filter, " needs an integer, not ", value->type_name()));
  return value->as_int();
}

// What attribute='a.b.0' selects.
std::function<Value(const Value&)> getter(Machine& m, const std::optional<Value>& path,
                                          std::optional<Value> absent = {}) {
  if (!path || path->is_none()) return [](const Value& item) { return item; };
  std::vector<Value> keys;
  if (!path->is_text()) {
    keys.push_back(*path);
  } else {
    for (const std::string& part : split(path->text(), ".", -1)) {
      const bool digits =
          !part.empty() && part.size() < 19 && part.find_first_not_of("0123456789") == std::string::npos;
      keys.push_back(digits ? Value(static_cast<int64_t>(std::strtoll(part.c_str(), nullptr, 10))) : Value(part));
    }
  }
  return [&m, keys, absent](const Value& item) {
    Value value = item;
    for (const Value& key : keys) {
      value = m.item(value, key);
      if (value.is_undefined() && absent) value = *absent;
    }
    return value;
  };
}

// Text compares without case unless `case_sensitive`.
Value folded(const Value& value, bool case_sensitive) {
  return value.is_text() && !case_sensitive ? Value(lower(value.text())) : value;
}

Args rest_of(const Args& args, size_t from) {
  Args rest;
  for (size_t i = from; i < args.positional.size(); ++i) rest.positional.push_back(args.positional[i]);
  rest.named = args.named;
  return rest;
}

// select, reject, selectattr and rejectattr: keeps the items for which the test (truth without one) gives `wanted`.
Value selected(Machine& m, const Value& input, const Args& args, bool by_attribute, bool wanted) {
  if (by_attribute && args.positional.empty()) template_error("the filter needs the name of an attribute");
  const auto get = getter(m, by_attribute ? std::optional(args.positional[0]) : std::nullopt);
  const size_t at = by_attribute;
  std::string name;
  if (args.positional.size() > at) {
    if (!args.positional[at].is_text()) template_error("the name of a test must be a text");
    name = args.positional[at].text();
  }
  std::vector<Value> kept;
  for (const Value& item : m.iterate(input)) {
    m.spend(1);
    const Value value = get(item);
    const bool holds = name.empty() ? value.truthy() : m.test(name, value, rest_of(args, at + 1));
    if (holds == wanted) kept.push_back(item);
  }
  return iterator(std::move(kept));
}

Value map(Machine& m, const Value& input, const Args& args) {
  std::vector<Value> items;
  if (args.positional.empty()) {
    const auto bound = args.bind("the filter map", {"attribute", "default"});
    if (!bound[0]) template_error("the filter map needs the name of a filter or attribute=");
    const auto get = getter(m, bound[0], bound[1]);
    for (const Value& item : m.iterate(input)) items.push_back(get(item));
  } else {
    if (!args.positional[0].is_text()) template_error("the name of a filter must be a text");
    for (const Value& item : m.iterate(input))
      items.push_back(m.filter(args.positional[0].text(), item, rest_of(args, 1)));
  }
  return iterator(std::move(items));
}

Value join(Machine& m, const Value& input, const Args& args) {
  const auto bound = args.bind("the filter join", {"d", "attribute"});
  const std::string between = bound[0] ? m.text_of(*bound[0]) : "";
  const auto get = getter(m, bound[1]);
  Value out = "";
  std::string text;
  bool first = true;
  for (const Value& item : m.iterate(input)) {
    if (!std::exchange(first, false)) text += between;
    text += m.text_of(get(item));
    m.spend(static_cast<int64_t>(between.size()) / 64);
    if (text.size() > (size_t{1} << 20)) out = m.add(out, std::exchange(text, {}));  // add() holds the limit
  }
  return m.add(out, text);
}

Value replace_text(Machine& m, const Value& input, const Args& args) {
  const auto bound = args.bind("the filter replace", {"old", "new", "count"});
  if (!bound[0] || !bound[1]) template_error("the filter replace needs two arguments");
  const std::string text = m.text_of(input), from = m.text_of(*bound[0]), to = m.text_of(*bound[1]);
  const int64_t limit = bound[2] && !bound[2]->is_none() ? integer(bound[2], -1, "replace") : -1;
  const size_t hits = from.empty() ? text.size() + 1 : text.size() / from.size();  // at most
  int64_t bytes = 0;
  if (__builtin_mul_overflow(static_cast<int64_t>(hits), static_cast<int64_t>(to.size()), &bytes)) bytes = INT64_MAX;
  if (bytes > (int64_t{1} << 20)) {  // count before building
    int64_t found = from.empty() ? static_cast<int64_t>(hits) : 0;
    for (size_t at = from.empty() ? text.npos : text.find(from); at != text.npos;
         at = text.find(from, at + from.size()))
      ++found;
    if (limit >= 0) found = std::min(found, limit);
    if (__builtin_mul_overflow(found, static_cast<int64_t>(to.size()), &bytes)) bytes = INT64_MAX - 64;
    m.spend(bytes / 64);
    if (bytes > kMaxWeight) throw Error(Code::too_large, "the filter replace would build a text past the limit");
  }
  return replace(text, from, to, limit);
}

Value indent(Machine& m, const Value& input, const Args& args) {
  const auto bound = args.bind("the filter indent", {"width", "first", "blank"});
  const int64_t width = bound[0] && bound[0]->is_text() ? 0 : integer(bound[0], 4, "indent");
  if (width > 1000) throw Error(Code::too_large, "the filter indent: the width is over 1000");
  const std::string margin = bound[0] && bound[0]->is_text()
                                 ? bound[0]->text()
                                 : std::string(static_cast<size_t>(std::max<int64_t>(width, 0)), ' ');
  const bool first = flag(bound[1], false), blank = flag(bound[2], false);
  const std::vector<std::string> lines = split_lines(m.text_of(input) + "\n");
  Value out = "";
  for (size_t i = 0; i < lines.size(); ++i) {
    std::string line;
    if (i > 0) line += '\n';
    if (i == 0 ? first : blank || !lines[i].empty()) line += margin;
    out = m.add(out, line += lines[i]);
  }
  return out;
}

Value tojson(Machine& m, const Value& input, const Args& args) {
  const auto bound = args.bind("the filter tojson", {"ensure_ascii", "indent", "separators", "sort_keys"});
  m.spend_on(input);
  DumpStyle style;
  style.ascii = flag(bound[0], false);
  style.sort_keys = flag(bound[3], false);
  if (bound[1] && !bound[1]->is_none()) {
    if (!bound[1]->is_text() && integer(bound[1], 0, "tojson") > 100)
      throw Error(Code::too_large, "the filter tojson: the indent is over 100");
    style.indent = bound[1]->is_text()
                       ? bound[1]->text()
                       : std::string(static_cast<size_t>(std::max<int64_t>(bound[1]->as_int(), 0)), ' ');
    style.item_separator = ',';
  }
  if (bound[2] && !bound[2]->is_none()) {
    const std::vector<Value> pair = m.iterate(*bound[2]);
    if (pair.size() != 2 || !pair[0].is_text() || !pair[1].is_text())
      template_error("the filter tojson: separators must be two texts");
    style.item_separator = pair[0].text();
    style.key_separator = pair[1].text();
  }
  m.spend(input.weight() / 64 * static_cast<int64_t>(1 + (style.indent ? style.indent->size() : 0)));
  return dump_json(input, style);
}

// do_title of jinja2: words begin after white space, "-" and opening brackets only.
Value title_words(Machine& m, const Value& input, const Args& args) {
  args.bind("the filter title", {});
  std::string out, word;
  const auto flush = [&] {
    if (word.empty()) return;
    const size_t first = code_point_bytes(word, 0);
    out += upper(std::string_view(word).substr(0, first));
    out += lower(std::string_view(word).substr(first));
    word.clear();
  };
  for (char32_t code : decode_utf8(m.text_of(input))) {
    const bool separator = code == '-' || code == '(' || code == '{' || code == '[' || code == '<' || is_space(code);
    if (separator) flush();
    append_utf8(separator ? out : word, code);
  }
  flush();
  return out;
}

Value round_number(Machine&, const Value& input, const Args& args) {
  const auto bound = args.bind("the filter round", {"precision", "method"});
  const int64_t digits = integer(bound[0], 0, "round");
  const std::string how = bound[1] && bound[1]->is_text() ? bound[1]->text() : "common";
  if (!input.is_number()) template_error(cat("the filter round needs a number, not ", input.type_name()));
  if (how != "common" && how != "ceil" && how != "floor")
    template_error("the filter round: method is common, ceil or floor");
  if (digits < 0 || digits > 300) throw Error(Code::unsupported, "the filter round: precision outside 0 to 300");
  if (how != "common") {
    const double scale = std::pow(10.0, static_cast<double>(digits));
    return (how == "ceil" ? std::ceil(input.as_real() * scale) : std::floor(input.as_real() * scale)) / scale;
  }
  if (!input.is_real()) return input.as_int();
  char text[700];
  std::snprintf(text, sizeof text, "%.*f", static_cast<int>(digits), input.as_real());
  return std::strtod(text, nullptr);
}

// Python's int(text) and float(text): white space around, "_" between digits.
std::optional<std::string> number_text(const std::string& text) {
  std::string out;
  const std::string_view body = strip(text, {}, true, true);
  const auto digit = [&](size_t i) { return i < body.size() && body[i] >= '0' && body[i] <= '9'; };
  for (size_t i = 0; i < body.size(); ++i) {
    if (body[i] != '_')
      out += body[i];
    else if (i == 0 || !digit(i - 1) || !digit(i + 1))
      return {};
  }
  return out;
}

std::optional<int64_t> parse_int(const std::string& text) {
  const auto number = number_text(text);
  if (!number) return {};
  const size_t first = number->find_first_of("+-") == 0;
  if (first == number->size() || number->find_first_not_of("0123456789", first) != std::string::npos) return {};
  errno = 0;
  const int64_t value = std::strtoll(number->c_str(), nullptr, 10);
  if (errno) throw Error(Code::unsupported, "an integer over 64 bits is not part of this Jinja subset");
  return value;
}

std::optional<double> parse_real(const std::string& text) {
  const auto number = number_text(text);
  if (!number || number->empty() || number->find_first_of("xXpP(") != std::string::npos) return {};
  char* end = nullptr;
  const double value = std::strtod(number->c_str(), &end);
  if (*end != '\0') return {};
  return value;
}

Value to_int(Machine&, const Value& input, const Args& args) {
  const auto bound = args.bind("the filter int", {"default", "base"});
  if (integer(bound[1], 10, "int") != 10)
    throw Error(Code::unsupported, "the filter int: only base 10 is part of this subset");
  const Value absent = bound[0].value_or(int64_t{0});
  if (input.is_undefined()) template_error(input.reason());
  if (input.is_bool() || input.is_int()) return input.as_int();
  std::optional<double> real;
  if (input.is_real()) real = input.as_real();
  if (input.is_text()) {
    if (const auto value = parse_int(input.text())) return *value;
    real = parse_real(input.text());
  }
  if (!real || !std::isfinite(*real)) return absent;
  if (std::fabs(*real) >= 9.2e18)
    throw Error(Code::unsupported, "an integer over 64 bits is not part of this Jinja subset");
  return static_cast<int64_t>(*real);
}

Value to_real(Machine&, const Value& input, const Args& args) {
  const auto bound = args.bind("the filter float", {"default"});
  if (input.is_undefined()) template_error(input.reason());
  if (input.is_number()) return input.as_real();
  if (input.is_text())
    if (const auto value = parse_real(input.text())) return *value;
  return bound[0].value_or(0.0);
}

// The items, ordered by `key` (stable).
void sort_by(std::vector<Value>& items, const std::function<Value(const Value&)>& key, bool reverse, Machine& m) {
  std::vector<std::pair<Value, Value>> keyed;
  for (Value& item : items) {
    Value k = key(item);
    keyed.emplace_back(std::move(k), std::move(item));
  }
  std::stable_sort(keyed.begin(), keyed.end(), [&](const auto& a, const auto& b) {
    m.spend(1);
    return reverse ? compare(b.first, a.first) < 0 : compare(a.first, b.first) < 0;
  });
  for (size_t i = 0; i < items.size(); ++i) items[i] = std::move(keyed[i].second);
}

Value sort(Machine& m, const Value& input, const Args& args) {
  const auto bound = args.bind("the filter sort", {"reverse", "case_sensitive", "attribute"});
  if (bound[2] && bound[2]->is_text() && bound[2]->text().find(',') != std::string::npos)
    throw Error(Code::unsupported, "the filter sort: several attributes are not part of this Jinja subset");
  const auto get = getter(m, bound[2]);
  std::vector<Value> items = m.iterate(input);
  sort_by(
      items, [&](const Value& item) { return folded(get(item), flag(bound[1], false)); }, flag(bound[0], false), m);
  return make_list(std::move(items));
}

Value dictsort(Machine& m, const Value& input, const Args& args) {
  const auto bound = args.bind("the filter dictsort", {"case_sensitive", "by", "reverse"});
  const Dict* dict = input.dict();
  if (!dict) template_error(cat("the filter dictsort needs a dict, not ", input.type_name()));
  const bool by_value = bound[1] && bound[1]->is_text() && bound[1]->text() == "value";
  std::vector<Value> items;
  for (const auto& [key, value] : dict->items) items.push_back(make_list({key, value}, List::Kind::tuple));
  sort_by(
      items, [&](const Value& item) { return folded(item.list()->items[by_value], flag(bound[0], false)); },
      flag(bound[2], false), m);
  return make_list(std::move(items));
}

Value unique(Machine& m, const Value& input, const Args& args) {
  const auto bound = args.bind("the filter unique", {"case_sensitive", "attribute"});
  const auto get = getter(m, bound[1]);
  std::vector<Value> kept, keys;
  for (const Value& item : m.iterate(input)) {
    Value key = folded(get(item), flag(bound[0], false));
    m.spend(static_cast<int64_t>(keys.size()) / 8);
    if (std::any_of(keys.begin(), keys.end(), [&](const Value& seen) { return equal(seen, key); })) continue;
    keys.push_back(std::move(key));
    kept.push_back(item);
  }
  return iterator(std::move(kept));
}

Value extreme(Machine& m, const Value& input, const Args& args, bool largest) {
  const auto bound = args.bind(largest ? "the filter max" : "the filter min", {"case_sensitive", "attribute"});
  const auto get = getter(m, bound[1]);
  const std::vector<Value> items = m.iterate(input);
  if (items.empty()) return Value::undefined("No aggregated item, sequence was empty.");
  const auto key = [&](const Value& item) { return folded(get(item), flag(bound[0], false)); };
  const Value* best = &items[0];
  for (const Value& item : items) {
    m.spend(1);
    const int order = compare(key(item), key(*best));
    if (largest ? order == 1 : order < 0) best = &item;
  }
  return *best;
}

Value sum(Machine& m, const Value& input, const Args& args) {
  const auto bound = args.bind("the filter sum", {"attribute", "start"});
  const auto get = getter(m, bound[0]);
  Value total = bound[1].value_or(int64_t{0});
  for (const Value& item : m.iterate(input)) total = m.add(total, get(item));
  return total;
}

Value reverse(Machine& m, const Value& input, const Args& args) {
  args.bind("the filter reverse", {});
  if (input.is_text()) {
    std::u32string codes = decode_utf8(input.text());
    std::reverse(codes.begin(), codes.end());
    return encode_utf8(codes);
  }
  std::vector<Value> items = m.iterate(input);
  std::reverse(items.begin(), items.end());
  return iterator(std::move(items));
}

Value first(Machine& m, const Value& input, const Args& args) {
  args.bind("the filter first", {});
  const std::vector<Value> items = m.iterate(input);
  return items.empty() ? Value::undefined("No first item, sequence was empty.") : items.front();
}

Value last(Machine& m, const Value& input, const Args& args) {
  args.bind("the filter last", {});
  if (input.list() && input.list()->kind == List::Kind::iterator) template_error("an iterator has no last item");
  const std::vector<Value> items = m.iterate(input);
  return items.empty() ? Value::undefined("No last item, sequence was empty.") : items.back();
}

Value items_of(Machine&, const Value& input, const Args& args) {
  args.bind("the filter items", {});
  std::vector<Value> items;
  if (const Dict* dict = input.dict()) {
    for (const auto& [key, value] : dict->items) items.push_back(make_list({key, value}, List::Kind::tuple));
  } else if (!input.is_undefined()) {
    template_error(cat("the filter items needs a dict, not ", input.type_name()));
  }
  return iterator(std::move(items));
}

Value default_value(Machine&, const Value& input, const Args& args) {
  const auto bound = args.bind("the filter default", {"default_value", "boolean"});
  return input.is_undefined() || (flag(bound[1], false) && !input.truthy()) ? bound[0].value_or("") : input;
}

Value trim(Machine& m, const Value& input, const Args& args) {
  const auto bound = args.bind("the filter trim", {"chars"});
  const bool spaces = !bound[0] || bound[0]->is_none();
  const std::string chars = spaces ? "" : m.text_of(*bound[0]);
  return strip(m.text_of(input), spaces ? std::nullopt : std::optional<std::string_view>(chars), true, true);
}

Value escape(Machine& m, const Value& input, const Args& args) {
  args.bind("the filter escape", {});
  std::string out;
  for (char c : m.text_of(input)) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&#34;";
    else if (c == '\'')
      out += "&#39;";
    else
      out += c;
  }
  return out;
}

Value absolute(Machine&, const Value& input, const Args& args) {
  args.bind("the filter abs", {});
  if (input.is_undefined()) template_error(input.reason());
  if (!input.is_number()) template_error(cat("the filter abs needs a number, not ", input.type_name()));
  if (input.is_real()) return std::fabs(input.as_real());
  if (input.as_int() == INT64_MIN) throw Error(Code::unsupported, "the result of abs needs more than 64 bits");
  return std::abs(input.as_int());
}

template <std::string (*Function)(std::string_view)>
Value by_text(Machine& m, const Value& input, const Args& args) {
  args.bind("the filter", {});
  return Function(m.text_of(input));
}

Value text(Machine& m, const Value& input, const Args& args) {
  args.bind("the filter", {});
  return m.text_of(input);
}

Value length(Machine& m, const Value& input, const Args& args) {
  args.bind("the filter length", {});
  m.spend_on(input);
  return m.length(input);
}

Value list(Machine& m, const Value& input, const Args& args) {
  args.bind("the filter list", {});
  return make_list(m.iterate(input));
}

const std::map<std::string_view, Filter>& filters() {
  static const std::map<std::string_view, Filter> table = {
      {"abs", absolute},
      {"capitalize", by_text<capitalize>},
      {"count", length},
      {"d", default_value},
      {"default", default_value},
      {"dictsort", dictsort},
      {"e", escape},
      {"escape", escape},
      {"first", first},
      {"float", to_real},
      {"indent", indent},
      {"int", to_int},
      {"items", items_of},
      {"join", join},
      {"last", last},
      {"length", length},
      {"list", list},
      {"lower", by_text<lower>},
      {"map", map},
      {"max", [](Machine& m, const Value& in, const Args& args) { return extreme(m, in, args, true); }},
      {"min", [](Machine& m, const Value& in, const Args& args) { return extreme(m, in, args, false); }},
      {"reject", [](Machine& m, const Value& in, const Args& args) { return selected(m, in, args, false, false); }},
      {"rejectattr", [](Machine& m, const Value& in, const Args& args) { return selected(m, in, args, true, false); }},
      {"replace", replace_text},
      {"reverse", reverse},
      {"round", round_number},
      {"safe", text},
      {"select", [](Machine& m, const Value& in, const Args& args) { return selected(m, in, args, false, true); }},
      {"selectattr", [](Machine& m, const Value& in, const Args& args) { return selected(m, in, args, true, true); }},
      {"sort", sort},
      {"string", text},
      {"sum", sum},
      {"title", title_words},
      {"tojson", tojson},
      {"trim", trim},
      {"unique", unique},
      {"upper", by_text<upper>},
  };
  return table;
}

}  // namespace

Value Interpreter::filter(const std::string& name, const Value& input, const Args& args) {
  const auto found = filters().find(name);
  if (found == filters().end())
    throw Error(Code::unsupported, cat("the filter ", quote(name), " is not part of this Jinja subset"));
  spend(1);
  return found->second(*this, input, args);
}

}  // namespace jevons::jinja
