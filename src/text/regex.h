// Patterns from tokenizer.json, run by PCRE2's JIT. They are written for Oniguruma; compile() rewrites what PCRE2 reads
// differently (\s, the general categories that its Unicode version lacks) and refuses what it cannot rewrite.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"

namespace jevons {

class Regex {
 public:
  static Result<Regex> compile(std::string_view pattern);
  const std::string& pattern() const { return pattern_; }

  // Iterates over the matches in a text, which must be valid UTF-8. An empty match next to the last match is passed
  // over. Throws Error if a match needs more than the limits on steps and depth.
  class Matches {
   public:
    Matches(const Regex& regex, std::string_view text) : regex_(regex), text_(text) {}
    bool next(size_t& begin, size_t& end);

   private:
    const Regex& regex_;
    std::string_view text_;
    size_t at_ = 0, last_ = SIZE_MAX;
  };

 private:
  std::string pattern_;
  std::shared_ptr<void> code_;
};

}  // namespace jevons
