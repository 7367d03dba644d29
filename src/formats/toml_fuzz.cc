// Fuzz target: a TOML text. What is accepted has a line for every key and can be written as JSON.
#include <cstdint>

#include "formats/toml.h"

namespace {

void check(const jevons::Json& object, const std::string& path, const jevons::Toml& toml) {
  for (const auto& [key, value] : object.as_object()) {
    const std::string inner = path.empty() ? key : path + "." + key;
    JEVONS_CHECK(toml.lines.contains(inner));
    if (value.is_object()) check(value, inner, toml);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto toml = jevons::parse_toml({reinterpret_cast<const char*>(data), size});
  if (!toml.ok()) return 0;
  check(toml->values, "", *toml);
  JEVONS_CHECK(!toml->values.dump().empty());
  return 0;
}
