#include "text/unicode.h"

#include <gtest/gtest.h>

namespace jevons::unicode {
namespace {

TEST(Unicode, DecodeAgreesWithEveryEncoding) {
  for (uint32_t c = 0; c < 0x110000; ++c) {
    std::string text;
    append_utf8(text, c);
    const Char got = decode(text.data(), text.data() + text.size());
    const bool surrogate = c >= 0xd800 && c < 0xe000;
    ASSERT_EQ(got.valid, !surrogate) << c;
    ASSERT_TRUE(surrogate || (got.point == c && got.length == text.size())) << c;
  }
}

// The parts that Python's bytes.decode("utf-8", "replace") replaces by one U+FFFD each.
TEST(Unicode, BrokenPartsAreMaximal) {
  const auto length = [](std::string_view s) {
    const Char c = decode(s.data(), s.data() + s.size());
    EXPECT_FALSE(c.valid);
    EXPECT_EQ(c.point, kReplacement);
    return c.length;
  };
  EXPECT_EQ(length("\x80"), 1u);
  EXPECT_EQ(length("\xc0\xaf"), 1u);
  EXPECT_EQ(length("\xe2\x82"), 2u);
  EXPECT_EQ(length("\xe2\x82"
                   "a"),
            2u);
  EXPECT_EQ(length("\xf0\x9f\x98"), 3u);
  EXPECT_EQ(length("\xed\xa0\x80"), 1u);
  EXPECT_EQ(length("\xe0\x9f\xbf"), 1u);
  EXPECT_EQ(length("\xf4\x90\x80\x80"), 1u);
  EXPECT_EQ(length("\xf5\x80"), 1u);
  EXPECT_TRUE(is_valid("aé中😀"));
  EXPECT_FALSE(is_valid("a\xe4\xb8"));
}

TEST(Unicode, Classes) {
  const Classes& k = Classes::get();
  EXPECT_EQ(k.of('a'), L | Word);
  EXPECT_EQ(k.of('0'), N | Word);
  EXPECT_EQ(k.of('_'), P | Word);
  EXPECT_EQ(k.of('$'), S);
  EXPECT_EQ(k.of(' '), Space);
  EXPECT_EQ(k.of(0x4e2d), L | Word | Cjk);
  EXPECT_EQ(k.of(0x30fb), P | Cjk);
  EXPECT_EQ(k.of(0x301), M | Word);
  EXPECT_EQ(k.of(0x180e), 0) << "no white space since Unicode 6.3";
  EXPECT_EQ(k.of(kReplacement), S);
  EXPECT_EQ(k.of(0x10ffff), 0);
}

TEST(Unicode, NormalisesHandValues) {
  EXPECT_EQ(nfc("e\u0301"), "é");
  EXPECT_EQ(nfd("é"), "e\u0301");
  EXPECT_EQ(nfc("a\u0328\u0301"), "ą\u0301");
  EXPECT_EQ(nfc("a\u0301\u0328"), "ą\u0301") << "marks are put in order first";
  EXPECT_EQ(nfc("q\u0307\u0323"), "q\u0323\u0307");
  EXPECT_EQ(nfc("\u1100\u1161\u11a8"), "각");
  EXPECT_EQ(nfd("각"), "\u1100\u1161\u11a8");
  EXPECT_EQ(nfc("\u212b\u2126"), "ÅΩ");
  EXPECT_EQ(nfc("\u0958"), "\u0915\u093c") << "excluded from composition";
  EXPECT_EQ(nfc("\u0301"), "\u0301");
  EXPECT_EQ(nfc("e\xff\u0301"), "e\xff\u0301") << "a broken byte keeps them apart";
  EXPECT_EQ(nfc("豈"), "\u8c48");
}

TEST(Unicode, FormsAreStable) {
  for (uint32_t c = 0; c < 0x30000; ++c) {
    if (c >= 0xd800 && c < 0xe000) continue;
    std::string text = "a";
    append_utf8(text, c);
    text += "\u0301\u0323";
    const std::string d = nfd(text), composed = nfc(text);
    ASSERT_EQ(nfd(d), d) << c;
    ASSERT_EQ(nfc(composed), composed) << c;
    ASSERT_EQ(nfd(composed), d) << c;
    ASSERT_EQ(nfc(d), composed) << c;
  }
}

}  // namespace
}  // namespace jevons::unicode
