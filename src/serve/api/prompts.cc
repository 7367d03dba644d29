#include "serve/api/prompts.h"

#include "base/strings.h"

namespace jevons {
namespace {

std::vector<int32_t> read_ids(const Fields& f, const char* name, const Json& list) {
  std::vector<int32_t> out;
  for (const Json& id : list.as_array()) {
    if (!id.is_int() || id.as_int() < 0 || id.as_int() > INT32_MAX)
      f.wrong(name, cat("holds ", id.dump().substr(0, 40), ", no token id"));
    out.push_back(static_cast<int32_t>(id.as_int()));
  }
  return out;
}

}  // namespace

Prompts read_prompts(const Fields& f, const char* name, const Json& value, size_t most) {
  Prompts out;
  if (value.is_string()) {
    out.texts = {value.as_string()};
    return out;
  }
  if (!value.is_array() || value.size() == 0) f.wrong(name, "must be a text, texts, or token ids");
  if (value.as_array()[0].is_int()) {
    out.ids = {read_ids(f, name, value)};
    return out;
  }
  if (value.size() > most) f.wrong(name, cat("has ", value.size(), " members, at most ", most, " are taken"));
  for (const Json& one : value.as_array()) {
    if (one.is_string() && out.ids.empty())
      out.texts.push_back(one.as_string());
    else if (one.is_array() && out.texts.empty())
      out.ids.push_back(read_ids(f, name, one));
    else
      f.wrong(name, "must hold texts only, or lists of token ids only");
  }
  return out;
}

}  // namespace jevons
