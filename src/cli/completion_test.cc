#include "cli/completion.h"

#include <gtest/gtest.h>

#include <cstdio>

#include "cli/store_testing.h"

namespace jevons {
namespace {

std::string choice, model;
bool flag = false;

std::vector<Command> table() {
  const auto nothing = [](const Common&) { return 0; };
  return {{.name = "show",
           .summary = "what it's",
           .options = {{"MODEL", &model, "m"}, {"-f,--flag", &flag, "a: flag"}},
           .run = nothing},
          {.name = "bench run",
           .summary = "speed",
           .options = {{"--type", &choice, "t", {.choices = {"q4_0", "q8_0"}}}},
           .run = nothing},
          {.name = "bench machine", .summary = "limits", .run = nothing}};
}

// What bash offers for a command line whose last word is being typed; `jevons list` is played by a function.
std::string complete(const TemporaryStore& store, const std::string& words) {
  const auto script = store.file("completion.bash",
                                 "jevons() { echo tiny-llama; }\n" + bash_completion(table()) + "COMP_WORDS=(" + words +
                                     ")\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_jevons\necho \"${COMPREPLY[@]}\"\n");
  FILE* const pipe = ::popen(("bash '" + script.string() + "' 2>&1").c_str(), "r");
  std::string out;
  for (int c; (c = std::fgetc(pipe)) != EOF;) out += static_cast<char>(c);
  EXPECT_EQ(::pclose(pipe), 0) << out;
  return out;
}

TEST(Completion, BashOffersWhatFits) {
  const TemporaryStore store;
  EXPECT_EQ(complete(store, "jevons s"), "show\n");
  EXPECT_EQ(complete(store, "jevons be"), "bench\n");
  EXPECT_EQ(complete(store, "jevons bench ''"), "run machine\n");
  EXPECT_EQ(complete(store, "jevons bench run --ty"), "--type\n");
  EXPECT_EQ(complete(store, "jevons bench run --type q8"), "q8_0\n");
  EXPECT_EQ(complete(store, "jevons show --f"), "--flag\n");
  EXPECT_EQ(complete(store, "jevons show ti"), "tiny-llama\n");
  EXPECT_EQ(complete(store, "jevons bench machine ti"), "\n");
}

TEST(Completion, QuotesForEachShell) {
  EXPECT_NE(zsh_completion(table()).find("'show:what it'\\''s'"), std::string::npos);
  EXPECT_NE(fish_completion(table()).find("-a show -d 'what it\\'s'"), std::string::npos);
  EXPECT_NE(
      fish_completion(table()).find(
          "'__fish_seen_subcommand_from bench; and __fish_seen_subcommand_from run' -l type -r -f -a 'q4_0 q8_0'"),
      std::string::npos);
}

}  // namespace
}  // namespace jevons
