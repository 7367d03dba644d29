// A Jinja template, as chat templates use it: parsed once, rendered with variables, within limits.
//
// The language is jinja2 with trim_blocks, lstrip_blocks, the loopcontrols and generation tags and the tojson,
// raise_exception and strftime_now of Hugging Face transformers; without inheritance, includes, call blocks and
// recursive loops. What is outside is refused by name, never rendered differently. Integers have 64 bits.
#pragma once
#include <cstdint>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/json.h"

namespace jevons::jinja {

struct Limits {
  int64_t source_bytes = int64_t{1} << 20;
  int nesting = 500;                         // of blocks and expressions in the source; of calls at run time
  int64_t steps = 20'000'000;                // nodes evaluated, elements visited, 64 bytes of text built
  int64_t output_bytes = int64_t{64} << 20;  // of the result and of every intermediate text
};

class Template {
 public:
  // Errors: too_large past a limit, unsupported for Jinja outside the subset, invalid otherwise; all name the line.
  static Result<Template> parse(std::string_view source, const Limits& limits = {});

  // `variables` is an object; `now` is what strftime_now shows, in local time. Errors: as parse, and what the template
  // itself raises. Thread-safe.
  Result<std::string> render(const Json& variables, std::time_t now) const;

 private:
  struct Parsed;
  explicit Template(std::shared_ptr<const Parsed> parsed) : parsed_(std::move(parsed)) {}
  std::shared_ptr<const Parsed> parsed_;
};

}  // namespace jevons::jinja
