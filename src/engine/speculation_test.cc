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

Acceptance settled(int64_t drafted, int64_t accepted) {
  Acceptance out;
  for (int i = 0; i < 200; ++i) out.checked(drafted, accepted);
  return out;
}

int64_t worth(const StepCosts& costs, const Acceptance& acceptance, double seconds = 0) {
  const Offer offer{acceptance, kMostDrafts, seconds};
  return best_offer(costs, {1, 1, 0}, std::span(&offer, 1)).guesses;
}

TEST(Speculation, MoreRowsPayWhileTheyAreCheap) {
  const Acceptance right = settled(8, 8), wrong = settled(8, 0), first = settled(8, 1);
  StepCosts costs;
  EXPECT_EQ(worth(costs, right), 0);  // nothing is known
  costs.measured(1, 1.0);
  EXPECT_EQ(worth(costs, right), 8);  // not tried: tried
  for (int rows = 2; rows <= 9; ++rows) costs.measured(rows, 1.0 + 0.05 * (rows - 1));
  EXPECT_EQ(worth(costs, right), 8);
  EXPECT_EQ(worth(costs, first), 1);
  EXPECT_EQ(worth(costs, wrong), 0);
  StepCosts compute;  // a machine without head room: each row costs as much as the first
  for (int rows = 1; rows <= 9; ++rows) compute.measured(rows, rows);
  EXPECT_EQ(worth(compute, right), 0);
}

TEST(Speculation, GuessesThatCostMoreThanTheyGiveAreNotMade) {
  StepCosts costs;
  for (int rows = 1; rows <= 9; ++rows) costs.measured(rows, 1.0);
  EXPECT_EQ(worth(costs, settled(8, 8), 0.2), 8);
  EXPECT_EQ(worth(costs, settled(8, 8), 1.1), 0);
  const Acceptance middling = settled(8, 2), good = settled(8, 4);
  const Offer offers[] = {{middling, 8}, {good, 8, 0.05}, {good, 8, 2.0}};
  const Choice choice = best_offer(costs, {1, 1, 0}, offers);
  EXPECT_EQ(choice.offer, 1u);
  EXPECT_EQ(choice.guesses, 4);
  EXPECT_EQ(likeliest_offer(std::span(offers, 1)).guesses, 8);
  const Offer empty[] = {{good, 0}, {middling, 3}};
  EXPECT_EQ(likeliest_offer(empty).offer, 1u);
  EXPECT_EQ(likeliest_offer({}).guesses, 0);
}

TEST(Speculation, AcceptanceFollowsWhatHappens) {
  Acceptance a = settled(4, 0);
  EXPECT_LT(a.rate(), 0.05);
  for (int i = 0; i < 500; ++i) a.skipped();
  EXPECT_GT(a.rate(), 0.4);
  for (int i = 0; i < 50; ++i) a.checked(4, 4);
  EXPECT_GT(a.rate(), 0.95);
  const Acceptance half = settled(3, 1);
  EXPECT_GT(half.rate(0), 0.95);
  EXPECT_LT(half.rate(1), 0.05);
  EXPECT_NEAR(half.rate(7), 0.5, 0.1);  // never asked for
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
