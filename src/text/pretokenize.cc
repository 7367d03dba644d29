#include "text/pretokenize.h"

#include <algorithm>
#include <optional>

#include "base/strings.h"
#include "text/patterns.h"
#include "text/unicode.h"

namespace jevons {
namespace {

using Behavior = PreTokenizer::Behavior;
using Piece = PreTokenizer::Piece;
using Step = PreTokenizer::Step;

Error unsupported(std::string_view what, std::string_view name, std::string_view expected) {
  return {Code::unsupported,
          cat("pre_tokenizer: ", what, " ", quote(name), " is not supported; expected one of ", expected)};
}

Result<Behavior> behavior_of(const Json& json) {
  const Json* found = json.find("behavior");
  if (!found) return Behavior::isolated;
  const std::string& name = found->as_string();
  if (name == "Removed") return Behavior::removed;
  if (name == "Isolated") return Behavior::isolated;
  if (name == "Contiguous") return Behavior::contiguous;
  if (name == "MergedWithPrevious") return Behavior::merged_with_previous;
  if (name == "MergedWithNext") return Behavior::merged_with_next;
  return unsupported("behavior", name, "Removed, Isolated, Contiguous, MergedWithPrevious, MergedWithNext");
}

bool flag(const Json& json, std::string_view key, bool otherwise) {
  const Json* found = json.find(key);
  return found && !found->is_null() ? found->as_bool() : otherwise;
}

// Reads the steps of a "pre_tokenizer" and, beside them, a line that two equal sequences share.
struct Reader {
  std::vector<Step> steps;
  std::string signature;
  bool complete = false;  // ByteLevel was seen

  Status add_pattern(std::string_view pattern, Behavior behavior, bool invert) {
    JEVONS_TRY(Regex regex, Regex::compile(pattern));
    steps.push_back({Step::Kind::pattern, behavior, invert, std::move(regex), {}});
    return {};
  }

  Status split(const Json& json) {
    const Json& pattern = json.at("pattern");
    JEVONS_TRY(const Behavior behavior, behavior_of(json));
    const bool invert = flag(json, "invert", false);
    if (const Json* literal = pattern.find("String")) {
      if (literal->as_string().empty()) return Error(Code::invalid, "pre_tokenizer: Split has an empty String");
      steps.push_back({Step::Kind::literal, behavior, invert, {}, literal->as_string()});
      signature += "literal;";
      return {};
    }
    const std::string& regex = pattern.at("Regex").as_string();
    signature += cat("split", static_cast<int>(behavior), invert ? "!" : "", ":", escaped_newlines(regex), ";");
    return add_pattern(regex, behavior, invert);
  }

  Status byte_level(const Json& json) {
    complete = true;
    if (flag(json, "add_prefix_space", true)) {
      steps.push_back({Step::Kind::prefix_space, {}, false, {}, {}});
      signature += "space;";
    }
    if (!flag(json, "use_regex", true)) return {};
    signature += cat("split", static_cast<int>(Behavior::isolated), ":", kGpt2Pattern, ";");
    return add_pattern(kGpt2Pattern, Behavior::isolated, false);
  }

  void simple(Step::Kind kind, Behavior behavior, std::string_view name) {
    steps.push_back({kind, behavior, false, {}, {}});
    signature += cat(name, static_cast<int>(behavior), ";");
  }

