#include "text/jinja_template.h"

#include "base/strings.h"
#include "text/jinja_eval.h"
#include "text/jinja_parser.h"

namespace jevons::jinja {

struct Template::Parsed {
  Body body;
  Limits limits;
};

Result<Template> Template::parse(std::string_view source, const Limits& limits) {
  if (static_cast<int64_t>(source.size()) > limits.source_bytes)
    return Error(Code::too_large,
                 cat("the template has ", source.size(), " bytes; at most ", limits.source_bytes, " are accepted"));
  try {
    auto parsed = std::make_shared<Parsed>();
    parsed->body = parse_template(source, limits.nesting);
    parsed->limits = limits;
    return Template(std::move(parsed));
  } catch (const Error& error) {
    return error.within("template");
  }
}

Result<std::string> Template::render(const Json& variables, std::time_t now) const {
  Interpreter interpreter(parsed_->limits, now);
  try {
    std::vector<std::pair<std::string, Value>> values;
    for (const auto& [name, value] : variables.as_object()) values.emplace_back(name, Value::from(value));
    return interpreter.render(parsed_->body, std::move(values));
  } catch (const Error& error) {
    return error.within(cat("template, line ", interpreter.line()));
  }
}

}  // namespace jevons::jinja
