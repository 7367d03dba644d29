#include "base/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <cstdio>
#include <fstream>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/strings.h"

namespace jevons {
namespace {

inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

constexpr int kSpins = 2000;  // of about 25 ns: the 50 us in the header

}  // namespace

struct Exec::Impl {
  // A job is described by plain fields, published by `epoch` and finished when every worker has counted itself out.
  alignas(64) std::atomic<uint64_t> epoch{0};
  alignas(64) std::atomic<int64_t> next{0};
  alignas(64) std::atomic<int> busy{0};
  int64_t n = 0;
  Call call = nullptr;
  const void* context = nullptr;
  std::atomic<bool> stop{false};
  std::atomic<int> sleepers{0};
  std::mutex mutex;
  std::condition_variable wake;
  std::vector<std::thread> workers;

  void take_chunks() {
    for (int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < n;) call(context, i);
  }

  uint64_t wait_for_job(uint64_t seen) {
    for (int spin = 0; spin < kSpins; ++spin) {
      if (const uint64_t now = epoch.load(std::memory_order_acquire); now != seen) return now;
      relax();
    }
    std::unique_lock lock(mutex);
    sleepers.fetch_add(1);
    wake.wait(lock, [&] { return epoch.load(std::memory_order_seq_cst) != seen; });  // pairs with publish()
    sleepers.fetch_sub(1);
    return epoch.load(std::memory_order_acquire);
  }

  void work() {
    for (uint64_t seen = 0;;) {
      seen = wait_for_job(seen);
      if (stop.load(std::memory_order_relaxed)) return;
      take_chunks();
      busy.fetch_sub(1, std::memory_order_release);
    }
  }

  void publish() {
    epoch.fetch_add(1, std::memory_order_seq_cst);
    if (sleepers.load(std::memory_order_seq_cst) > 0) {
      std::lock_guard lock(mutex);
      wake.notify_all();
    }
  }
};

Exec::Exec(int threads) : impl_(std::make_unique<Impl>()), threads_(std::max(1, threads)) {
  for (int i = 1; i < threads_; ++i) impl_->workers.emplace_back([this] { impl_->work(); });
}

Exec::~Exec() {
  impl_->stop = true;
  impl_->publish();
  for (std::thread& worker : impl_->workers) worker.join();
}

void Exec::run(int64_t n, Call call, const void* context) {
  Impl& impl = *impl_;
  impl.n = n, impl.call = call, impl.context = context;
  impl.next.store(0, std::memory_order_relaxed);
  impl.busy.store(threads_ - 1, std::memory_order_relaxed);
  impl.publish();
  impl.take_chunks();
  for (int spin = 0; impl.busy.load(std::memory_order_acquire) != 0; ++spin) {
    if (spin < 20 * kSpins)
      relax();
    else
      std::this_thread::yield();
  }
}

int usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  std::set<std::string> cores;
  int logical = 0;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &set)) continue;
    ++logical;
    std::string siblings;
    std::ifstream file(cat("/sys/devices/system/cpu/cpu", cpu, "/topology/thread_siblings_list"));
    if (!std::getline(file, siblings)) siblings = cat("cpu", cpu);
    cores.insert(siblings);
  }
  int limit = std::max<int>(1, cores.empty() ? logical : static_cast<int>(cores.size()));
  std::ifstream quota("/sys/fs/cgroup/cpu.max");
  std::string max;
  if (double period = 0; quota >> max >> period && max != "max" && period > 0)
    limit = std::clamp(static_cast<int>(std::ceil(std::stod(max) / period)), 1, limit);
  return limit;
}

}  // namespace jevons
