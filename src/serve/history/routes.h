// /history: the conversations over HTTP. Each request is worked on a thread of its own queue, so that a disk that is
// slow to acknowledge holds up no stream.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "serve/history/history.h"
#include "serve/router.h"

namespace jevons {

// Runs pieces of work one after the other; the destructor lets those that wait end first.
class Worker {
 public:
  Worker();
  ~Worker();
  void post(std::function<void()> work);

 private:
  void loop();
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> waiting_;
  bool ending_ = false;
  std::thread thread_;
};

// Both must outlive the router and the server.
void add_history_routes(Router& router, History& history, Worker& worker);

// Of a request below /history whose body may be larger than others: bytes, or 0.
uint64_t history_body_bytes(const HttpRequest& request);

}  // namespace jevons
