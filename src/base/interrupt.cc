#include "base/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>

#include "base/error.h"
#include "base/fault.h"

namespace jevons {
namespace {

std::atomic<bool> flag = false;
static_assert(std::atomic<bool>::is_always_lock_free, "the signal handler sets the flag");

void on_interrupt(int) {
  if (!flag.exchange(true)) return;
  remove_partials();
  ::_exit(130);
}

}  // namespace

void install_signal_handlers() {
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);  // no SA_RESTART: a blocked read returns EINTR, so a prompt notices
  ::sigaction(SIGTERM, &action, nullptr);
  action.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &action, nullptr);
}

bool interrupted() { return flag.load(std::memory_order_relaxed); }

void clear_interrupt() { flag = false; }

void check_interrupt() {
  if (interrupted()) throw Error(Code::interrupted, "interrupted");
}

}  // namespace jevons
