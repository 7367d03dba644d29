#include "base/progress.h"

#include <gtest/gtest.h>

namespace jevons {
namespace {

TEST(Progress, ShortWorkShowsNothing) {
  testing::internal::CaptureStderr();
  {
    Progress progress("loading", 1000, "B");
    for (int i = 0; i < 1000; ++i) progress.advance(1);
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(Progress, NotesAreLinesOnStderrUnlessQuiet) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  note("something happened");
  set_quiet(true);
  note("nobody hears");
  set_quiet(false);
  note("100 % of it");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "jevons: something happened\njevons: 100 % of it\n");
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
}

}  // namespace
}  // namespace jevons
