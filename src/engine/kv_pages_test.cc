// KvPages against a plain model: a map from the whole token prefix to its page, a count of users, and a list of what
// lies idle in the order in which it was released.
#include "engine/kv_pages.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

namespace jevons {
namespace {

using Tokens = std::vector<int32_t>;

struct Model {
  int64_t page_tokens;
  std::map<Tokens, int32_t> published;
  std::map<int32_t, int> users;  // of every page
  std::vector<int32_t> idle;

  const Tokens* prefix_of(int32_t page) const {
    for (const auto& [tokens, p] : published)
      if (p == page) return &tokens;
    return nullptr;
  }
  int64_t available() const {
    return std::count_if(users.begin(), users.end(), [](const auto& u) { return u.second == 0; });
  }
  void release(int32_t page) {
    if (--users[page] == 0 && prefix_of(page)) idle.push_back(page);
  }
  std::vector<int32_t> share(const Tokens& tokens) {
    std::vector<int32_t> out;
    for (int64_t end = page_tokens; end <= static_cast<int64_t>(tokens.size()); end += page_tokens) {
      const auto found = published.find({tokens.begin(), tokens.begin() + end});
      if (found == published.end()) break;
      out.push_back(found->second);
      if (users[found->second]++ == 0) std::erase(idle, found->second);
    }
    return out;
  }
  // Whether `taken` was right to take: any page that is free, else the one idle for longest, else none.
  bool took(std::optional<int32_t> taken) {
    if (available() == 0) return !taken;
    if (!taken || users.at(*taken) != 0) return false;
    if (available() > static_cast<int64_t>(idle.size())) {
      if (prefix_of(*taken)) return false;
    } else {
      if (*taken != idle.front()) return false;
      published.erase(Tokens(*prefix_of(*taken)));
      idle.erase(idle.begin());
    }
    users[*taken] = 1;
    return true;
  }
};

struct Sequence {
  Tokens tokens;
  std::vector<int32_t> pages;
};

void run(unsigned seed, int64_t pages, int64_t page_tokens, int alphabet, int operations,
         KvPages::Hash hash = KvPages::mixed) {
  std::mt19937 random(seed);
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  KvPages tested(pages, page_tokens, hash);
  Model model{page_tokens, {}, {}, {}};
  for (int64_t p = 0; p < pages; ++p) model.users[static_cast<int32_t>(p)] = 0;
  ASSERT_EQ(tested.total(), pages);
  ASSERT_EQ(tested.page_tokens(), page_tokens);
  std::vector<Sequence> running;
  int evictions = 0, shared = 0;
  for (int step = 0; step < operations; ++step) {
    SCOPED_TRACE(testing::Message() << "seed " << seed << ", step " << step);
    const int what = below(10);
    if (what < 3) {  // a sequence begins with what is there of its prompt
      Sequence s;
      for (int i = below(5 * static_cast<int>(page_tokens)); i >= 0; --i) s.tokens.push_back(below(alphabet) - 1);
      s.pages = tested.share(s.tokens);
      ASSERT_EQ(s.pages, model.share(s.tokens));
      shared += !s.pages.empty();
      s.tokens.resize(s.pages.size() * static_cast<size_t>(page_tokens));
      running.push_back(std::move(s));
    } else if (what < 8 && !running.empty()) {  // one grows by a page, which may be published
      Sequence& s = running[static_cast<size_t>(below(static_cast<int>(running.size())))];
      const size_t known = model.published.size();
      const std::optional<int32_t> page = tested.take();
      ASSERT_TRUE(model.took(page));
      evictions += model.published.size() < known;
      if (page) {
        s.pages.push_back(*page);
        for (int64_t i = 0; i < page_tokens; ++i) s.tokens.push_back(below(alphabet) - 1);
        if (below(4) > 0) {
          tested.publish(s.tokens, *page);
          model.published.try_emplace(s.tokens, *page);
          tested.publish(s.tokens, *page);  // once more changes nothing
        }
      }
    } else if (!running.empty()) {  // one ends
      const size_t which = static_cast<size_t>(below(static_cast<int>(running.size())));
      for (int32_t page : running[which].pages) tested.release(page), model.release(page);
      running.erase(running.begin() + static_cast<int64_t>(which));
    }
    ASSERT_EQ(tested.available(), model.available());
  }
  for (const Sequence& s : running)
    for (int32_t page : s.pages) tested.release(page);
  EXPECT_EQ(tested.available(), pages);
  EXPECT_GT(evictions, 10) << "the run was to fill the cache";
  EXPECT_GT(shared, 10) << "the run was to share";
}

TEST(KvPages, EqualsAPlainModel) {
  for (unsigned seed = 1; seed <= 5; ++seed) {
    run(seed, 12, 1, 3, 3000);
    run(seed, 40, 2, 2, 3000);
    run(seed, 9, 4, 2, 3000);
  }
}

// Sharing is exact whatever the hash does: one value for all, and two bits of the real one (which differ by the prefix
// before, so equal pages after different beginnings meet too).
TEST(KvPages, CollidingHashesShareNothingWrong) {
  for (unsigned seed = 1; seed <= 3; ++seed) {
    run(seed, 12, 1, 3, 3000, [](uint64_t, std::span<const int32_t>) { return uint64_t{7}; });
    run(seed, 40, 2, 2, 3000,
        [](uint64_t before, std::span<const int32_t> tokens) { return KvPages::mixed(before, tokens) & 3; });
  }
  KvPages pages(4, 2, [](uint64_t, std::span<const int32_t>) { return uint64_t{7}; });
  const int32_t a = *pages.take(), b = *pages.take(), c = *pages.take();
  pages.publish(Tokens{1, 2}, a);
  pages.publish(Tokens{9, 9}, b);
  pages.publish(Tokens{1, 2, 3, 4}, c);
  EXPECT_EQ(pages.share(Tokens{9, 9, 3, 4}), Tokens{b});  // the page after 1, 2 has the same tokens and the same hashes
  EXPECT_EQ(pages.share(Tokens{1, 2, 3, 4}), (Tokens{a, c}));
  EXPECT_EQ(pages.share(Tokens{5, 6}), Tokens{});
}

// A page outlives the one before it in the cache: it is found again as soon as that beginning is published anew, and
// under no other.
TEST(KvPages, APageWaitsForItsBeginning) {
  KvPages pages(3, 1);
  const int32_t a = *pages.take(), b = *pages.take();
  pages.publish(Tokens{1}, a);
  pages.publish(Tokens{1, 2}, b);
  pages.release(a);
  const int32_t c = *pages.take();
  EXPECT_EQ(pages.take(), a);  // given up
  EXPECT_EQ(pages.share(Tokens{1, 2}), Tokens{});
  pages.publish(Tokens{3}, a);
  EXPECT_EQ(pages.share(Tokens{3, 2}), Tokens{a});
  pages.publish(Tokens{1}, c);
  EXPECT_EQ(pages.share(Tokens{1, 2}), (Tokens{c, b}));
}

TEST(KvPages, SharesWholePagesOfTheSamePrefixOnly) {
  KvPages pages(4, 2);
  const int32_t a = *pages.take(), b = *pages.take();
  pages.publish(Tokens{1, 2}, a);
  pages.publish(Tokens{1, 2, 3, 4}, b);
  EXPECT_EQ(pages.share(Tokens{1, 2, 3, 4, 5}), (Tokens{a, b}));
  EXPECT_EQ(pages.share(Tokens{1, 2, 3}), Tokens{a});
  EXPECT_EQ(pages.share(Tokens{1}), Tokens{});
  EXPECT_EQ(pages.share(Tokens{3, 4}), Tokens{});          // the same tokens after another beginning
  EXPECT_EQ(pages.share(Tokens{1, 2, 3, 5}), Tokens{a});   // one token differs
  EXPECT_EQ(pages.share(Tokens{2, 1, 3, 4}), Tokens{});    // the order counts
  EXPECT_EQ(pages.share(Tokens{257, 2, 3, 4}), Tokens{});  // all bytes of a token count
  EXPECT_EQ(pages.share(Tokens{-1, 2, 3, 4}), Tokens{});
}

// Scopes may have any name, also one that reads like a page's tokens.
TEST(KvPages, ScopesDoNotMeet) {
  KvPages pages(4, 2);
  const int32_t a = *pages.take(), b = *pages.take();
  pages.publish(Tokens{97, 98}, a, "anna");
  EXPECT_EQ(pages.share(Tokens{97, 98}, "anna"), Tokens{a});
  for (const char* scope : {"", "ann", "annab", "bert", "ab"}) EXPECT_EQ(pages.share(Tokens{97, 98}, scope), Tokens{});
  pages.publish(Tokens{97, 98}, b, "ab");
  EXPECT_EQ(pages.share(Tokens{97, 98}, "ab"), Tokens{b});
  EXPECT_EQ(pages.share(Tokens{97, 98, 97, 98}), Tokens{});
}

TEST(KvPages, ForgetsWhatNobodyUses) {
  KvPages pages(2, 1);
  const int32_t a = *pages.take(), b = *pages.take();
  pages.publish(Tokens{1}, a);
  pages.publish(Tokens{1, 2}, b);
  pages.release(b);
  pages.forget();
  EXPECT_EQ(pages.available(), 1);
  EXPECT_EQ(pages.share(Tokens{1, 2}), Tokens{a});
  pages.release(a), pages.release(a);
  pages.forget();
  EXPECT_EQ(pages.share(Tokens{1}), Tokens{});
  EXPECT_EQ(pages.available(), 2);
}

TEST(KvPages, ThePageReleasedFirstIsGivenUpFirst) {
  KvPages pages(3, 1);
  Tokens held;
  for (int32_t token : {10, 20, 30}) {
    held.push_back(*pages.take());
    pages.publish(Tokens{token}, held.back());
  }
  EXPECT_EQ(pages.take(), std::nullopt);
  for (int i : {1, 0, 2}) pages.release(held[static_cast<size_t>(i)]);
  EXPECT_EQ(pages.share(Tokens{20}), Tokens{held[1]});  // in use again, and the youngest when it is released
  pages.release(held[1]);
  EXPECT_EQ(pages.take(), held[0]);
  EXPECT_EQ(pages.share(Tokens{10}), Tokens{});
  EXPECT_EQ(pages.take(), held[2]);
  EXPECT_EQ(pages.take(), held[1]);
  EXPECT_EQ(pages.take(), std::nullopt);
  EXPECT_EQ(pages.available(), 0);
}

// Two sequences computed the same page at once: the first one published is shared, the other goes back to the free
// ones.
TEST(KvPages, TheFirstPublishedStays) {
  KvPages pages(2, 1);
  const int32_t first = *pages.take(), second = *pages.take();
  pages.publish(Tokens{5}, first);
  pages.publish(Tokens{5}, second);
  EXPECT_EQ(pages.share(Tokens{5}), Tokens{first});
  pages.release(second);
  EXPECT_EQ(pages.take(), second);
}

}  // namespace
}  // namespace jevons
