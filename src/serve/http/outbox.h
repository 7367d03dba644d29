// The writing half of one exchange: filled from any thread through a Reply, emptied by the I/O thread.
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "serve/http/http.h"

namespace jevons {

const char* http_reason(int status);  // "Not Found"

// Status line and headers up to and with the empty line. Error: a name or value that is no header (line ends, control
// characters): what a handler copies from a request cannot split a reply.
Result<std::string> response_head(int status, const HttpHeaders& headers);

class Outbox;
class Connection;

// The outboxes that have something for the I/O thread, and its alarm: one per batch, not one per write.
class WakeQueue {
 public:
  explicit WakeQueue(std::function<void()> wake) : wake_(std::move(wake)) {}
  void add(std::shared_ptr<Outbox> outbox);
  std::vector<std::shared_ptr<Outbox>> take();
  void shut();  // the server is gone: nothing is woken any more

 private:
  std::mutex mutex_;
  std::vector<std::shared_ptr<Outbox>> waiting_;
  std::function<void()> wake_;
};

class Outbox : public std::enable_shared_from_this<Outbox> {
 public:
  struct Framing {
    std::string id{};
    HttpHeaders common{};    // of every reply
    bool head_only = false;  // HEAD
    bool chunked = true;     // streams to HTTP/1.0 end with the connection
    bool keep_alive = true;
    size_t unsent_bytes = HttpLimits{}.unsent_bytes;
  };

  Outbox(Framing framing, std::shared_ptr<WakeQueue> queue) : framing_(std::move(framing)), queue_(std::move(queue)) {}

  // From any thread: what Reply says.
  void send(int status, HttpHeaders headers, std::string body);
  void start(int status, HttpHeaders headers);
  void write(std::string_view chunk);
  void end();
  bool closed() const;
  void on_close(std::function<void()> then);
  void on_drain(std::function<void()> then);
  void abandon();  // the last Reply is gone: without an answer this is a 500, an open stream is cut off

  // From the I/O thread.
  enum class After {
    wait,
    next,
    close,
    cut
  };                            // nothing now; the exchange is over, the connection stays or not; reset it
  void take(std::string& out);  // into `out`, if that is empty, what is to be sent
  After sent(size_t bytes);     // of what was taken
  void leave();                 // the client is gone
  const std::string& id() const { return framing_.id; }
  Connection* connection = nullptr;  // to which it belongs, while it does

 private:
  enum class State { fresh, streaming, complete, gone };
  void queue_head(int status, HttpHeaders headers, const std::string* body);
  void announce(std::unique_lock<std::mutex> lock);

  const Framing framing_;
  const std::shared_ptr<WakeQueue> queue_;
  mutable std::mutex mutex_;
  State state_ = State::fresh;
  bool cut_ = false, announced_ = false, delivered_ = false;
  std::string pending_;
  size_t unsent_ = 0;  // pending, and taken but not yet sent
  std::vector<std::function<void()>> on_close_, on_drain_;
};

}  // namespace jevons
