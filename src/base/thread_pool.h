// Exec: the threads that one step of a model runs on. Work is handed out in chunks from one shared counter, and only
// those who took a chunk are waited for: a thread that the system takes away costs one chunk, one that it does not wake
// in time costs nothing.
//
// parallel_for(n, body): calls body(i) once for every i in [0, n), on all threads; returns when all are done. Bodies
// must not throw and must not depend on which thread runs them; results then do not depend on the thread count. Idle
// workers spin for about 50 us, then sleep. Not reentrant: a body may not call parallel_for.
#pragma once
#include <cstdint>
#include <memory>
#include <type_traits>

namespace jevons {

class Exec {
 public:
  explicit Exec(int threads);  // 1 = the calling thread alone
  ~Exec();
  Exec(const Exec&) = delete;
  Exec& operator=(const Exec&) = delete;
  int threads() const { return threads_; }

  template <class Body>
  void parallel_for(int64_t n, const Body& body) {
    if (n <= 0) return;
    if (threads_ == 1 || n == 1) {
      for (int64_t i = 0; i < n; ++i) body(i);
      return;
    }
    run(
        n, [](const void* context, int64_t i) { (*static_cast<const Body*>(context))(i); }, &body);
  }

 private:
  using Call = void (*)(const void*, int64_t);
  void run(int64_t n, Call call, const void* context);
  struct Impl;
  std::unique_ptr<Impl> impl_;
  int threads_;
};

// Physical cores that this process may use: affinity mask and cgroup quota counted, SMT siblings not.
int usable_cores();

}  // namespace jevons