  Status read(const Json& json) {
    const std::string& type = json.at("type").as_string();
    if (type == "Sequence") {
      for (const Json& part : json.at("pretokenizers").as_array()) JEVONS_TRY_STATUS(read(part));
      return {};
    }
    if (complete)
      return Error(Code::unsupported,
                   cat("pre_tokenizer: ", type, " stands behind ByteLevel; ByteLevel must be the last"));
    if (type == "Split") return split(json);
    if (type == "ByteLevel") return byte_level(json);
    if (type == "Digits") {
      const bool single = flag(json, "individual_digits", false);
      simple(Step::Kind::digits, single ? Behavior::isolated : Behavior::contiguous, "digits");
    } else if (type == "Punctuation") {
      JEVONS_TRY(const Behavior behavior, behavior_of(json));
      simple(Step::Kind::punctuation, behavior, "punctuation");
    } else if (type == "Whitespace") {
      simple(Step::Kind::whitespace, Behavior::isolated, "whitespace");
    } else if (type == "WhitespaceSplit") {
      simple(Step::Kind::whitespace_split, Behavior::removed, "whitespace_split");
    } else {
      return unsupported("type", type, "Sequence, Split, ByteLevel, Digits, Punctuation, Whitespace, WhitespaceSplit");
    }
    return {};
  }
};

struct Match {
  size_t begin, end;
  bool hit;
};

// The text as matches and the gaps between them.
class Cover {
 public:
  explicit Cover(size_t size) : size_(size) {}
  void hit(size_t begin, size_t end) {
    if (begin > done_) parts_.push_back({done_, begin, false});
    parts_.push_back({begin, end, true});
    done_ = end;
  }
  std::vector<Match> take() {
    if (done_ < size_) parts_.push_back({done_, size_, false});
    return std::move(parts_);
  }

 private:
  size_t size_, done_ = 0;
  std::vector<Match> parts_;
};

template <class Wanted>
void hit_characters(Cover& cover, std::string_view text, Wanted&& wanted) {
  const char *begin = text.data(), *end = begin + text.size();
  uint32_t n;
  for (const char* p = begin; p < end; p += n)
    if (wanted(unicode::Classes::get().at(p, end, n), *p))
      cover.hit(static_cast<size_t>(p - begin), static_cast<size_t>(p - begin) + n);
}

// Words and runs of other characters, spaces left out.
std::vector<Match> words(std::string_view text) {
  using namespace unicode;
  std::vector<Match> out;
  const scan::Scanner s{Classes::get(), text.data() + text.size()};
  for (const char* p = text.data(); p < s.end;) {
    const char* q = s.run(p, Word);
    if (q == p) q = s.run_not(p, Word | Space);
    if (q > p) out.push_back({static_cast<size_t>(p - text.data()), static_cast<size_t>(q - text.data()), true});
    p = q > p ? q : s.run(p, Space);
  }
  return out;
}

std::vector<Match> matches(const Step& step, std::string_view text) {
  Cover cover(text.size());
  switch (step.kind) {
    case Step::Kind::pattern: {
      Regex::Matches found(step.regex, text);
      for (size_t begin, end; found.next(begin, end);) cover.hit(begin, end);
      break;
    }
    case Step::Kind::literal:
      for (size_t at = 0; (at = text.find(step.literal, at)) != std::string_view::npos; at += step.literal.size())
        cover.hit(at, at + step.literal.size());
      break;
    case Step::Kind::digits:
      hit_characters(cover, text, [](unsigned c, char) { return c & unicode::N; });
      break;
    case Step::Kind::punctuation:
      hit_characters(cover, text,
                     [](unsigned c, char byte) { return c & unicode::P || scan::ascii_punctuation(byte); });
      break;
    case Step::Kind::whitespace_split:
      hit_characters(cover, text, [](unsigned c, char) { return c & unicode::Space; });
      break;
    case Step::Kind::whitespace:
      return words(text);
    case Step::Kind::prefix_space:
      break;
  }
  std::vector<Match> out = cover.take();
  if (step.invert)
    for (Match& m : out) m.hit = !m.hit;
  return out;
}

// Joins or drops matches as the behaviour says.
std::vector<Match> arrange(std::vector<Match> parts, Behavior behavior) {
  std::vector<Match> out;
  if (behavior == Behavior::merged_with_next) {
    for (auto it = parts.rbegin(); it != parts.rend(); ++it) {
      if (it->hit && !out.empty() && !out.back().hit)
        out.back() = {it->begin, out.back().end, true};
      else
        out.push_back(*it);
    }
    std::reverse(out.begin(), out.end());
    return out;
  }
  for (const Match& m : parts) {
    const bool join = !out.empty() && (behavior == Behavior::contiguous             ? m.hit == out.back().hit
                                       : behavior == Behavior::merged_with_previous ? m.hit && !out.back().hit
                                                                                    : false);
    if (behavior == Behavior::removed && m.hit) continue;
    if (join)
      out.back() = {out.back().begin, m.end, m.hit};
    else
      out.push_back(m);
  }
  return out;
}

// A text with every broken part replaced by U+FFFD, and for each of its bytes the place in the original.
struct Repaired {
  std::string text;
  std::vector<size_t> origin;

