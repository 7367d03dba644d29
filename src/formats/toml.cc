#include "formats/toml.h"

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

#include <algorithm>
#include <cmath>

#include "base/strings.h"

namespace jevons {
namespace {

constexpr size_t kMaxBytes = size_t{1} << 20;

Error wrong(const toml::source_region& where, std::string_view what) {
  return {Code::invalid, cat("line ", where.begin.line, ": ", what)};
}

class Reader {
 public:
  explicit Reader(Toml& out) : out_(out) {}

  Result<Json> table(const toml::table& from, const std::string& path) {
    std::vector<std::pair<toml::source_position, std::string>> order;  // toml++ sorts by name; the file's order is kept
    for (const auto& [key, node] : from) order.emplace_back(key.source().begin, std::string(key.str()));
    std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    Json object = Json::object();
    for (const auto& [position, key] : order) {
      const std::string inner = path.empty() ? key : cat(path, ".", key);
      out_.lines.emplace(inner, static_cast<int>(position.line));
      JEVONS_TRY(object[key], node(*from.get(key), inner));
    }
    return object;
  }

 private:
  Result<Json> node(const toml::node& from, const std::string& path) {
    if (const toml::table* inner = from.as_table()) return table(*inner, path);
    if (const toml::array* array = from.as_array()) {
      Json list = Json::array();
      for (const toml::node& element : *array) {
        JEVONS_TRY(Json value, node(element, path));
        list.push_back(std::move(value));
      }
      return list;
    }
    if (const auto* text = from.as_string()) return Json(text->get());
    if (const auto* integer = from.as_integer()) return Json(integer->get());
    if (const auto* flag = from.as_boolean()) return Json(flag->get());
    if (const auto* real = from.as_floating_point()) {
      if (std::isfinite(real->get())) return Json(real->get());
      return wrong(from.source(), cat(quote(path), " is not a finite number"));
    }
    return wrong(from.source(), cat(quote(path), " is a date or time, which is used nowhere; put a text in quotes"));
  }
  Toml& out_;
};

}  // namespace

Result<Toml> parse_toml(std::string_view text) {
  if (text.size() > kMaxBytes)
    return Error(Code::too_large, cat("the text has ", text.size(), " bytes; at most ", kMaxBytes, " are read"));
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) return wrong(parsed.error().source(), parsed.error().description());
  Toml out;
  JEVONS_TRY(out.values, Reader(out).table(parsed.table(), ""));
  return out;
}

}  // namespace jevons
