#include "cli/line_input.h"

#include <editline/readline.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>

namespace jevons {

LineInput::LineInput() : terminal_(::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1) {
  if (terminal_) using_history();
}

std::optional<std::string> LineInput::read(const std::string& prompt) {
  if (!terminal_) {
    std::string line;
    if (!std::getline(std::cin, line)) return std::nullopt;
    return line;
  }
  char* line = readline(prompt.c_str());
  if (!line) return std::nullopt;
  std::string out = line;
  std::free(line);
  if (!out.empty()) add_history(out.c_str());
  return out;
}

}  // namespace jevons
