#include "text/tokenizer_train.h"

#include <algorithm>
#include <iterator>

#include "base/interrupt.h"
#include "base/progress.h"
#include "base/strings.h"
#include "text/added_tokens.h"
#include "text/patterns.h"
#include "text/pretokenize.h"
#include "text/text_files.h"

namespace jevons {

const char* const kUsualTokens[7] = {"<｜begin▁of▁sentence｜>",
                                     "<｜end▁of▁sentence｜>",
                                     "<｜▁pad▁｜>",
                                     "<｜User｜>",
                                     "<｜Assistant｜>",
                                     "<think>",
                                     "</think>"};

namespace {

Status check_text(std::string_view option, std::string_view text) {
  if (!unicode::is_valid(text) || std::ranges::any_of(text, [](char c) { return (c >= 0 && c < ' ') || c == 127; }))
    return Error(Code::invalid, cat(option, " ", quote(text), ": expected UTF-8 without control characters"));
  return {};
}

// Cuts texts into words and counts them.
class Counter {
 public:
  explicit Counter(const TokenizerRecipe& recipe)
      : pre_(PreTokenizer::from_json(family("deepseek-v3").value().pre_tokenizer).value()) {
    std::vector<AddedToken> cuts;
    const auto add = [&](std::string_view content) {
      cuts.push_back({.id = static_cast<int32_t>(cuts.size()), .content = std::string(content)});
    };
    for (const char* token : kUsualTokens) add(token);
    for (const std::string& token : recipe.special) add(token);
    if (!recipe.document_end.empty() && std::ranges::find(recipe.special, recipe.document_end) == recipe.special.end())
      add(recipe.document_end);
    cuts_ = AddedTokenMatcher(std::move(cuts));
  }

  Status count(const TextPart& part, WordCounts& counts) const {
    return part.each_text([&](std::string_view text) {
      cuts_.split(
          text, true, [&](std::string_view piece) { pre_.each_word(piece, [&](auto word) { add(word, counts); }); },
          [](int32_t) {});
    });
  }

 private:
  // Digits by themselves; a word of the pre-tokeniser has only digits or none.
  static void add(std::string_view word, WordCounts& counts) {
    const unicode::Classes& classes = unicode::Classes::get();
    const char *p = word.data(), *const end = p + word.size();
    uint32_t n;
    if (!(classes.at(p, end, n) & unicode::N)) return counts.add(word);
    for (; p < end; p += n) {
      classes.at(p, end, n);
      counts.add(std::string_view(p, n));
    }
  }

  PreTokenizer pre_;
  AddedTokenMatcher cuts_;
};

// As many parts at a time as there are threads, each into counts of its own; sums do not depend on who counted what.
Result<WordCounts> count_words(const TokenizerRecipe& recipe, const std::vector<std::string>& texts, Exec& exec) {
  const Counter counter(recipe);
  JEVONS_TRY(TextFiles files, TextFiles::open(texts));
  Progress progress("counting words", files.total_bytes(), "B");
  const auto width = static_cast<size_t>(exec.threads());
  std::vector<WordCounts> counts(width);
  for (std::vector<TextPart> parts;; parts.clear()) {
    check_interrupt();
    while (parts.size() < width) {
      JEVONS_TRY(std::optional<TextPart> part, files.next());
      if (!part) break;
      parts.push_back(std::move(*part));
    }
    if (parts.empty()) break;
    std::vector<Status> done(parts.size());
    exec.parallel_for(static_cast<int64_t>(parts.size()),
                      [&](int64_t i) { done[i] = counter.count(parts[i], counts[i]); });
    for (const Status& status : done) JEVONS_TRY_STATUS(status);
    progress.set(files.done_bytes());
  }
  for (size_t i = 1; i < width; ++i) counts[0].add(counts[i]);
  return std::move(counts[0]);
}

}  // namespace

Status TokenizerRecipe::check() const {
  std::vector<std::string_view> seen(std::begin(kUsualTokens), std::end(kUsualTokens));
  for (const std::string& token : special) {
    JEVONS_TRY_STATUS(check_text("--special", token));
    if (token.empty()) return Error(Code::invalid, "--special: a token needs at least one character");
    if (std::ranges::find(seen, token) != seen.end())
      return Error(Code::invalid, cat("--special ", quote(token), ": the tokenizer has this token already"));
    seen.push_back(token);
  }
  JEVONS_TRY_STATUS(check_text("--document-end", document_end));
  const auto least = static_cast<int64_t>(256 + seen.size());
  if (vocab < least || vocab > int64_t{1} << 24)
    return Error(Code::invalid, cat("--vocab ", vocab, ": expected ", least, " to ", int64_t{1} << 24,
                                    "; 256 bytes and ", seen.size(), " special tokens are always there"));
  return {};
}

int64_t TrainedTokenizer::vocab() const {
  return static_cast<int64_t>(std::size(kUsualTokens) + recipe.special.size() + 256 + learned.merges.size());
}

Result<TrainedTokenizer> train_tokenizer(const TokenizerRecipe& recipe, const std::vector<std::string>& texts,
                                         Exec& exec) {
  JEVONS_TRY_STATUS(recipe.check());
  TrainedTokenizer out{.recipe = recipe, .learned = {}};
  JEVONS_TRY(const WordCounts counts, count_words(recipe, texts, exec));
  for (size_t i = 0; i < counts.size(); ++i)
    out.words += counts.count(i), out.bytes += counts.count(i) * counts.word(i).size();
  out.distinct = counts.size();
  if (out.words == 0)
    return Error(Code::invalid, cat(texts.front(), texts.size() > 1 ? " and the others" : "",
                                    ": no text in it; give a text of a few megabytes"));
  const int64_t limit = recipe.vocab - out.vocab();
  Progress progress("learning merges", static_cast<uint64_t>(limit), "merges");
  out.learned = learn_merges(counts, limit, recipe.min_count, [&](int64_t done) {
    check_interrupt();
    progress.set(static_cast<uint64_t>(done));
  });
  return out;
}

}  // namespace jevons
