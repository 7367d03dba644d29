#include <unistd.h>

#include <algorithm>
#include <new>

#include "base/interrupt.h"
#include "base/progress.h"
#include "base/strings.h"
#include "cli/command.h"
#include "cli/output.h"

namespace jevons {

#define JEVONS_COMMAND(name) Command name##_command();
#include "cli/commands.inc"
#undef JEVONS_COMMAND

std::vector<Command> all_commands() {
  std::vector<Command> all;
#define JEVONS_COMMAND(name) all.push_back(name##_command());
#include "cli/commands.inc"
#undef JEVONS_COMMAND
  return all;
}

namespace {

const char* code_name(Code code) {
  switch (code) {
    case Code::invalid:
      return "invalid";
    case Code::not_found:
      return "not_found";
    case Code::io:
      return "io";
    case Code::too_large:
      return "too_large";
    case Code::unsupported:
      return "unsupported";
    case Code::interrupted:
      return "interrupted";
    case Code::usage:
      return "usage";
  }
  return "unknown";
}

int exit_code(Code code) { return code == Code::usage ? 2 : code == Code::interrupted ? 130 : 1; }

// The command whose one or two words open the arguments; the longest wins.
const Command* find_command(const std::vector<Command>& commands, const std::vector<std::string>& arguments,
                            size_t& words) {
  for (words = 2; words > 0; --words) {
    if (arguments.size() < words) continue;
    const std::string name = words == 2 ? arguments[0] + " " + arguments[1] : arguments[0];
    for (const Command& command : commands) {
      if (command.name == name) return &command;
    }
  }
  return nullptr;
}

Error unknown_command(const std::vector<Command>& commands, const std::vector<std::string>& arguments) {
  const std::string& word = arguments[0];
  std::vector<std::string> names;
  std::string members;  // of the group `word`, as in "bench run"
  for (const Command& command : commands) {
    names.push_back(command.name);
    if (command.name.starts_with(word + " ")) members += (members.empty() ? "" : ", ") + command.name;
  }
  if (!members.empty()) return {Code::usage, cat("'jevons ", word, "' needs a second word: ", members)};
  const std::string near = nearest(word, names);
  return {Code::usage, cat("unknown command ", quote(word), near.empty() ? "" : cat("; did you mean '", near, "'?"),
                           " See 'jevons --help'.")};
}

int dispatch(std::vector<std::string> arguments) {
  Common common;
  const std::vector<Command> commands = all_commands();
  if (arguments.empty()) {
    if (::isatty(STDIN_FILENO) != 1 || ::isatty(STDOUT_FILENO) != 1) {
      throw Error(Code::usage, "no command given; see 'jevons --help'");
    }
    arguments = {"chat"};
  }
  if (arguments[0] == "--version") return print("jevons " JEVONS_VERSION "\n"), 0;
  const bool help = arguments[0] == "help" || arguments[0] == "--help" || arguments[0] == "-h";
  if (help && arguments.size() == 1) return print(overview(commands)), 0;
  if (help) arguments.erase(arguments.begin()), arguments.push_back("--help");
  size_t words = 0;
  const Command* const command = find_command(commands, arguments, words);
  if (!command) throw unknown_command(commands, arguments);
  const std::vector<std::string> rest(arguments.begin() + static_cast<ptrdiff_t>(words), arguments.end());
  if (!parse_arguments(*command, common, rest).value()) return print(command_help(*command)), 0;
  set_quiet(common.quiet);
  return command->run(common);
}

int report(const Error& error, bool json) {
  set_quiet(false);
  if (error.code() != Code::interrupted || !interrupted()) note(error.message());
  try {
    const Json::Object details = {{"code", code_name(error.code())}, {"message", error.message()}};
    if (json) print_json(Json::Object{{"error", details}});
  } catch (const Error&) {
    // stdout takes nothing; the note on stderr has said it
  }
  return exit_code(error.code());
}

}  // namespace

int run_program(const std::vector<std::string>& arguments) {
  const bool json = std::ranges::find(arguments, "--json") != arguments.end();  // holds for errors of usage, too
  try {
    try {
      return dispatch(arguments);
    } catch (const Error& error) {
      return report(error, json);
    } catch (const std::bad_alloc&) {
      return report({Code::too_large, "out of memory; 'jevons inspect MODEL' tells what a model needs"}, json);
    } catch (const std::exception& error) {
      return report({Code::io, error.what()}, json);
    }
  } catch (const OutputClosed&) {
    return 0;
  }
}

}  // namespace jevons
