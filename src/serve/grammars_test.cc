#include "serve/grammars.h"

#include <gtest/gtest.h>

#include <future>

#include "base/strings.h"

namespace jevons {
namespace {

std::shared_ptr<const GrammarVocab> bytes() {
  std::vector<std::string> tokens(257);
  for (size_t b = 0; b < 256; ++b) tokens[b] = std::string(1, static_cast<char>(b));
  return std::make_shared<const GrammarVocab>(tokens, std::vector<int32_t>{256});
}

struct Got {
  Grammars::Made made;
  std::exception_ptr error;
  std::thread::id thread;
};

Got get(Grammars& grammars, const std::string& pattern, int* vocabs = nullptr) {
  std::promise<Got> got;
  grammars.make({.model = "m",
                 .key = pattern,
                 .compile =
                     [pattern](std::vector<std::string>& warnings) {
                       warnings.push_back("noted");
                       return Grammar::from_regex(pattern).value();
                     },
                 .vocab =
                     [vocabs] {
                       if (vocabs) ++*vocabs;
                       return bytes();
                     },
                 .then =
                     [&](const Grammars::Made& made, const std::exception_ptr& error) {
                       got.set_value({made, error, std::this_thread::get_id()});
                     }});
  return got.get_future().get();
}

TEST(Grammars, AreMadeElsewhereAndKept) {
  Grammars grammars;
  int vocabs = 0;
  const Got first = get(grammars, "a+", &vocabs), again = get(grammars, "a+", &vocabs),
            other = get(grammars, "b+", &vocabs);
  EXPECT_NE(first.thread, std::this_thread::get_id());
  EXPECT_EQ(again.thread, std::this_thread::get_id());
  EXPECT_EQ(first.made.masks, again.made.masks);
  EXPECT_NE(first.made.masks, other.made.masks);
  EXPECT_EQ(again.made.warnings, std::vector<std::string>{"noted"});
  EXPECT_EQ(vocabs, 1);
  EXPECT_EQ(grammars.counts().compiled, 2);
  EXPECT_EQ(grammars.counts().found, 1);
}

TEST(Grammars, ErrorsComeThroughAndAreNotKept) {
  Grammars grammars;
  for (int i = 0; i < 2; ++i) {
    const Got got = get(grammars, "a(");
    ASSERT_TRUE(got.error);
    EXPECT_THROW(std::rethrow_exception(got.error), Error);
  }
  EXPECT_FALSE(get(grammars, "a").error);
  EXPECT_EQ(grammars.counts().compiled, 1);
}

TEST(Grammars, TheLeastRecentlyUsedGoFirst) {
  Grammars grammars;
  get(grammars, "keep");
  get(grammars, "forget");
  for (int i = 0; i < 31; ++i) {
    get(grammars, cat("x{", i, "}y"));
    get(grammars, "keep");
  }
  EXPECT_EQ(grammars.counts().compiled, 33);
  get(grammars, "keep");
  EXPECT_EQ(grammars.counts().compiled, 33);
  get(grammars, "forget");
  EXPECT_EQ(grammars.counts().compiled, 34);
}

}  // namespace
}  // namespace jevons
