// Another program beside this one: rounds alternate, so that both meet the same disturbances, and the median of the
// ratios of the rounds counts.
#pragma once
#include <string>
#include <vector>

#include "base/json.h"

namespace jevons {

double median(std::vector<double> values);  // 0 of none
// The median over the rounds of a / b.
double median_ratio(const std::vector<double>& a, const std::vector<double>& b);

// Runs a shell command and reads the JSON that its output holds from the first `opens` ('{' or '[') on. Throws Error if
// the command fails (with its text, to try it by hand) or prints something else.
Json run_peer(const std::string& command, char opens);

// The word as the shell takes it unchanged.
std::string shell_word(const std::string& text);

}  // namespace jevons
