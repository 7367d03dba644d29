// Fields: reads the parameters of a request. Every parameter is honoured, refused with its name, or named in the
// reply's `warnings`; this class is what makes that true, and the API table of the docs and /openapi.json come from it.
//
// Each reader takes the parameter's name and a few words on what it does. A missing or null one is nullopt. One of the
// wrong type or outside its range throws ApiError{400} (422 on DeepSeek's own paths) with `param`.
//
// Made without a body, it records what it is asked for (parameters()) and every parameter is missing.
#pragma once
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "serve/api/error.h"

namespace jevons {

struct ApiParameter {
  std::string name, type, about;
  enum class Effect { honoured, warned, refused } effect = Effect::honoured;
  Json schema;  // JSON Schema of its values
};

class Fields {
 public:
  Fields() = default;  // records
  explicit Fields(const Json& body, int bad_value_status = 400);

  std::optional<bool> boolean(const char* name, const char* about);
  std::optional<int64_t> integer(const char* name, int64_t min, int64_t max, const char* about);
  std::optional<double> number(const char* name, double min, double max, const char* about);
  std::optional<std::string> text(const char* name, const char* about);
  std::optional<std::string> choice(const char* name, const std::vector<std::string>& values, const char* about);
  // A value that the caller looks into. `type`: "object", "array", or what a reader would call it.
  const Json* value(const char* name, const char* type, const char* about);
  // Strings given as one or as a list of at most `most`.
  std::vector<std::string> texts(const char* name, size_t most, const char* about);

  // Taken, but without effect here: `why` goes into the warnings when it is given.
  void without_effect(const char* name, const char* why);
  // Refused when given, unless its value is `harmless`.
  void refuse(const char* name, const char* why, const Json& harmless = {});
  // Names every parameter that was not asked for.
  void finish();

  bool recording() const { return !body_; }
  const std::vector<std::string>& warnings() const { return warnings_; }
  const std::vector<ApiParameter>& parameters() const { return parameters_; }
  [[noreturn]] void wrong(const std::string& name, const std::string& what) const;

 private:
  const Json* find(const char* name, const char* type, const char* about, Json schema,
                   ApiParameter::Effect effect = ApiParameter::Effect::honoured);
  const Json* body_ = nullptr;
  int bad_value_status_ = 400;
  std::set<std::string, std::less<>> known_;
  std::vector<ApiParameter> parameters_;
  std::vector<std::string> warnings_;
};

}  // namespace jevons
