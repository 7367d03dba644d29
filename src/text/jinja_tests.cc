// The tests of templates: `value is name`.
#include <algorithm>

#include "base/strings.h"
#include "text/jinja_eval.h"

namespace jevons::jinja {
namespace {

bool iterable(const Value& value) {
  return value.is_undefined() || value.is_text() || value.list() || value.dict() || value.loop();
}

// What has a length and an index.
bool sequence(const Value& value) {
  if (const List* list = value.list()) return list->kind <= List::Kind::range;
  return value.is_text() || value.dict() || value.is_undefined();
}

int64_t integer(const Value& value, std::string_view test) {
  if (value.is_undefined()) template_error(value.reason());
  if (!value.is_int() && !value.is_bool())
    template_error(cat("the test ", quote(test), " needs an integer, not ", value.type_name()));
  return value.as_int();
}

std::optional<bool> plain_test(const std::string& name, const Value& value) {
  if (name == "defined") return !value.is_undefined();
  if (name == "undefined") return value.is_undefined();
  if (name == "none") return value.is_none();
  if (name == "boolean") return value.is_bool();
  if (name == "true") return value.is_bool() && value.as_bool();
  if (name == "false") return value.is_bool() && !value.as_bool();
  if (name == "integer") return value.is_int();
  if (name == "float") return value.is_real();
  if (name == "number") return value.is_number();
  if (name == "string") return value.is_text();
  if (name == "mapping") return value.dict() != nullptr;
  if (name == "iterable") return iterable(value);
  if (name == "sequence") return sequence(value);
  if (name == "callable") return value.function() || value.is_undefined();
  if (name == "odd") return integer(value, name) % 2 != 0;
  if (name == "even") return integer(value, name) % 2 == 0;
  return {};
}

}  // namespace

bool Interpreter::test(const std::string& name, const Value& input, const Args& args) {
  if (const auto result = plain_test(name, input)) {
    args.bind(cat("the test ", name), {});
    return *result;
  }
  const auto is = [&](std::initializer_list<std::string_view> names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (!is({"equalto", "eq", "==", "ne", "!=", "lt", "<", "lessthan", "le", "<=", "gt", ">", "greaterthan", "ge",
           ">=", "in", "sameas", "divisibleby"}))
    throw Error(Code::unsupported, cat("the test ", quote(name), " is not part of this Jinja subset"));
  const auto bound = args.bind(cat("the test ", name), {"other"});
  if (!bound[0]) template_error(cat("the test ", quote(name), " needs an argument"));
  const Value& other = *bound[0];
  spend((input.weight() + other.weight()) / 64);
  if (is({"equalto", "eq", "=="})) return equal(input, other);
  if (is({"ne", "!="})) return !equal(input, other);
  if (is({"lt", "<", "lessthan"})) return compare(input, other) < 0;
  if (is({"le", "<="})) return compare(input, other) <= 0;
  if (is({"gt", ">", "greaterthan"})) return compare(input, other) == 1;
  if (is({"ge", ">="})) return compare(input, other) == 0 || compare(input, other) == 1;
  if (name == "in") return contains(other, input);
  if (name == "sameas") {
    if (input.is_none() || input.is_bool()) return input.is_bool() == other.is_bool() && equal(input, other);
    throw Error(Code::unsupported, "the test \"sameas\" is only part of this Jinja subset for none, true and false");
  }
  const int64_t divisor = integer(other, name);
  if (divisor == 0) template_error("division by zero");
  return divisor == -1 || integer(input, name) % divisor == 0;
}

}  // namespace jevons::jinja
