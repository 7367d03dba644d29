// A subcommand as data: its options, help, completion and JSON behaviour all come from one declaration.
//
// To add one: write src/cli/cmd_NAME.cc with `Command NAME_command()` and add a line to src/cli/commands.inc.
//
//   struct Options { std::string model; int count = 128; };
//   int run(const Options& o, const Common& common);              // returns the exit code; throws Error
//   Command show_command() {
//     auto o = std::make_shared<Options>();
//     return {.name = "show", .summary = "what a model is",
//             .options = {{"MODEL", &o->model, "a name, folder or file", {.required = true}},
//                         {"-n,--count", &o->count, "how many"}},
//             .examples = {"jevons show", "jevons show --json"},
//             .run = [o](const Common& common) { return run(*o, common); }};
//   }
#pragma once
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"

namespace jevons {

// What every command understands.
struct Common {
  bool json = false;   // one object on stdout, or one object a line
  bool quiet = false;  // no progress, no notes
  int threads = 0;     // --threads; usable_cores() if not given
  std::optional<uint64_t> seed;
};

// Details of an option that most do not need.
struct OptionRules {
  bool required = false;
  std::string value{};                                    // placeholder in the help, e.g. "DIR"; by type if empty
  std::vector<std::string> choices{};                     // the only values accepted
  double min = -std::numeric_limits<double>::infinity();  // for numbers, inclusive
  double max = std::numeric_limits<double>::infinity();
};

// One option or positional argument, bound to the variable that it sets. The variable's value at declaration is the
// default that the help shows. Vectors collect: a repeated option, or all remaining positional arguments.
class Option {
 public:
  using Target = std::variant<bool*, int*, int64_t*, uint64_t*, double*, std::string*, std::optional<int>*,
                              std::optional<uint64_t>*, std::optional<double>*, std::optional<std::string>*,
                              std::vector<std::string>*>;
  // names: "--temp", "-n,--count", or "MODEL" for a positional argument.
  Option(std::string names, Target target, std::string help, OptionRules rules = {});

  const std::vector<std::string>& names() const { return names_; }
  const std::string& help() const { return help_; }
  const OptionRules& rules() const { return rules_; }
  bool positional() const { return names_[0][0] != '-'; }
  bool flag() const { return std::holds_alternative<bool*>(target_); }
  bool many() const { return std::holds_alternative<std::vector<std::string>*>(target_); }
  std::string value_name() const;    // "N", "X", "TEXT", the choices, or "" for a flag
  std::string default_text() const;  // "" if there is none worth showing
  // Parses and stores; a flag takes "". The error is a sentence that names the option.
  Status set(std::string_view text) const;

 private:
  std::vector<std::string> names_;
  Target target_;
  std::string help_;
  OptionRules rules_;
};

struct Command {
  std::string name;  // one word, or two: "bench run"
  std::string summary;
  std::string details{};  // paragraphs for --help
  std::vector<Option> options{};
  std::vector<std::string> examples{};  // complete command lines, at least two
  std::function<int(const Common&)> run;
};

// All commands, in the order of commands.inc.
std::vector<Command> all_commands();

// The options that every command has, bound to `common`.
std::vector<Option> common_options(Common& common);

std::string command_help(const Command& command);
std::string overview(const std::vector<Command>& commands);

// Sets the options of `command` from its arguments. False: --help was asked for. Options and positional arguments may
// be mixed; "--opt=value" and "--opt value" are the same; "--" ends the options; "-" and negative numbers are values.
Result<bool> parse_arguments(const Command& command, Common& common, const std::vector<std::string>& arguments);

// The whole program: finds the command, parses, runs, reports errors. Returns the exit code: 0 success, 1 bad input,
// 2 bad usage, 130 interrupted. An error is one line "jevons: MESSAGE" on stderr, and with --json also
// {"error":{"code":"...","message":"..."}} on stdout.
int run_program(const std::vector<std::string>& arguments);

}  // namespace jevons
