// Hand-written equals of the pre-tokenisers' patterns: each next_*() gives the end of the match that the regular
// expression finds at p, or null if there is none there. pretokenize_test.cc holds them against PCRE2.
#pragma once
#include <string_view>

#include "text/unicode.h"

namespace jevons::scan {

using unicode::Classes;

struct Scanner {
  const Classes& classes;
  const char* end;

  unsigned at(const char* p, uint32_t& n) const { return classes.at(p, end, n); }
  // The end of the run of characters that have one of the classes in `mask` (or, run_not, have none).
  const char* run(const char* p, unsigned mask) const {
    for (uint32_t n; p < end && (at(p, n) & mask); p += n) {
    }
    return p;
  }
  const char* run_not(const char* p, unsigned mask) const {
    for (uint32_t n; p < end && !(at(p, n) & mask); p += n) {
    }
    return p;
  }
  const char* newlines(const char* p) const {
    while (p < end && (*p == '\r' || *p == '\n')) ++p;
    return p;
  }
};

// 's 't 're 've 'm 'll 'd at p; with `any_case` also in capitals, and U+017F, which folds to s.
inline const char* contraction(const char* p, const char* end, bool any_case) {
  if (*p != '\'' || end - p < 2) return nullptr;
  const auto lower = [&](char c) { return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  const char a = lower(p[1]), b = end - p > 2 ? lower(p[2]) : '\0';
  if (a == 's' || a == 't' || a == 'm' || a == 'd') return p + 2;
  if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return p + 3;
  return any_case && a == '\xc5' && b == '\xbf' ? p + 3 : nullptr;
}

// \s*[\r\n]+|\s+(?!\S)|\s+ at a space; without `lines` only the last two.
inline const char* whitespace(const Scanner& s, const char* p, bool lines) {
  const char *q = p, *last = p, *line_end = nullptr;
  for (uint32_t n; q < s.end && (s.at(q, n) & unicode::Space); q += n) {
    if (*q == '\r' || *q == '\n') line_end = q + 1;
    last = q;
  }
  if (lines && line_end) return line_end;
  return q < s.end && last > p ? last : q;
}

// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
inline const char* next_gpt2(const Scanner& s, const char* p) {
  using namespace unicode;
  if (const char* q = contraction(p, s.end, false)) return q;
  const char* q = p + (*p == ' ');
  uint32_t n;
  if (q < s.end) {
    const unsigned c = s.at(q, n);
    if (c & L) return s.run(q + n, L);
    if (c & N) return s.run(q + n, N);
    if (!(c & Space)) return s.run_not(q + n, L | N | Space);
  }
  return whitespace(s, p, false);
}

// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,D}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
// with D digits: 3 for Llama 3, 1 for Qwen.
inline const char* next_llama3(const Scanner& s, const char* p, int digits) {
  using namespace unicode;
  if (const char* q = contraction(p, s.end, true)) return q;
  uint32_t n, m;
  const unsigned c = s.at(p, n);
  if (c & L) return s.run(p + n, L);
  if (c & N) {
    const char* q = p + n;
    for (int i = 1; i < digits && q < s.end && (s.at(q, m) & N); ++i) q += m;
    return q;
  }
  if (*p != '\r' && *p != '\n' && p + n < s.end && (s.at(p + n, m) & L)) return s.run(p + n + m, L);
  const char* from = p + (*p == ' ');
  if (const char* q = s.run_not(from, L | N | Space); q > from) return s.newlines(q);
  return whitespace(s, p, true);
}

inline bool ascii_letter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }
inline bool ascii_punctuation(char c) { return c > ' ' && c < 127 && !ascii_letter(c) && !(c >= '0' && c <= '9'); }

// The third pattern of DeepSeek V3, inside a piece without numbers and Chinese or Japanese:
// [!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*
// |\s*[\r\n]+|\s+(?!\S)|\s+
inline const char* next_deepseek3(const Scanner& s, const char* p) {
  using namespace unicode;
  if (ascii_punctuation(*p) && p + 1 < s.end && ascii_letter(p[1])) {
    const char* q = p + 2;
    while (q < s.end && ascii_letter(*q)) ++q;
    return q;
  }
  uint32_t n, m;
  const unsigned c = s.at(p, n);
  if (c & (L | M)) return s.run(p + n, L | M);
  if (!(c & (P | S)) && *p != '\r' && *p != '\n' && p + n < s.end && (s.at(p + n, m) & (L | M)))
    return s.run(p + n + m, L | M);
  const char* from = p + (*p == ' ');
  if (const char* q = s.run(from, P | S); q > from) return s.newlines(q);
  return c & Space ? whitespace(s, p, true) : nullptr;
}

// Whole texts: each calls word(begin, end) for every piece in order.
template <class Word>
void each_gpt2(std::string_view text, Word&& word) {
  const Scanner s{Classes::get(), text.data() + text.size()};
  for (const char *p = text.data(), *q; p < s.end; p = q) word(p, q = next_gpt2(s, p));
}

// Every number character by itself, then GPT-2's pattern inside the pieces between them.
template <class Word>
void each_smollm(std::string_view text, Word&& word) {
  const Classes& classes = Classes::get();
  const Scanner all{classes, text.data() + text.size()};
  const char* p = text.data();
  while (p < all.end) {
    const Scanner piece{classes, all.run_not(p, unicode::N)};
    for (const char* q; p < piece.end; p = q) word(p, q = next_gpt2(piece, p));
    uint32_t n;
    for (; p < all.end && (all.at(p, n) & unicode::N); p += n) word(p, p + n);
  }
}

template <class Word>
void each_llama3(std::string_view text, int digits, Word&& word) {
  const Scanner s{Classes::get(), text.data() + text.size()};
  for (const char *p = text.data(), *q; p < s.end; p = q) word(p, q = next_llama3(s, p, digits));
}

// One piece cut by the third pattern of DeepSeek V3. What no alternative matches (a control character) stays together
// up to the next match.
template <class Word>
const char* each_in_piece(const Scanner& piece, const char* p, Word&& word) {
  for (const char* gap = p; p < piece.end || gap < p;) {
    const char* q = p < piece.end ? next_deepseek3(piece, p) : p;
    if (q && gap < p) word(gap, p);
    if (q) {
      if (p < q) word(p, q);
      gap = p = q;
    } else {
      uint32_t n;
      piece.at(p, n);
      p += n;
    }
  }
  return p;
}

// Numbers in threes; runs of Chinese and Japanese, and what is left, cut by the third pattern.
template <class Word>
void each_deepseek3(std::string_view text, Word&& word) {
  using namespace unicode;
  const Classes& classes = Classes::get();
  const Scanner all{classes, text.data() + text.size()};
  const char* p = text.data();
  while (p < all.end) {
    p = each_in_piece(Scanner{classes, all.run_not(p, N | Cjk)}, p, word);
    uint32_t n;
    while (p < all.end && (all.at(p, n) & N)) {
      const char* q = p + n;
      for (int i = 1; i < 3 && q < all.end && (all.at(q, n) & N); ++i) q += n;
      word(p, q);
      p = q;
    }
    p = each_in_piece(Scanner{classes, all.run(p, Cjk)}, p, word);
  }
}

}  // namespace jevons::scan
