// The byte alphabet of GPT-2, in which vocabularies are written: printable Latin-1 bytes stand for themselves, the
// others for U+0100 and up in order. So every byte is a visible character, and a space is U+0120.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace jevons {

struct ByteAlphabet {
  std::array<uint16_t, 256> point_of{};  // code point of a byte
  std::array<int16_t, 0x180> byte_of{};  // and back; -1 for a code point outside
  static const ByteAlphabet& get();
};

// Appends the letters of `bytes`.
void append_letters(std::string& out, std::string_view bytes);
// Appends the bytes that `letters` stand for; false, and nothing appended, if one lies outside the alphabet.
bool append_bytes(std::string& out, std::string_view letters);

}  // namespace jevons
