#include "base/json.h"

#include <gtest/gtest.h>

namespace jevons {
namespace {

TEST(Json, KeepsOrderAndTypes) {
  const Json json =
      *Json::parse(R"({"b": 1, "a": [1.5, -3, true, null, "x\u00e9\n"], "c": {"d": 18446744073709551615}})");
  EXPECT_EQ(json.as_object()[0].first, "b");
  EXPECT_TRUE(json.at("b").is_int());
  EXPECT_EQ(json.at("a").as_array()[4].as_string(), "x\xc3\xa9\n");
  EXPECT_TRUE(json.at("c").at("d").is_number());
  EXPECT_FALSE(json.at("c").at("d").is_int());
  EXPECT_EQ(json.dump(), R"({"b":1,"a":[1.5,-3,true,null,"xé\n"],"c":{"d":18446744073709551616.0}})");
  EXPECT_EQ(*Json::parse(json.dump(2)), json);
}

TEST(Json, RefusesWithPlaceAndReason) {
  const auto error = [](std::string text) { return Json::parse(text).error().message(); };
  EXPECT_NE(error("{\"a\": 1, \"a\": 2}").find("appears twice"), std::string::npos);
  EXPECT_NE(error("[1,\n2,,3]").find("line 2, column 3"), std::string::npos) << error("[1,\n2,,3]");
  EXPECT_NE(error(std::string(100000, '[')).find("nested deeper than 64"), std::string::npos);
  EXPECT_FALSE(Json::parse("\"\xff\"").ok());
  EXPECT_FALSE(Json::parse("").ok());
  EXPECT_FALSE(Json::parse("{} x").ok());
  EXPECT_FALSE(Json::parse("12345", 3).ok());
}

TEST(Json, WrongTypeNamesBoth) {
  try {
    (void)Json("text").as_int();
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.message(), "expected an integer, found string \"\\\"text\\\"\"");
  }
}

TEST(Json, DumpReplacesBrokenUtf8) { EXPECT_EQ(Json("a\xff\x01").dump(), "\"a\xef\xbf\xbd\\u0001\""); }

}  // namespace
}  // namespace jevons
