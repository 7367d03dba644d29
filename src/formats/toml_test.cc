#include "formats/toml.h"

#include <gtest/gtest.h>

#include "base/strings.h"

namespace jevons {
namespace {

TEST(TomlTest, ValuesInTheOrderOfTheFileWithTheirLines) {
  const Result<Toml> toml = parse_toml(
      "seed = 7\nname = \"a\\tb\"\n\n[schedule]\nzeta = 1e-3\nalpha = [1, 2.5, true]\n[schedule.deep]\nx = 'y'\n");
  ASSERT_TRUE(toml.ok()) << toml.error().message();
  EXPECT_EQ(toml->values.dump(),
            R"({"seed":7,"name":"a\tb","schedule":{"zeta":0.001,"alpha":[1,2.5,true],"deep":{"x":"y"}}})");
  EXPECT_EQ(toml->lines.at("seed"), 1);
  EXPECT_EQ(toml->lines.at("schedule"), 4);
  EXPECT_EQ(toml->lines.at("schedule.alpha"), 6);
  EXPECT_EQ(toml->lines.at("schedule.deep.x"), 8);
}

void refused(std::string_view text, std::string_view words) {
  const Result<Toml> toml = parse_toml(text);
  ASSERT_FALSE(toml.ok()) << text;
  EXPECT_NE(toml.error().message().find(words), std::string::npos) << toml.error().message();
}

TEST(TomlTest, WrongTextsAreRefusedWithTheirLine) {
  refused("a = 1\nb = \n", "line 2: ");
  refused("a = 1\na = 2\n", "line 2: ");
  refused("[x]\ny = 1979-05-27\n", "line 2: \"x.y\" is a date");
  refused("y = inf\n", "line 1: \"y\" is not a finite number");
  refused("y = \"\xff\"\n", "line 1: ");
  refused(std::string((1 << 20) + 1, '#'), "at most 1048576");
  refused("a = " + std::string(100000, '['), "line 1: ");
}

}  // namespace
}  // namespace jevons
