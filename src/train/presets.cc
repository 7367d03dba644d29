#include "train/presets.h"

#include <algorithm>
#include <map>

namespace jevons {

extern const char* const kMicroShape;  // configs/shapes (embed.cmake)
extern const char* const kNanoShape;

namespace {

const std::map<std::string, Json>& presets() {
  static const std::map<std::string, Json> all = {{"micro", Json::parse(kMicroShape).value()},
                                                  {"nano", Json::parse(kNanoShape).value()}};
  return all;
}

}  // namespace

const Json* find_preset(const std::string& name) {
  const auto found = presets().find(name);
  return found == presets().end() ? nullptr : &found->second;
}

std::vector<std::string> preset_names() {
  std::vector<std::string> out;
  for (const auto& [name, config] : presets()) out.push_back(name);
  return out;
}

std::vector<std::string> model_fields() {
  std::vector<std::string> out = {"head_dim", "sliding_window"};
  for (const auto& [key, value] : presets().at("micro").as_object()) out.push_back(key);
  return out;
}

}  // namespace jevons
