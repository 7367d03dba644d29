#include "cli/command.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "cli/store.h"

namespace jevons {
namespace {

struct Values {
  bool flag = false;
  int count = 5;
  std::optional<double> temperature;
  std::string model;
  std::vector<std::string> stops, words;
};

// The error message of parsing `arguments`, or "" if they are fine.
std::string parse(Values& v, Common& common, const std::vector<std::string>& arguments) {
  const Command command{.name = "demo",
                        .summary = "a demonstration",
                        .options = {{"MODEL", &v.model, "a model", {.required = true}},
                                    {"WORDS", &v.words, "text"},
                                    {"--flag", &v.flag, "a flag"},
                                    {"-n,--count", &v.count, "how many", {.min = 0, .max = 9}},
                                    {"--temp", &v.temperature, "temperature"},
                                    {"--stop", &v.stops, "stop strings"}},
                        .examples = {},
                        .run = [](const Common&) { return 0; }};
  const auto result = parse_arguments(command, common, arguments);
  return result.ok() ? "" : result.error().message();
}

TEST(Arguments, FillTheirVariablesInAnyOrder) {
  Values v;
  Common common;
  ASSERT_EQ(
      parse(v, common,
            {"-n", "7", "m", "--temp=-0.5", "--stop", "--x", "--stop=", "a b", "-", "-3", "--json", "--", "--flag"}),
      "");
  EXPECT_EQ(v.count, 7);
  EXPECT_EQ(v.model, "m");
  EXPECT_EQ(v.temperature, -0.5);
  EXPECT_EQ(v.stops, (std::vector<std::string>{"--x", ""}));
  EXPECT_EQ(v.words, (std::vector<std::string>{"a b", "-", "-3", "--flag"}));
  EXPECT_FALSE(v.flag);
  EXPECT_TRUE(common.json);
  EXPECT_GE(common.threads, 1);
  EXPECT_FALSE(common.seed);
}

TEST(Arguments, KeepsBracketsAndQuotesOfAPrompt) {
  Values v;
  Common common;
  ASSERT_EQ(parse(v, common, {"m", "[a, b]", "\"quoted\"", "{}"}), "");
  EXPECT_EQ(v.words, (std::vector<std::string>{"[a, b]", "\"quoted\"", "{}"}));
}

TEST(Arguments, RefusesWithTheNameAndTheCure) {
  const auto error = [](std::vector<std::string> arguments) {
    Values v;
    Common common;
    return parse(v, common, arguments);
  };
  EXPECT_EQ(error({}), "MODEL is missing; see 'jevons demo --help'");
  EXPECT_EQ(error({"m", "--cuont", "3"}),
            "unknown option \"--cuont\"; did you mean --count?; see 'jevons demo --help'");
  EXPECT_EQ(error({"m", "-n"}), "-n needs a value (N); see 'jevons demo --help'");
  EXPECT_EQ(error({"m", "-n", "1", "--count", "2"}), "--count is given twice; see 'jevons demo --help'");
  EXPECT_EQ(error({"m", "--flag=yes"}), "--flag takes no value; see 'jevons demo --help'");
  EXPECT_EQ(error({"m", "-n", "10"}), "--count: expected a whole number from 0 to 9, found \"10\"");
  for (const char* text : {"", "3x", " 3", "99999999999", "0x3", "1.0"})
    EXPECT_NE(error({"m", "-n", text}), "") << text;
  for (const char* text : {"nan", "inf", "1e999", "", "1,5"}) EXPECT_NE(error({"m", "--temp", text}), "") << text;
  EXPECT_NE(error({"m", "--seed", "-1"}), "");
  EXPECT_NE(error({"m", "--threads", "-1"}), "");
}

TEST(Commands, AreCompleteAndUnique) {
  std::set<std::string> names;
  for (const Command& command : all_commands()) {
    EXPECT_TRUE(names.insert(command.name).second) << command.name;
    EXPECT_FALSE(command.summary.empty()) << command.name;
    EXPECT_TRUE(command.run) << command.name;
    EXPECT_GE(command.examples.size(), 2u) << command.name;
    for (const std::string& example : command.examples) {
      EXPECT_NE(example.find("jevons " + command.name), example.npos) << example;
    }
    Common common;
    std::set<std::string> options = {"-h", "--help"};
    for (const auto& list : {command.options, common_options(common)}) {
      for (const Option& option : list) {
        EXPECT_FALSE(option.help().empty()) << command.name << " " << option.names()[0];
        for (const std::string& name : option.names())
          EXPECT_TRUE(options.insert(name).second) << command.name << " " << name;
      }
    }
    EXPECT_NE(command_help(command).find("examples:\n  "), std::string::npos);
  }
}

// Runs the program with its stdout captured.
int run(const std::vector<std::string>& arguments, std::string* out = nullptr) {
  testing::internal::CaptureStdout();
  const int code = run_program(arguments);
  const std::string text = testing::internal::GetCapturedStdout();
  if (out) *out = text;
  return code;
}

TEST(Program, ExitCodes) {
  std::string out;
  EXPECT_EQ(run({"--help"}, &out), 0);
  EXPECT_NE(out.find("list"), out.npos);
  EXPECT_EQ(run({"list", "--help"}), 0);
  EXPECT_EQ(run({"help", "list"}), 0);
  EXPECT_EQ(run({"--version"}), 0);
  EXPECT_EQ(run({"lst", "--json"}, &out), 2);
  EXPECT_EQ(out,
            "{\"error\":{\"code\":\"usage\",\"message\":\"unknown command \\\"lst\\\"; did you mean 'list'? See "
            "'jevons --help'.\"}}\n");
  EXPECT_EQ(run({"list", "extra"}, &out), 2);
  EXPECT_EQ(out, "");
}

}  // namespace
}  // namespace jevons
