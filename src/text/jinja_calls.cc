// Functions, macros and the methods of text, dicts, lists and loops.
#include <algorithm>

#include "base/strings.h"
#include "text/jinja_eval.h"
#include "text/jinja_text.h"

namespace jevons::jinja {
namespace {

constexpr std::string_view kTextMethods[] = {
    "capitalize", "count",     "endswith",     "find",         "index",   "isspace", "join",       "lower",
    "lstrip",     "partition", "removeprefix", "removesuffix", "replace", "rfind",   "rpartition", "rsplit",
    "rstrip",     "split",     "splitlines",   "startswith",   "strip",   "title",   "upper"};
// Methods of Python's str that this subset does not have: an error, where another name is just undefined.
constexpr std::string_view kOtherTextMethods[] = {
    "casefold", "center",    "encode",  "expandtabs",   "format",   "format_map", "isalnum",     "isalpha",
    "isascii",  "isdecimal", "isdigit", "isidentifier", "islower",  "isnumeric",  "isprintable", "istitle",
    "isupper",  "ljust",     "rindex",  "rjust",        "swapcase", "translate",  "zfill"};

int64_t int_argument(const std::optional<Value>& value, int64_t absent, std::string_view callee) {
  if (!value || value->is_none()) return absent;
  if (!value->is_int() && !value->is_bool())
    template_error(cat(callee, ": expected an integer, found ", value->type_name()));
  return value->as_int();
}

const std::string& text_argument(const std::optional<Value>& value, std::string_view callee) {
  if (!value) template_error(cat(callee, ": an argument is missing"));
  if (value->is_undefined()) template_error(value->reason());
  if (!value->is_text()) template_error(cat(callee, ": expected a text, found ", value->type_name()));
  return value->text();
}

std::optional<std::string_view> optional_text(const std::optional<Value>& value, std::string_view callee) {
  if (!value || value->is_none()) return {};
  return text_argument(value, callee);
}

Value text_list(std::vector<std::string> parts, List::Kind kind = List::Kind::list) {
  std::vector<Value> items;
  for (std::string& part : parts) items.emplace_back(std::move(part));
  return make_list(std::move(items), kind);
}

bool affixed(const std::string& self, bool at_start, const std::optional<Value>& affix, std::string_view callee) {
  if (affix && affix->list() && affix->list()->kind == List::Kind::tuple)
    return std::any_of(affix->list()->items.begin(), affix->list()->items.end(),
                       [&](const Value& one) { return affixed(self, at_start, one, callee); });
  const std::string& text = text_argument(affix, callee);
  return at_start ? self.starts_with(text) : self.ends_with(text);
}

// Bytes to code points, for find().
int64_t position(const std::string& text, size_t at) {
  return at == std::string::npos ? -1 : static_cast<int64_t>(count_code_points(std::string_view(text).substr(0, at)));
}

Value partition(const std::string& self, const std::string& separator, bool from_right) {
  if (separator.empty()) template_error("partition: the separator is empty");
  const size_t at = from_right ? self.rfind(separator) : self.find(separator);
  if (at == std::string::npos)
    return text_list(from_right ? std::vector<std::string>{"", "", self} : std::vector<std::string>{self, "", ""},
                     List::Kind::tuple);
  return text_list({self.substr(0, at), separator, self.substr(at + separator.size())}, List::Kind::tuple);
}

std::string formatted_time(const std::string& format, std::time_t now) {
  if (format.size() > 1000) throw Error(Code::too_large, "strftime_now: the format has more than 1000 bytes");
  std::tm parts{};
  localtime_r(&now, &parts);
  std::string out(format.size() * 100 + 100, '\0');
  out.resize(std::strftime(out.data(), out.size(), format.c_str(), &parts));
  return out;
}

}  // namespace

bool is_global(std::string_view name) {
  for (std::string_view global : {"range", "dict", "namespace", "raise_exception", "strftime_now"})
    if (name == global) return true;
  return false;
}

bool is_text_method(std::string_view name) {
  if (std::find(std::begin(kOtherTextMethods), std::end(kOtherTextMethods), name) != std::end(kOtherTextMethods))
    throw Error(Code::unsupported, cat("the text method ", quote(name), " is not part of this Jinja subset"));
  return std::find(std::begin(kTextMethods), std::end(kTextMethods), name) != std::end(kTextMethods);
}

std::vector<std::optional<Value>> Args::bind(std::string_view callee,
                                             std::initializer_list<std::string_view> names) const {
  std::vector<std::optional<Value>> bound(names.size());
  if (positional.size() > names.size())
    template_error(cat(callee, " takes at most ", names.size(), " arguments, not ", positional.size()));
  for (size_t i = 0; i < positional.size(); ++i) bound[i] = positional[i];
  for (const auto& [name, value] : named) {
    const auto it = std::find(names.begin(), names.end(), name);
    if (it == names.end()) template_error(cat(callee, " has no argument ", quote(name)));
    auto& slot = bound[static_cast<size_t>(it - names.begin())];
    if (slot) template_error(cat(callee, ": the argument ", quote(name), " is given twice"));
    slot = value;
  }
  return bound;
}

Value Interpreter::call(const Value& callee, const Args& args) {
  if (callee.is_undefined()) template_error(callee.reason());
  const Function* function = callee.function();
  if (!function) template_error(cat("a value of type ", callee.type_name(), " cannot be called"));
  const Value& self = function->self;
  spend_on(self);
  if (function->macro) return call_macro(*function->macro, args);
  if (self.is_text()) return call_text(self.text(), function->name, args);
  if (const Dict* dict = self.dict()) return call_dict(*dict, function->name, args);
  if (const List* list = self.list()) return call_list(*list, function->name, args);
  if (const Loop* loop = self.loop()) return call_loop(*loop, function->name, args);
  return call_global(function->name, args);
}

Value Interpreter::call_global(const std::string& name, const Args& args) {
  if (name == "namespace") return make_namespace(args);
  if (name == "raise_exception") {
    const auto bound = args.bind(name, {"message"});
    template_error(cat("the template refuses this conversation: ", bound[0] ? text_of(*bound[0]) : ""));
  }
  if (name == "strftime_now") return formatted_time(text_argument(args.bind(name, {"format"})[0], name), now_);
  if (name == "dict") {
    if (args.positional.size() > 1) template_error("dict takes at most 1 positional argument");
    std::vector<std::pair<Value, Value>> items;
    if (!args.positional.empty()) {
      if (const Dict* from = args.positional[0].dict())
        items = from->items;
      else
        template_error(cat("dict: expected a dict, found ", args.positional[0].type_name()));
    }
    for (const auto& [key, value] : args.named) items.emplace_back(key, value);
    return make_dict(std::move(items));
  }
  const auto bound = args.bind("range", {"start", "stop", "step"});
  if (!bound[0]) template_error("range needs at least 1 argument");
  const int64_t first = bound[1] ? int_argument(bound[0], 0, "range") : 0;
  const int64_t stop = int_argument(bound[1] ? bound[1] : bound[0], 0, "range");
  const int64_t step = int_argument(bound[2], 1, "range");
  if (step == 0) template_error("range: the step cannot be 0");
  std::vector<Value> items;
  for (int64_t i = first; step > 0 ? i < stop : i > stop;) {
    if (items.size() == 100'000) template_error("range: more than 100000 elements");
    spend(0);
    items.emplace_back(i);
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  return make_list(std::move(items), List::Kind::range);
}

Value Interpreter::make_namespace(const Args& args) {
  spend(50);
  auto space = std::make_unique<Namespace>();
  if (args.positional.size() > 1) template_error("namespace takes at most 1 positional argument");
  if (!args.positional.empty()) {
    const Dict* from = args.positional[0].dict();
    if (!from) template_error(cat("namespace: expected a dict, found ", args.positional[0].type_name()));
    for (const auto& [key, value] : from->items) space->items.emplace_back(to_text(key), value);
  }
  for (const auto& [name, value] : args.named) {
    if (Value* held = space->find(name))
      *held = value;
    else
      space->items.emplace_back(name, value);
  }
  for (const auto& [name, value] : space->items)
    if (name.starts_with('_'))
      template_error(cat("a namespace takes no attribute ", quote(name), ": it starts with \"_\""));
  namespaces_.push_back(std::move(space));
  return namespaces_.back().get();
}

Value Interpreter::call_macro(const Macro& macro, const Args& args) {
  const Stmt& definition = *macro.definition;
  const auto& parameters = definition.targets;
  if (args.positional.size() > parameters.size())
    template_error(cat("the macro ", quote(definition.name), " takes at most ", parameters.size(), " arguments"));
  auto scope = std::make_shared<Scope>();
  scope->parent = macro.scope;
  std::shared_ptr<Scope> saved = std::exchange(scope_, scope);
  const size_t without_default = parameters.size() - definition.defaults.size();
  size_t used = 0;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const std::string& name = parameters[i]->name;
    Value value = Value::undefined(cat("the parameter '", name, "' was not given"));
    const auto named =
        std::find_if(args.named.begin(), args.named.end(), [&](const auto& arg) { return arg.first == name; });
    if (i < args.positional.size()) {
      if (named != args.named.end()) template_error(cat("the argument ", quote(name), " is given twice"));
      value = args.positional[i];
    } else if (named != args.named.end()) {
      value = named->second;
      ++used;
    } else if (i >= without_default) {
      value = eval(*definition.defaults[i - without_default]);
    }
    scope->variables.emplace_back(name, std::move(value));
  }
  if (used != args.named.size())
    template_error(cat("the macro ", quote(definition.name), " does not have all of the named arguments"));
  std::string text;
  std::string* const out = std::exchange(out_, &text);
  run(definition.body);
  out_ = out;
  scope_ = std::move(saved);
  return text;
}

Value Interpreter::call_text(const std::string& self, const std::string& name, const Args& args) {
  if (name == "strip" || name == "lstrip" || name == "rstrip")
    return strip(self, optional_text(args.bind(name, {"chars"})[0], name), name != "rstrip", name != "lstrip");
  if (name == "startswith" || name == "endswith")
    return affixed(self, name == "startswith", args.bind(name, {"prefix"})[0], name);
  if (name == "split" || name == "rsplit") {
    const auto bound = args.bind(name, {"sep", "maxsplit"});
    const auto separator = optional_text(bound[0], name);
    if (separator && separator->empty()) template_error("split: the separator is empty");
    const int64_t limit = int_argument(bound[1], -1, name);
    spend(static_cast<int64_t>(self.size()) / 8);
    return text_list(name == "split" ? split(self, separator, limit) : split_from_right(self, separator, limit));
  }
  if (name == "replace") {
    const auto bound = args.bind(name, {"old", "new", "count"});
    return filter(
        "replace", self,
        {{text_argument(bound[0], name), text_argument(bound[1], name), Value(int_argument(bound[2], -1, name))}, {}});
  }
  if (name == "partition" || name == "rpartition")
    return partition(self, text_argument(args.bind(name, {"sep"})[0], name), name == "rpartition");
  if (name == "removeprefix" || name == "removesuffix") {
    const std::string& affix = text_argument(args.bind(name, {"affix"})[0], name);
    if (name == "removeprefix") return self.starts_with(affix) ? self.substr(affix.size()) : self;
    return self.ends_with(affix) ? self.substr(0, self.size() - affix.size()) : self;
  }
  if (name == "find" || name == "index" || name == "rfind") {
    const std::string& sub = text_argument(args.bind(name, {"sub"})[0], name);
    const int64_t at = position(self, name == "rfind" ? self.rfind(sub) : self.find(sub));
    if (name == "index" && at < 0) template_error("index: the text does not contain it");
    return at;
  }
  if (name == "count") {
    const std::string& sub = text_argument(args.bind(name, {"sub"})[0], name);
    if (sub.empty()) return static_cast<int64_t>(count_code_points(self)) + 1;
    int64_t count = 0;
    for (size_t at = self.find(sub); at != std::string::npos; at = self.find(sub, at + sub.size())) ++count;
    return count;
  }
  if (name == "join") return filter("join", args.bind(name, {"iterable"})[0].value_or(Value()), {{self}, {}});
  args.bind(name, {});
  if (name == "upper") return upper(self);
  if (name == "lower") return lower(self);
  if (name == "title") return title(self);
  if (name == "capitalize") return capitalize(self);
  if (name == "splitlines") return text_list(split_lines(self));
  return !self.empty() && strip(self, {}, true, false).empty();  // isspace
}

Value Interpreter::call_dict(const Dict& self, const std::string& name, const Args& args) {
  if (name == "get") {
    const auto bound = args.bind(name, {"key", "default"});
    if (!bound[0]) template_error("get: the key is missing");
    const Value* found = self.find(*bound[0]);
    return found ? *found : bound[1].value_or(None{});
  }
  args.bind(name, {});
  if (name == "copy") return make_dict(self.items);
  std::vector<Value> items;
  for (const auto& [key, value] : self.items) {
    if (name == "keys")
      items.push_back(key);
    else if (name == "values")
      items.push_back(value);
    else
      items.push_back(make_list({key, value}, List::Kind::tuple));
  }
  return make_list(std::move(items), List::Kind::view);
}

Value Interpreter::call_list(const List& self, const std::string& name, const Args& args) {
  if (name == "copy") return args.bind(name, {}), make_list(self.items);
  const auto bound = args.bind(name, {"value"});
  if (!bound[0]) template_error(cat(name, ": the value is missing"));
  int64_t count = 0;
  for (size_t i = 0; i < self.items.size(); ++i) {
    if (!equal(self.items[i], *bound[0])) continue;
    if (name == "index") return static_cast<int64_t>(i);
    ++count;
  }
  if (name == "index") template_error("index: the list does not contain it");
  return count;
}

Value Interpreter::call_loop(const Loop& self, const std::string& name, const Args& args) {
  if (!args.named.empty() || (name == "cycle" && args.positional.empty()))
    template_error(cat("loop.", name, " takes positional arguments"));
  if (name == "cycle") return args.positional[self.index % args.positional.size()];
  const bool same = self.seen && std::equal(self.seen->begin(), self.seen->end(), args.positional.begin(),
                                            args.positional.end(), equal);
  self.seen = args.positional;
  return !same;
}

}  // namespace jevons::jinja
