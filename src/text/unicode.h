// UTF-8 decoding, character classes and canonical normalisation.
//
// The classes are general categories L M N P S, White_Space and the word class \w, as the `tokenizers` library sees
// them (tools/gen_unicode.py). Broken bytes: the longest prefix of a sequence that could have gone on, or else one
// byte, counts as one character of class S, which is the class of U+FFFD, its usual replacement.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace jevons::unicode {

enum Class : uint8_t { L = 1, M = 2, N = 4, P = 8, S = 16, Space = 32, Word = 64, Cjk = 128 };

constexpr uint32_t kReplacement = 0xfffd;

struct Char {
  uint32_t point;   // kReplacement if not valid
  uint32_t length;  // bytes, at least 1
  bool valid;
};

// The character at `p` (p < end).
Char decode(const char* p, const char* end);
// Appends the UTF-8 form of a code point.
void append_utf8(std::string& out, uint32_t point);
bool is_valid(std::string_view text);

class Classes {
 public:
  static const Classes& get();  // built once, about 1 ms
  uint8_t of(uint32_t point) const { return values_[size_t{blocks_[point >> 8]} << 8 | (point & 255)]; }
  // The classes of the character at p; `length` is set to its bytes.
  uint8_t at(const char* p, const char* end, uint32_t& length) const {
    const auto byte = static_cast<unsigned char>(*p);
    if (byte < 0x80) [[likely]] {
      length = 1;
      return values_[byte];
    }
    const Char c = decode(p, end);
    length = c.length;
    return of(c.point);
  }

 private:
  Classes();
  std::vector<uint16_t> blocks_;
  std::vector<uint8_t> values_;  // block 0 is first: values_[byte] serves ASCII
};

// Normalisation forms C and D. Broken bytes stay as they are and end a run of combining marks.
std::string nfc(std::string_view text);
std::string nfd(std::string_view text);

// unicode_tables.cc
extern const uint32_t kClassRuns[], kCombiningRuns[], kDecompositions[];
extern const size_t kClassRunsSize, kCombiningRunsSize, kDecompositionsSize;
extern const char* const kNewer[5];

}  // namespace jevons::unicode
