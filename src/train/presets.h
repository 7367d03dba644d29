// Shapes by name for `jevons train`: configs/shapes/NAME.json, small models with DeepSeek-V3's architecture.
//   micro: 1.2 M parameters (0.67 M active), for tests and first tries;  nano: 7.4 M (2.7 M active), for a hundred
//   megabytes of text in an hour or two on two cores.
// Weights start normal with the report's deviation 0.006 at width 7168 carried over to width D: 0.006 sqrt(7168 / D).
#pragma once
#include <string>
#include <vector>

#include "base/json.h"

namespace jevons {

// Null if there is no such preset.
const Json* find_preset(const std::string& name);
std::vector<std::string> preset_names();
// Fields of config.json that a training file may set, for suggestions.
std::vector<std::string> model_fields();

}  // namespace jevons
