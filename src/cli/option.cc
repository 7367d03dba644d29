#include <charconv>
#include <cmath>
#include <type_traits>

#include "base/strings.h"
#include "cli/command.h"

namespace jevons {
namespace {

template <class T>
struct Plain {
  using type = T;
};
template <class T>
struct Plain<std::optional<T>> {
  using type = T;
};

// The type that an option's target holds, without optional.
template <class Pointer>
using ValueOf = typename Plain<std::remove_pointer_t<Pointer>>::type;

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (true) {
    const size_t at = text.find(separator);
    parts.emplace_back(text.substr(0, at));
    if (at == text.npos) return parts;
    text.remove_prefix(at + 1);
  }
}

std::string range_text(const OptionRules& rules) {
  const bool low = std::isfinite(rules.min), high = std::isfinite(rules.max);
  if (low && high) return cat(" from ", rules.min, " to ", rules.max);
  if (low) return cat(" of at least ", rules.min);
  if (high) return cat(" of at most ", rules.max);
  return "";
}

template <class T>
Result<T> parse_number(std::string_view name, std::string_view text, const OptionRules& rules) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const double number = static_cast<double>(value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(number) || number < rules.min ||
      number > rules.max) {
    const char* const kind = std::is_floating_point_v<T> ? "a number"
                             : std::is_unsigned_v<T>     ? "a whole number from 0 on"
                                                         : "a whole number";
    return Error(Code::usage, cat(name, ": expected ", kind, range_text(rules), ", found ", quote(text)));
  }
  return value;
}

}  // namespace

Option::Option(std::string names, Target target, std::string help, OptionRules rules)
    : names_(split(names, ',')), target_(target), help_(std::move(help)), rules_(std::move(rules)) {
  for (const std::string& name : names_) JEVONS_CHECK(!name.empty(), names);
}

std::string Option::value_name() const {
  if (!rules_.value.empty()) return rules_.value;
  if (!rules_.choices.empty()) {
    std::string all;
    for (const std::string& choice : rules_.choices) all += (all.empty() ? "" : "|") + choice;
    return all;
  }
  return std::visit(
      [](auto* target) -> std::string {
        using T = ValueOf<decltype(target)>;
        if constexpr (std::is_same_v<T, bool>) return "";
        if constexpr (std::is_integral_v<T>) return "N";
        if constexpr (std::is_floating_point_v<T>) return "X";
        return "TEXT";
      },
      target_);
}

std::string Option::default_text() const {
  return std::visit(
      [](auto* target) -> std::string {
        using T = std::remove_pointer_t<decltype(target)>;
        if constexpr (std::is_same_v<T, bool>)
          return "";
        else if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>)
          return cat(*target);
        else
          return "";
      },
      target_);
}

Status Option::set(std::string_view text) const {
  const std::string& name = names_.back();
  if (!rules_.choices.empty()) {
    bool known = false;
    for (const std::string& choice : rules_.choices) known |= choice == text;
    if (!known) {
      const std::string near = nearest(text, rules_.choices);
      return Error(Code::usage, cat(name, ": expected one of ", value_name(), ", found ", quote(text),
                                    near.empty() ? "" : cat("; did you mean ", near, "?")));
    }
  }
  return std::visit(
      [&](auto* target) -> Status {
        using Bound = std::remove_pointer_t<decltype(target)>;
        using T = ValueOf<decltype(target)>;
        if constexpr (std::is_same_v<T, bool>) {
          *target = true;
        } else if constexpr (std::is_arithmetic_v<T>) {
          JEVONS_TRY(*target, parse_number<T>(name, text, rules_));
        } else if constexpr (std::is_same_v<Bound, std::vector<std::string>>) {
          target->emplace_back(text);
        } else {
          *target = std::string(text);
        }
        return {};
      },
      target_);
}

}  // namespace jevons