  explicit Repaired(std::string_view broken) {
    const char *begin = broken.data(), *end = begin + broken.size();
    for (const char* p = begin; p < end;) {
      const unicode::Char c = unicode::decode(p, end);
      const size_t before = text.size();
      c.valid ? (void)text.append(p, c.length) : unicode::append_utf8(text, unicode::kReplacement);
      for (size_t i = before; i < text.size(); ++i)
        origin.push_back(static_cast<size_t>(p - begin) + (c.valid ? i - before : 0));
      p += c.length;
    }
    origin.push_back(broken.size());
  }
};

std::vector<Piece> cut(const std::vector<Step>& steps, std::string_view text) {
  std::vector<Piece> pieces = {{0, text.size(), false}};
  for (const Step& step : steps) {
    std::vector<Piece> next;
    for (const Piece& piece : pieces) {
      std::string_view part = text.substr(piece.begin, piece.end - piece.begin);
      if (step.kind == Step::Kind::prefix_space) {
        next.push_back({piece.begin, piece.end, piece.space || !part.starts_with(' ')});
        continue;
      }
      std::string spaced;
      if (piece.space) part = spaced = " " + std::string(part);
      for (const Match& m : arrange(matches(step, part), step.behavior)) {
        if (m.begin == m.end) continue;
        const bool space = piece.space && m.begin == 0;
        const size_t shift = piece.space ? 1 : 0;
        next.push_back({piece.begin + (space ? 0 : m.begin - shift), piece.begin + m.end - shift, space});
      }
    }
    pieces = std::move(next);
  }
  return pieces;
}

}  // namespace

Result<PreTokenizer> PreTokenizer::from_json(const Json& json, bool scanners) {
  try {
    if (!json.is_object())
      return Error(Code::unsupported,
                   "pre_tokenizer: there is none; only byte-level BPE with a ByteLevel step is supported");
    Reader reader;
    JEVONS_TRY_STATUS(reader.read(json));
    if (!reader.complete)
      return Error(Code::unsupported, "pre_tokenizer: no ByteLevel step; only byte-level BPE is supported");
    PreTokenizer out;
    out.steps_ = std::move(reader.steps);
    const auto is = [&](std::string_view pattern, std::string_view before) {
      return reader.signature == cat(before, "split1:", pattern, ";");
    };
    if (!scanners) return out;
    if (is(kGpt2Pattern, "")) out.scanner_ = Scanner::gpt2;
    if (is(kGpt2Pattern, "digits1;")) out.scanner_ = Scanner::smollm;
    if (is(kLlama3Pattern, "")) out.scanner_ = Scanner::llama3;
    if (is(kQwen2Pattern, "")) out.scanner_ = Scanner::qwen2;
    if (is(kDeepseek3Patterns[2], cat("split1:", kDeepseek3Patterns[0], ";split1:", kDeepseek3Patterns[1], ";")))
      out.scanner_ = Scanner::deepseek3;
    return out;
  } catch (const Error& error) {
    return error.within("pre_tokenizer");
  }
}

std::vector<PreTokenizer::Piece> PreTokenizer::pieces(std::string_view text) const {
  if (text.empty()) return {};
  if (unicode::is_valid(text)) return cut(steps_, text);
  const Repaired repaired(text);
  std::vector<Piece> out = cut(steps_, repaired.text);
  for (Piece& p : out) p = {repaired.origin[p.begin], repaired.origin[p.end], p.space};
  return out;
}

}  // namespace jevons
