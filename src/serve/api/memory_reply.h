// A Reply that keeps what it is sent: for tests of routes without a network.
#pragma once
#include <condition_variable>
#include <mutex>

#include "serve/http/http.h"

namespace jevons {

class MemoryExchange : public Reply::Exchange {
 public:
  void send(int status, HttpHeaders headers, std::string body) override {
    std::lock_guard lock(mutex_);
    status_ = status, headers_ = std::move(headers), body_ = std::move(body), done_ = true;
    wake_.notify_all();
  }
  void start(int status, HttpHeaders headers) override {
    std::lock_guard lock(mutex_);
    status_ = status, headers_ = std::move(headers);
  }
  void write(std::string chunk) override {
    std::lock_guard lock(mutex_);
    body_ += chunk;
    wake_.notify_all();
  }
  void end() override {
    std::lock_guard lock(mutex_);
    done_ = true;
    wake_.notify_all();
  }
  bool closed() const override {
    std::lock_guard lock(mutex_);
    return closed_ || done_;
  }
  void on_close(std::function<void()> then) override {
    std::unique_lock lock(mutex_);
    if (!closed_) return on_close_.push_back(std::move(then));
    lock.unlock();
    then();
  }

  // The client goes away.
  void close() {
    std::vector<std::function<void()>> calls;
    {
      std::lock_guard lock(mutex_);
      closed_ = true;
      calls.swap(on_close_);
    }
    for (auto& call : calls) call();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [&] { return done_; });
  }
  // Waits until the body holds `text`; false if it ended without.
  bool wait_for(std::string_view text) {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [&] { return done_ || body_.find(text) != std::string::npos; });
    return body_.find(text) != std::string::npos;
  }
  int status() const { return status_; }
  const std::string& body() const { return body_; }
  const HttpHeaders& headers() const { return headers_; }

 private:
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  int status_ = 0;
  HttpHeaders headers_;
  std::string body_;
  bool done_ = false, closed_ = false;
  std::vector<std::function<void()>> on_close_;
};

}  // namespace jevons
