#include "text/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <cstring>
#include <optional>

#include "base/strings.h"
#include "text/unicode.h"

namespace jevons {
namespace {

constexpr size_t kMaxPattern = 64 * 1024;
constexpr uint32_t kMatchLimit = 10'000'000, kDepthLimit = 10'000;

constexpr const char* kSpace =
    "\\x09-\\x0d\\x20\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}";

Error refused(std::string_view pattern, std::string_view what) {
  return {Code::unsupported, cat("the pattern ", quote(pattern, 200), " uses ", what,
                                 ", which this program does not read as the tokenizers library does")};
}

// Rewrites a pattern from Oniguruma's syntax, one element at a time.
class Rewriter {
 public:
  explicit Rewriter(std::string_view pattern) : in_(pattern) {}

  Result<std::string> run() {
    while (at_ < in_.size()) {
      if (in_[at_] == '\\') {
        JEVONS_TRY_STATUS(escape());
      } else if (in_class_) {
        JEVONS_TRY_STATUS(inside());
      } else {
        JEVONS_TRY_STATUS(outside());
      }
    }
    return std::move(out_);
  }

 private:
  bool starts(std::string_view s) const { return in_.substr(at_).starts_with(s); }
  void copy(size_t n) {
    out_ += in_.substr(at_, n);
    at_ += n;
  }

  Status outside() {
    if (starts("(*")) return refused(in_, "(*");
    if (starts("(?C") || starts("(?R") || starts("(?&")) return refused(in_, in_.substr(at_, 3));
    if (starts("[")) {
      in_class_ = true;
      copy(starts("[^") ? 2 : 1);
      if (starts("]")) return refused(in_, "an unescaped ] at the front of a class");
      return {};
    }
    copy(1);
    return {};
  }

  Status inside() {
    if (starts("[")) return refused(in_, "a class inside a class");
    if (starts("&&")) return refused(in_, "&& in a class");
    if (starts("]")) in_class_ = false;
    copy(1);
    return {};
  }

  void put_class(bool negated, const std::string& content) {
    out_ += in_class_ ? content : cat(negated ? "[^" : "[", content, "]");
  }

  Status escape() {
    if (at_ + 1 == in_.size()) return refused(in_, "a \\ at its end");
    const char c = in_[at_ + 1];
    if (c == 's' || c == 'S') {
      if (c == 'S' && in_class_) return refused(in_, "\\S in a class");
      at_ += 2;
      put_class(c == 'S', kSpace);
      return {};
    }
    if (c == 'p' || c == 'P') return property();
    if (std::strchr("hHKgkQEXRGNovV", c)) return refused(in_, in_.substr(at_, 2));
    copy(2);
    return {};
  }

  Status property() {
    const size_t close = in_.find('}', at_);
    if (in_.substr(at_ + 2, 1) != "{" || close == std::string_view::npos) return refused(in_, "\\p without {}");
    std::string_view name = in_.substr(at_ + 3, close - at_ - 3);
    bool negated = in_[at_ + 1] == 'P';
    if (name.starts_with("^")) negated = !negated, name.remove_prefix(1);
    const std::string_view known = "LMNPS";
    const size_t which = name.size() == 1 ? known.find(name[0]) : std::string_view::npos;
    if (which != std::string_view::npos && !(negated && in_class_)) {
      at_ = close + 1;
      put_class(negated, cat("\\p{", name, "}", unicode::kNewer[which]));
    } else {
      copy(close + 1 - at_);
    }
    return {};
  }

  std::string_view in_;
  std::string out_;
  size_t at_ = 0;
  bool in_class_ = false;
};

std::string message(int code) {
  PCRE2_UCHAR buffer[256];
  pcre2_get_error_message(code, buffer, sizeof buffer);
  return reinterpret_cast<const char*>(buffer);
}

// What a match needs besides the pattern and the text; one for each thread.
struct Workspace {
  pcre2_match_data* data = pcre2_match_data_create(1, nullptr);
  pcre2_match_context* context = pcre2_match_context_create(nullptr);
  pcre2_jit_stack* stack = pcre2_jit_stack_create(32 * 1024, 1024 * 1024, nullptr);

  static const Workspace& get() {
    static thread_local const Workspace instance;
    return instance;
  }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  ~Workspace() {
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    pcre2_jit_stack_free(stack);
  }

 private:
  Workspace() {
    pcre2_set_match_limit(context, kMatchLimit);
    pcre2_set_depth_limit(context, kDepthLimit);
    pcre2_jit_stack_assign(context, nullptr, stack);
  }
};

pcre2_code* code_of(const std::shared_ptr<void>& code) { return static_cast<pcre2_code*>(code.get()); }

}  // namespace

Result<Regex> Regex::compile(std::string_view pattern) {
  if (pattern.size() > kMaxPattern)
    return Error(Code::too_large,
                 cat("a pattern of ", pattern.size(), " bytes; at most ", kMaxPattern, " are accepted"));
  JEVONS_TRY(const std::string rewritten, Rewriter(pattern).run());
  int code = 0;
  PCRE2_SIZE offset = 0;
  pcre2_code* compiled =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(rewritten.data()), rewritten.size(),
                    PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &code, &offset, nullptr);
  if (!compiled)
    return Error(Code::invalid,
                 cat("the pattern ", quote(pattern, 200), " is not a regular expression: ", message(code)));
  Regex regex;
  regex.pattern_ = pattern;
  regex.code_ = std::shared_ptr<void>(compiled, [](void* p) { pcre2_code_free(static_cast<pcre2_code*>(p)); });
  pcre2_jit_compile(compiled, PCRE2_JIT_COMPLETE);  // without it the matcher interprets: slower, same result
  return regex;
}

bool Regex::Matches::next(size_t& begin, size_t& end) {
  const Workspace& work = Workspace::get();
  while (at_ <= text_.size()) {
    const int count = pcre2_match(code_of(regex_.code_), reinterpret_cast<PCRE2_SPTR>(text_.data()), text_.size(), at_,
                                  PCRE2_NO_UTF_CHECK, work.data, work.context);
    if (count == PCRE2_ERROR_NOMATCH) return false;
    if (count < 0)
      throw Error(Code::unsupported, cat("the pre-tokenizer's pattern ", quote(regex_.pattern_, 200),
                                         " gave up on a text of ", text_.size(), " bytes: ", message(count)));
    const PCRE2_SIZE* vector = pcre2_get_ovector_pointer(work.data);
    begin = vector[0], end = vector[1];
    if (begin == end && end == last_) {
      at_ = end + (end < text_.size() ? unicode::decode(text_.data() + end, text_.data() + text_.size()).length : 1);
      continue;
    }
    at_ = last_ = end;
    return true;
  }
  return false;
}

}  // namespace jevons
