#include <algorithm>

#include "base/strings.h"
#include "base/thread_pool.h"
#include "cli/command.h"

namespace jevons {
namespace {

// "-", "-3" and "-.5" are values, "-n" and "--count" are options.
bool is_option(std::string_view text) {
  return text.size() > 1 && text[0] == '-' && text[1] != '.' && !(text[1] >= '0' && text[1] <= '9');
}

class Parser {
 public:
  Parser(const Command& command, std::vector<Option> options) : command_(command), options_(std::move(options)) {
    given_.resize(options_.size());
  }

  Result<bool> parse(const std::vector<std::string>& arguments) {
    bool only_values = false;
    for (size_t i = 0; i < arguments.size(); ++i) {
      const std::string& argument = arguments[i];
      if (!only_values && argument == "--") {
        only_values = true;
      } else if (only_values || !is_option(argument)) {
        JEVONS_TRY_STATUS(take_positional(argument));
      } else if (argument == "-h" || argument == "--help") {
        return false;
      } else {
        JEVONS_TRY_STATUS(take_option(arguments, i));
      }
    }
    for (size_t k = 0; k < options_.size(); ++k) {
      if (options_[k].rules().required && !given_[k]) return usage(cat(options_[k].names().back(), " is missing"));
    }
    return true;
  }

 private:
  Error usage(std::string message) const {
    return {Code::usage, cat(message, "; see 'jevons ", command_.name, " --help'")};
  }

  Status take_positional(std::string_view text) {
    for (size_t k = 0; k < options_.size(); ++k) {
      if (options_[k].positional() && (!given_[k] || options_[k].many())) return set(k, text);
    }
    return usage(cat("unexpected argument ", quote(text)));
  }

  // arguments[i] is an option; moves i on to its value if that is an argument of its own.
  Status take_option(const std::vector<std::string>& arguments, size_t& i) {
    const size_t equals = arguments[i].find('=');
    const std::string name = arguments[i].substr(0, equals);
    for (size_t k = 0; k < options_.size(); ++k) {
      const Option& option = options_[k];
      if (option.positional() || std::ranges::find(option.names(), name) == option.names().end()) continue;
      if (option.flag()) return equals == name.npos ? set(k, "") : usage(cat(name, " takes no value"));
      if (given_[k] && !option.many()) return usage(cat(name, " is given twice"));
      if (equals != name.npos) return set(k, std::string_view(arguments[i]).substr(equals + 1));
      if (i + 1 == arguments.size()) return usage(cat(name, " needs a value (", option.value_name(), ")"));
      return set(k, arguments[++i]);
    }
    return unknown(name);
  }

  Status unknown(std::string_view name) const {
    std::vector<std::string> names = {"--help"};
    for (const Option& option : options_) {
      if (!option.positional()) names.insert(names.end(), option.names().begin(), option.names().end());
    }
    const std::string near = nearest(name, names);
    return usage(cat("unknown option ", quote(name), near.empty() ? "" : cat("; did you mean ", near, "?")));
  }

  Status set(size_t k, std::string_view text) {
    given_[k] = true;
    return options_[k].set(text);
  }

  const Command& command_;
  std::vector<Option> options_;
  std::vector<char> given_;
};

}  // namespace

std::vector<Option> common_options(Common& common) {
  return {
      {"--json", &common.json, "machine-readable output: one object on stdout, or one object a line"},
      {"--threads", &common.threads, "threads; 0: the physical cores this process may use", {.min = 0, .max = 4096}},
      {"--seed", &common.seed, "seed of everything random"},
      {"--quiet", &common.quiet, "no progress and no notes on stderr"}};
}

Result<bool> parse_arguments(const Command& command, Common& common, const std::vector<std::string>& arguments) {
  std::vector<Option> options = command.options;
  for (Option& option : common_options(common)) options.push_back(std::move(option));
  JEVONS_TRY(const bool go_on, Parser(command, std::move(options)).parse(arguments));
  if (common.threads == 0) common.threads = usable_cores();
  return go_on;
}

}  // namespace jevons
