// TOML (toml.io, version 1.0) as a JSON tree that remembers its lines. The parser behind it is toml++.
//
// Tables become objects in the file's order; strings, integers, floats, booleans and arrays their like. Dates and
// times, infinite numbers and texts over 1 MiB are refused. Errors give the line.
#pragma once
#include <map>
#include <string>
#include <string_view>

#include "base/json.h"

namespace jevons {

struct Toml {
  Json values = Json::object();
  std::map<std::string, int> lines;  // of every key and table by its path, "schedule.warmup" -> 12
};
Result<Toml> parse_toml(std::string_view text);

}  // namespace jevons
