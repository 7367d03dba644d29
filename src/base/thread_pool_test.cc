#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <chrono>
#include <thread>
#include <vector>

namespace jevons {
namespace {

TEST(Exec, EveryIndexOnce) {
  for (int threads = 1; threads <= 4; ++threads) {
    Exec exec(threads);
    EXPECT_EQ(exec.threads(), threads);
    std::vector<int> count(1001);  // plain ints: two threads on one index would be seen by the thread sanitizer
    for (int64_t n = 0; n <= 1000; n += n < 40 ? 1 : 37) {
      std::fill(count.begin(), count.end(), 0);
      exec.parallel_for(n, [&](int64_t i) { ++count[static_cast<size_t>(i)]; });
      for (int64_t i = 0; i <= 1000; ++i)
        ASSERT_EQ(count[static_cast<size_t>(i)], i < n) << i << " of " << n << ", " << threads << " threads";
    }
    exec.parallel_for(-3, [&](int64_t) { FAIL() << "a negative count has no indices"; });
  }
}

// What a job wrote is seen by the next job on whatever thread, without atomics.
TEST(Exec, ManySmallJobsSeeEachOthersWrites) {
  Exec exec(3);
  std::vector<int64_t> value(7, 0), next(7, 0);
  for (int round = 0; round < 3000; ++round) {
    exec.parallel_for(7,
                      [&](int64_t i) { next[static_cast<size_t>(i)] = value[static_cast<size_t>((i + 1) % 7)] + 1; });
    std::swap(value, next);
  }
  for (int64_t v : value) EXPECT_EQ(v, 3000);
}

// The barrier opens only if every thread of the pool takes part, also after all workers have gone to sleep.
TEST(Exec, SleepingWorkersWake) {
  Exec exec(4);
  for (int round = 0; round < 5; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    std::barrier all(4);
    std::atomic<int> passed{0};
    exec.parallel_for(4, [&](int64_t) {
      all.arrive_and_wait();
      ++passed;
    });
    EXPECT_EQ(passed, 4);
  }
}

TEST(Exec, EndsWithWorkersAsleepOrJustStarted) {
  for (int i = 0; i < 20; ++i) Exec started(4);
  Exec asleep(4);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
}

TEST(Exec, SomeCoreIsUsable) { EXPECT_GE(usable_cores(), 1); }

}  // namespace
}  // namespace jevons
