// Compares two folders written by `jevons logits --trace`: the first result that differs is where to look.
#pragma once
#include <string>

namespace jevons {

// Prints per file the largest difference relative to the root mean square of the first; returns the exit code.
int diff_traces(const std::string& a, const std::string& b, bool json);

}  // namespace jevons
