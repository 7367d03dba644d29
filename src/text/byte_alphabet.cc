#include "text/byte_alphabet.h"

#include "text/unicode.h"

namespace jevons {

const ByteAlphabet& ByteAlphabet::get() {
  static const ByteAlphabet instance = [] {
    ByteAlphabet a;
    a.byte_of.fill(-1);
    uint16_t next = 0x100;
    for (int b = 0; b < 256; ++b) {
      const bool self = (b >= '!' && b <= '~') || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
      a.point_of[b] = self ? static_cast<uint16_t>(b) : next++;
      a.byte_of[a.point_of[b]] = static_cast<int16_t>(b);
    }
    return a;
  }();
  return instance;
}

void append_letters(std::string& out, std::string_view bytes) {
  for (const char c : bytes) unicode::append_utf8(out, ByteAlphabet::get().point_of[static_cast<unsigned char>(c)]);
}

bool append_bytes(std::string& out, std::string_view letters) {
  const ByteAlphabet& alphabet = ByteAlphabet::get();
  const size_t before = out.size();
  for (const char *p = letters.data(), *end = p + letters.size(); p < end;) {
    const unicode::Char c = unicode::decode(p, end);
    if (!c.valid || c.point >= alphabet.byte_of.size() || alphabet.byte_of[c.point] < 0) {
      out.resize(before);
      return false;
    }
    out += static_cast<char>(alphabet.byte_of[c.point]);
    p += c.length;
  }
  return true;
}

}  // namespace jevons
