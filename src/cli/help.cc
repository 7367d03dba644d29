#include <algorithm>

#include "base/strings.h"
#include "cli/command.h"

namespace jevons {
namespace {

// "  LEFT     RIGHT", the right part wrapped and aligned.
void append_row(std::string& out, const std::string& left, std::string_view right, size_t column) {
  out += "  " + left;
  size_t at = left.size() + 2;
  if (at + 2 > column) out += '\n', at = 0;
  out.append(column - at, ' ');
  for (size_t width = 100 - column; right.size() > width;) {
    const size_t cut = right.rfind(' ', width);
    if (cut == right.npos || cut == 0) break;
    out.append(right.substr(0, cut)).append("\n").append(column, ' ');
    right.remove_prefix(cut + 1);
  }
  out.append(right).append("\n");
}

std::string label(const Option& option) {
  std::string text;
  for (const std::string& name : option.names()) text += (text.empty() ? "" : ", ") + name;
  if (!option.positional() && !option.flag()) text += " " + option.value_name();
  return text;
}

void append_options(std::string& out, const char* title, const std::vector<Option>& options, bool positional) {
  bool first = true;
  for (const Option& option : options) {
    if (option.positional() != positional) continue;
    if (std::exchange(first, false)) out += cat("\n", title, ":\n");
    const std::string standard = option.default_text();
    append_row(out, label(option), option.help() + (standard.empty() ? "" : cat(" (default ", standard, ")")), 28);
  }
}

}  // namespace

std::string command_help(const Command& command) {
  std::string out =
      cat("jevons ", command.name, ": ", command.summary, "\n\nusage: jevons ", command.name, " [options]");
  for (const Option& option : command.options) {
    if (!option.positional()) continue;
    const std::string name = option.names()[0] + (option.many() ? "..." : "");
    out += option.rules().required ? " " + name : " [" + name + "]";
  }
  out += "\n";
  if (!command.details.empty()) out += cat("\n", command.details, "\n");
  append_options(out, "arguments", command.options, true);
  append_options(out, "options", command.options, false);
  Common common;
  append_options(out, "common options", common_options(common), false);
  out += "\nexamples:\n";
  for (const std::string& example : command.examples) out += cat("  ", example, "\n");
  return out;
}

std::string overview(const std::vector<Command>& commands) {
  std::string out = "jevons: language models on your own CPU\n\nusage: jevons COMMAND [options]\n\ncommands:\n";
  for (const Command& command : commands) append_row(out, command.name, command.summary, 18);
  return out +
         "\n'jevons COMMAND --help' explains a command and gives examples; 'jevons --version' names this build.\n";
}

}  // namespace jevons
