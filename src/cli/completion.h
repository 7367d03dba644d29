// Completion scripts for shells, made from the table of commands.
#pragma once
#include <string>
#include <vector>

#include "cli/command.h"

namespace jevons {

// Commands, options, an option's choices, names in the store; files where nothing else fits.
std::string bash_completion(const std::vector<Command>& commands);
std::string zsh_completion(const std::vector<Command>& commands);
std::string fish_completion(const std::vector<Command>& commands);

}  // namespace jevons
