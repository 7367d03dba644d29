// Pre-tokenisers: how a text is cut into the words that byte pair encoding then works on.
//
// Read from tokenizer.json's "pre_tokenizer": Sequence, Split (regex or string, every behaviour, invert), Digits,
// Punctuation, Whitespace, WhitespaceSplit, ByteLevel last. Others are refused by name. The sequences of GPT-2,
// SmolLM2, Llama 3, Qwen and DeepSeek V3 run as hand-written scanners, everything else through PCRE2.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "text/regex.h"
#include "text/scanners.h"

namespace jevons {

class PreTokenizer {
 public:
  enum class Scanner { none, gpt2, smollm, llama3, qwen2, deepseek3 };

  // `scanners` false keeps the patterns even where a scanner exists (for tests).
  static Result<PreTokenizer> from_json(const Json& json, bool scanners = true);

  // Calls word(std::string_view) for every piece. The view is a part of `text`, or, where ByteLevel puts a space in
  // front, lives until the next call.
  template <class Word>
  void each_word(std::string_view text, Word&& word) const;

  Scanner scanner() const { return scanner_; }

  enum class Behavior { removed, isolated, contiguous, merged_with_previous, merged_with_next };
  struct Step {
    enum class Kind { pattern, literal, digits, punctuation, whitespace, whitespace_split, prefix_space } kind;
    Behavior behavior = Behavior::isolated;
    bool invert = false;
    Regex regex;          // pattern
    std::string literal;  // literal
  };
  struct Piece {
    size_t begin, end;  // in the text
    bool space;         // with a space put in front
  };

 private:
  std::vector<Piece> pieces(std::string_view text) const;
  Scanner scanner_ = Scanner::none;
  std::vector<Step> steps_;
};

template <class Word>
void PreTokenizer::each_word(std::string_view text, Word&& word) const {
  const auto range = [&](const char* begin, const char* end) { word(std::string_view(begin, end - begin)); };
  switch (scanner_) {
    case Scanner::gpt2:
      return scan::each_gpt2(text, range);
    case Scanner::smollm:
      return scan::each_smollm(text, range);
    case Scanner::llama3:
      return scan::each_llama3(text, 3, range);
    case Scanner::qwen2:
      return scan::each_llama3(text, 1, range);
    case Scanner::deepseek3:
      return scan::each_deepseek3(text, range);
    case Scanner::none:
      break;
  }
  for (const Piece& p : pieces(text)) {
    const std::string_view part = text.substr(p.begin, p.end - p.begin);
    p.space ? word(std::string_view(" " + std::string(part))) : word(part);
  }
}

}  // namespace jevons
