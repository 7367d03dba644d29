// HTTP/1.1 for the server, without a trace of the library behind it. One I/O thread; the handler is called on it and
// must not block: it hands work away and answers through the Reply, from any thread, now or later.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace jevons {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string id;                   // of this exchange; the reply carries it as x-request-id
  std::string method, path, query;  // as sent: path and query still percent-encoded
  HttpHeaders headers;              // names in lower case
  std::string body;
  std::string peer;  // address of the client

  const std::string* header(std::string_view name) const;
  std::optional<std::string> parameter(std::string_view name) const;  // of the query, decoded ('+' is a space)
};

// A handle of one exchange: cheap to copy, safe from any thread, may outlive the handler. Either send() once, or
// start(), any number of write(), end(). What is written after the client went away is dropped.
class Reply {
 public:
  class Exchange {
   public:
    virtual ~Exchange() = default;
    virtual void send(int status, HttpHeaders headers, std::string body) = 0;
    virtual void start(int status, HttpHeaders headers) = 0;
    virtual void write(std::string chunk) = 0;
    virtual void end() = 0;
    virtual bool closed() const = 0;
    virtual void on_close(std::function<void()> then) = 0;
    virtual void on_drain(std::function<void()> then) { then(); }
  };

  explicit Reply(std::shared_ptr<Exchange> exchange) : exchange_(std::move(exchange)) {}
  void send(int status, HttpHeaders headers, std::string body) const {
    exchange_->send(status, std::move(headers), std::move(body));
  }
  void start(int status, HttpHeaders headers) const { exchange_->start(status, std::move(headers)); }
  void write(std::string chunk) const { exchange_->write(std::move(chunk)); }
  void end() const { exchange_->end(); }
  // The client went away, or everything was sent.
  bool closed() const { return exchange_->closed(); }
  // Called on the I/O thread when the client goes away before the end (a half-closed connection counts as that); at
  // once if it has. Any number may be added.
  void on_close(std::function<void()> then) const { exchange_->on_close(std::move(then)); }
  // Called once on the I/O thread when all that was written so far went to the kernel: for producers that could run
  // ahead of the client. Never called if the client goes away.
  void on_drain(std::function<void()> then) const { exchange_->on_drain(std::move(then)); }

 private:
  std::shared_ptr<Exchange> exchange_;
};

struct HttpLimits {
  uint32_t header_bytes = 16 << 10;
  uint64_t body_bytes = 8 << 20;
  double read_seconds = 20;  // for the headers of one request; its body has one more second per 64 KB
  double idle_seconds = 75;  // between the requests of one connection; without progress of what is being sent
  int64_t connections = 2048;
  size_t unsent_bytes = size_t{8} << 20;  // written but not yet sent, of one connection; a slower reader is dropped
};

// What to do with a request of which the head is known, but not the body.
struct HttpVerdict {
  int status = 0;  // not 0: this is the reply, and the body is not read
  HttpHeaders headers{};
  std::string body{};
  uint64_t body_bytes = 0;  // not 0: in place of HttpLimits::body_bytes
};

struct HttpOptions {
  std::string host = "127.0.0.1";  // a numeric address, or localhost for 127.0.0.1
  int port = 0;                    // 0: any free one
  HttpLimits limits{};
  HttpHeaders headers{};  // of every reply
  std::function<HttpVerdict(const HttpRequest&)> admit{};
};

class HttpServer {
 public:
  using Handler = std::function<void(const HttpRequest&, Reply)>;
  // Errors: an address that cannot be used, a port that is taken.
  static Result<std::unique_ptr<HttpServer>> listen(HttpOptions options, Handler handler);
  virtual ~HttpServer() = default;
  virtual int port() const = 0;
  // Serves until stop(); then takes no new connections and ends when the open exchanges have, at most `seconds` later.
  virtual void run() = 0;
  virtual void stop(double seconds) = 0;  // from any thread
};

// Percent-decoding, of a path's segment for instance; nothing if a % is not followed by two hex digits.
std::optional<std::string> percent_decode(std::string_view text);

}  // namespace jevons
