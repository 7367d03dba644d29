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
#include "base/error.h"
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

// The state of a job is one word, its ticket: the job's number above, the next chunk below. A chunk is claimed by
// advancing the ticket, which fails if the job is no longer the current one; so a worker that the system woke too late
// finds nothing to do and nobody waits for it. Only claimed chunks are waited for.
//
// A worker may read the fields of a job while the caller writes those of the next. It then cannot claim: the caller
// closes the ticket (kClosed) before it writes, and who reads a new field also sees the closed ticket.
struct Exec::Impl {
  static constexpr uint64_t kClosed = 0xFFFFFFFF;
  static uint64_t job_of(uint64_t t) { return t >> 32; }

  alignas(64) std::atomic<uint64_t> ticket{kClosed};
  alignas(64) std::atomic<int64_t> done{0};  // chunks of the current job that are finished
  alignas(64) std::atomic<int64_t> n{0};
  std::atomic<Call> call{nullptr};
  std::atomic<const void*> context{nullptr};
  std::atomic<bool> stop{false};
  std::atomic<int> sleepers{0};
  std::mutex mutex;
  std::condition_variable wake;
  std::vector<std::thread> workers;

  void take_chunks(uint64_t job) {
    int64_t finished = 0;
    for (uint64_t t = ticket.load(std::memory_order_acquire);;) {
      const Call body = call.load(std::memory_order_acquire);
      const void* const argument = context.load(std::memory_order_acquire);
      const int64_t chunk = static_cast<int64_t>(t & kClosed), count = n.load(std::memory_order_acquire);
      if (job_of(t) != job || chunk >= count) break;
      if (!ticket.compare_exchange_weak(t, t + 1, std::memory_order_acq_rel, std::memory_order_acquire)) continue;
      body(argument, chunk);
      ++finished;
      t = ticket.load(std::memory_order_acquire);
    }
    if (finished > 0) done.fetch_add(finished, std::memory_order_release);
  }

  uint64_t wait_for_job(uint64_t seen) {
    const auto news = [&] {
      const uint64_t t = ticket.load(std::memory_order_seq_cst);  // pairs with run()
      return job_of(t) != seen && (t & kClosed) != kClosed ? job_of(t) : seen;
    };
    for (int spin = 0; spin < kSpins; ++spin) {
      if (const uint64_t job = news(); job != seen) return job;
      relax();
    }
    std::unique_lock lock(mutex);
    sleepers.fetch_add(1);
    wake.wait(lock, [&] { return stop.load() || news() != seen; });
    sleepers.fetch_sub(1);
    return news();
  }

  void work() {
    for (uint64_t seen = 0; !stop.load(std::memory_order_relaxed);) {
      seen = wait_for_job(seen);
      take_chunks(seen);
    }
  }

  void wake_sleepers() {
    if (sleepers.load(std::memory_order_seq_cst) == 0) return;
    std::lock_guard lock(mutex);
    wake.notify_all();
  }
};

Exec::Exec(int threads) : impl_(std::make_unique<Impl>()), threads_(std::max(1, threads)) {
  for (int i = 1; i < threads_; ++i) impl_->workers.emplace_back([this] { impl_->work(); });
}

Exec::~Exec() {
  {
    std::lock_guard lock(impl_->mutex);
    impl_->stop = true;
  }
  impl_->wake.notify_all();
  for (std::thread& worker : impl_->workers) worker.join();
}

void Exec::run(int64_t n, Call call, const void* context) {
  Impl& impl = *impl_;
  JEVONS_CHECK(n < static_cast<int64_t>(Impl::kClosed), "too many chunks");
  const uint64_t job = (Impl::job_of(impl.ticket.load(std::memory_order_relaxed)) + 1) & Impl::kClosed;
  impl.ticket.store(job << 32 | Impl::kClosed, std::memory_order_release);
  impl.done.store(0, std::memory_order_relaxed);
  impl.n.store(n, std::memory_order_release);
  impl.call.store(call, std::memory_order_release);
  impl.context.store(context, std::memory_order_release);
  impl.ticket.store(job << 32, std::memory_order_seq_cst);
  impl.wake_sleepers();
  impl.take_chunks(job);
  for (int spin = 0; impl.done.load(std::memory_order_acquire) != n; ++spin) {
    if (spin < 4 * kSpins)
      relax();
    else
      std::this_thread::yield();  // a worker with a chunk was taken off its core
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
