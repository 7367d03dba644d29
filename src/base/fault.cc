#include "base/fault.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <set>

#include "base/strings.h"

namespace jevons {
namespace {

struct Mapping {
  const std::byte* end;
  std::string message;
};

// Never destroyed: a fault can come while the process exits. The flag is the lock, because a handler can try it.
struct Registry {
  std::atomic_flag busy = ATOMIC_FLAG_INIT;
  std::map<const std::byte*, Mapping> mappings;
  std::set<std::string> partials;
};

Registry& registry = *new Registry;

// Calls `change` alone. The few lines under the lock touch no mapped page, so a faulting thread never holds it.
template <class F>
void locked(const F& change) {
  while (registry.busy.test_and_set(std::memory_order_acquire)) {
  }
  change(registry);
  registry.busy.clear(std::memory_order_release);
}

void unlink_all(const Registry& own) {
  for (const std::string& path : own.partials) ::unlink(path.c_str());
}

void on_bus_error(int, siginfo_t* info, void*) {
  locked([&](const Registry& own) {
    const auto* at = static_cast<const std::byte*>(info->si_addr);
    auto after = own.mappings.upper_bound(at);
    if (after == own.mappings.begin() || at >= (--after)->second.end) return;
    const std::string& message = after->second.message;
    [[maybe_unused]] const ssize_t ignored = ::write(STDERR_FILENO, message.data(), message.size());
    unlink_all(own);
    ::_exit(1);
  });
  ::signal(SIGBUS, SIG_DFL);  // not ours: the instruction is repeated and ends the process
}

void install() {
  struct sigaction action {};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGBUS, &action, nullptr);
}

}  // namespace

void guard_mapping(const std::byte* data, size_t size, const std::string& path) {
  static const bool installed = (install(), true);
  static_cast<void>(installed);
  locked([&](Registry& own) {
    own.mappings[data] = {data + size, cat("jevons: ", path, ": the file became shorter while it was in use, or its ",
                                           "disk cannot be read; restore the file and start again\n")};
  });
}

void unguard_mapping(const std::byte* data) {
  locked([&](Registry& own) { own.mappings.erase(data); });
}

void guard_partial(const std::string& path) {
  locked([&](Registry& own) { own.partials.insert(path); });
}

void unguard_partial(const std::string& path) {
  locked([&](Registry& own) { own.partials.erase(path); });
}

void remove_partials() {
  if (registry.busy.test_and_set(std::memory_order_acquire)) return;
  unlink_all(registry);
  registry.busy.clear(std::memory_order_release);
}

}  // namespace jevons
