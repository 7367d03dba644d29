#include "engine/speculation.h"

#include <gtest/gtest.h>

namespace jevons {
namespace {

using Ids = std::vector<int32_t>;

TEST(PromptLookup, SaysWhatFollowedBefore) {
  PromptLookup lookup;
  for (int32_t id : {1, 2, 3, 4, 5, 6, 9, 2, 3}) lookup.push(id);
  EXPECT_EQ(lookup.draft(3), (Ids{4, 5, 6}));  // after the pair 2 3
  EXPECT_EQ(lookup.draft(100), (Ids{4, 5, 6, 9, 2, 3}));
  lookup.push(7);
  EXPECT_EQ(lookup.draft(3), Ids{});  // 3 7 is new
  EXPECT_EQ(PromptLookup().draft(3), Ids{});
}

TEST(PromptLookup, TheTripleWinsOverThePairAndTheNewestOverTheOld) {
  PromptLookup lookup;
  for (int32_t id : {1, 2, 3, 10, 7, 2, 3, 20, 1, 2, 3}) lookup.push(id);
  EXPECT_EQ(lookup.draft(1), Ids{10});  // 1 2 3 -> 10, although 2 3 -> 20 is newer
  PromptLookup newer;
  for (int32_t id : {2, 3, 10, 2, 3, 20, 2, 3}) newer.push(id);
  EXPECT_EQ(newer.draft(1), Ids{20});
}

TEST(Speculation, MoreRowsPayWhileTheyAreCheap) {
  StepCosts costs;
  EXPECT_EQ(worthwhile_drafts(costs, 0.9, 1, 8), 0);  // nothing is known
  costs.measured(1, 1.0);
  EXPECT_EQ(worthwhile_drafts(costs, 0.9, 1, 8), 8);  // not tried: tried
  for (int rows = 2; rows <= 9; ++rows) costs.measured(rows, 1.0 + 0.05 * (rows - 1));
  EXPECT_EQ(worthwhile_drafts(costs, 0.9, 1, 8), 8);
  EXPECT_LT(worthwhile_drafts(costs, 0.3, 1, 8), 4);
  EXPECT_EQ(worthwhile_drafts(costs, 0.01, 1, 8), 0);
  StepCosts compute;  // a machine without head room: each row costs as much as the first
  for (int rows = 1; rows <= 9; ++rows) compute.measured(rows, rows);
  EXPECT_EQ(worthwhile_drafts(compute, 0.95, 1, 8), 0);
}

TEST(Speculation, AcceptanceFollowsWhatHappens) {
  Acceptance a;
  for (int i = 0; i < 50; ++i) a.checked(4, 0);
  EXPECT_LT(a.rate(), 0.05);
  for (int i = 0; i < 500; ++i) a.skipped();
  EXPECT_GT(a.rate(), 0.4);
  for (int i = 0; i < 50; ++i) a.checked(4, 4);
  EXPECT_GT(a.rate(), 0.95);
}

TEST(Speculation, OldCostsAreForgotten) {
  StepCosts costs;
  costs.measured(1, 1.0);
  costs.measured(4, 9.0);
  EXPECT_EQ(costs.at(4), 9.0);
  EXPECT_EQ(costs.at(3), 1.0);
  for (int i = 0; i < 300; ++i) costs.measured(1, 1.0);
  EXPECT_EQ(costs.at(4), 1.0);
}

}  // namespace
}  // namespace jevons
