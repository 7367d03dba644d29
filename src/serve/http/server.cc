// The I/O thread: sockets, deadlines, one exchange at a time per connection. The only file with the network library.
#include <sys/resource.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <random>
#include <set>

#include "base/clock.h"
#include "base/progress.h"
#include "base/rng.h"
#include "base/strings.h"
#include "serve/api/error.h"
#include "serve/http/outbox.h"
#include "serve/http/parser.h"

namespace jevons {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio::ip::tcp;

constexpr double kTick = 0.1;         // resolution of the deadlines
constexpr double kLingerSeconds = 2;  // a refused client may still be sending; it gets this long to read why
constexpr double kBodyBytesPerSecond = 64 << 10;

// What the connections share; lives as long as the I/O thread runs.
struct Shared {
  HttpOptions options;
  HttpServer::Handler handler;
  std::shared_ptr<WakeQueue> queue;
  std::set<std::shared_ptr<Connection>> connections;
  std::array<char, 64 << 10> scratch;
  uint64_t seed = 0, requests = 0;
  bool draining = false;
};

// What a handler holds. The last copy that goes away without an answer ends the exchange.
class Handle : public Reply::Exchange {
 public:
  explicit Handle(std::shared_ptr<Outbox> outbox) : outbox_(std::move(outbox)) {}
  ~Handle() override { outbox_->abandon(); }
  void send(int status, HttpHeaders headers, std::string body) override {
    outbox_->send(status, std::move(headers), std::move(body));
  }
  void start(int status, HttpHeaders headers) override { outbox_->start(status, std::move(headers)); }
  void write(std::string chunk) override { outbox_->write(chunk); }
  void end() override { outbox_->end(); }
  bool closed() const override { return outbox_->closed(); }
  void on_close(std::function<void()> then) override { outbox_->on_close(std::move(then)); }
  void on_drain(std::function<void()> then) override { outbox_->on_drain(std::move(then)); }

 private:
  const std::shared_ptr<Outbox> outbox_;
};

}  // namespace

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket socket, Shared& shared)
      : socket_(std::move(socket)),
        shared_(shared),
        parser_(shared.options.limits.header_bytes),
        since_(now_seconds()) {
    error_code ignored;
    socket_.non_blocking(true, ignored);
    socket_.set_option(tcp::no_delay(true), ignored);
    socket_.set_option(asio::socket_base::keep_alive(true), ignored);
    const auto peer = socket_.remote_endpoint(ignored);
    if (!ignored) peer_ = peer.address().to_string();
  }

  void begin() { arm_read(); }
  void refuse_service() { refuse(503, "the server has as many connections as it may; try again soon"); }
  void flush();
  void check_deadlines(double now);
  void drain();  // the server stops: leave as soon as the exchange is over
  void cut();

 private:
  enum class Phase { reading, handling, lingering, closed };
  void arm_read();
  void arm_write();
  void readable();
  void advance();
  bool admit();
  void dispatch();
  void refuse(int status, const std::string& message);
  void answer(HttpVerdict verdict);
  void open_exchange(bool keep_alive);
  void exchange_over(bool keep);

  tcp::socket socket_;
  Shared& shared_;
  RequestParser parser_;
  std::string peer_, input_, out_;
  size_t out_sent_ = 0;
  Phase phase_ = Phase::reading;
  std::shared_ptr<Outbox> outbox_;
  double since_;  // of the phase: first byte of a request or idle; last progress of the output; lingering
  bool reading_ = false, writing_ = false, used_ = false, advancing_ = false;
};

void Connection::arm_read() {
  if (reading_ || phase_ == Phase::closed) return;
  if (phase_ == Phase::handling && input_.size() >= shared_.options.limits.header_bytes) return;  // enough pipelined
  reading_ = true;
  socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](error_code error) {
    self->reading_ = false;
    if (error) return self->cut();
    self->readable();
  });
}

void Connection::arm_write() {
  if (writing_ || phase_ == Phase::closed) return;
  writing_ = true;
  socket_.async_wait(tcp::socket::wait_write, [self = shared_from_this()](error_code error) {
    self->writing_ = false;
    if (error) return self->cut();
    self->flush();
  });
}

void Connection::readable() {
  if (phase_ == Phase::closed) return;
  error_code error;
  const auto count = socket_.read_some(asio::buffer(shared_.scratch), error);
  if (error && error != asio::error::would_block) return cut();
  if (count > 0 && phase_ != Phase::lingering) {
    if (phase_ == Phase::reading && parser_.fresh() && input_.empty()) since_ = now_seconds();
    input_.append(shared_.scratch.data(), count);
    if (phase_ == Phase::reading) advance();
  }
  arm_read();
}

// Requests out of the input, until it is used up or one of them is in work.
void Connection::advance() {
  if (advancing_) return;
  advancing_ = true;
  while (phase_ == Phase::reading && !input_.empty()) {
    std::string_view rest = input_;
    auto state = parser_.feed(rest);
    const bool admitted = state != RequestParser::State::admit || admit();
    state = parser_.state();
    input_.erase(0, input_.size() - rest.size());
    if (!admitted || phase_ == Phase::closed) continue;
    if (state == RequestParser::State::failed) refuse(parser_.problem().status, parser_.problem().message);
    if (state == RequestParser::State::done) dispatch();
  }
  if (input_.empty()) input_.shrink_to_fit();
  advancing_ = false;
}

// The head is there: what the guard says, how large the body may be. False if the request was answered.
bool Connection::admit() {
  auto& head = parser_.head();
  head.request.peer = peer_;
  auto verdict = shared_.options.admit ? shared_.options.admit(head.request) : HttpVerdict{};
  const auto limit = verdict.body_bytes ? verdict.body_bytes : shared_.options.limits.body_bytes;
  if (verdict.status != 0) {
    answer(std::move(verdict));
    return false;
  }
  if (parser_.admit(limit) == RequestParser::State::body && head.expects_go) {
    constexpr std::string_view kGo = "HTTP/1.1 100 Continue\r\n\r\n";
    error_code error;
    if (socket_.write_some(asio::buffer(kGo), error) != kGo.size()) cut();
  }
  return true;
}

void Connection::open_exchange(bool keep_alive) {
  const auto& head = parser_.head();
  const auto bits = philox(shared_.seed, shared_.requests++);
  std::string id = "req_";
  for (int i = 0; i < 24; ++i) id += "0123456789abcdef"[bits[i / 8] >> (i % 8 * 4) & 15];
  outbox_ = std::make_shared<Outbox>(Outbox::Framing{.id = id,
                                                     .common = shared_.options.headers,
                                                     .head_only = head.request.method == "HEAD",
                                                     .chunked = head.minor == 1,
                                                     .keep_alive = keep_alive && !shared_.draining,
                                                     .unsent_bytes = shared_.options.limits.unsent_bytes},
                                     shared_.queue);
  outbox_->connection = this;
  phase_ = Phase::handling;
  since_ = now_seconds();
}

void Connection::dispatch() {
  open_exchange(parser_.head().keep_alive);
  auto request = std::move(parser_.head().request);
  request.id = outbox_->id();
  const auto outbox = outbox_;
  try {
    shared_.handler(request, Reply(std::make_shared<Handle>(outbox)));
  } catch (const std::exception& error) {
    note(cat("request ", request.id, " failed: ", error.what()));
  }
  flush();
}

void Connection::answer(HttpVerdict verdict) {
  const auto& head = parser_.head();
  open_exchange(head.keep_alive && !head.chunked && head.length == 0);
  outbox_->send(verdict.status, std::move(verdict.headers), std::move(verdict.body));
  flush();
}

void Connection::refuse(int status, const std::string& message) {
  open_exchange(false);
  HttpHeaders headers{{"content-type", "application/json"}};
  if (status == 503) headers.emplace_back("retry-after", "1");
  outbox_->send(status, std::move(headers), ApiError(status, message).json().dump());
  flush();
}

// Hands what there is to the kernel, as far as it takes it.
void Connection::flush() {
  while (phase_ == Phase::handling) {
    outbox_->take(out_);
    error_code error;
    size_t count = 0;
    if (!writing_ && !out_.empty()) {
      const auto rest = asio::buffer(out_) + out_sent_;
      if (out_sent_ == 0) since_ = now_seconds();
      count = socket_.write_some(rest, error);
      if (count > 0) since_ = now_seconds();
      out_sent_ += count;
      if (out_sent_ < out_.size()) arm_write();
    }
    if (out_sent_ == out_.size()) out_.clear(), out_sent_ = 0;
    const auto after = outbox_->sent(count);
    if (after == Outbox::After::cut || (error && error != asio::error::would_block)) return cut();
    if (after != Outbox::After::wait) return exchange_over(after == Outbox::After::next);
    if (count == 0 || writing_) return;
  }
}

void Connection::exchange_over(bool keep) {
  outbox_->connection = nullptr;
  outbox_.reset();
  out_.shrink_to_fit();
  since_ = now_seconds();
  used_ = true;
  if (!keep || shared_.draining) {
    error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
    phase_ = Phase::lingering;
  } else {
    phase_ = Phase::reading;
    parser_.next();
    advance();
  }
  arm_read();
}

void Connection::cut() {
  if (phase_ == Phase::closed) return;
  const auto self = shared_from_this();
  phase_ = Phase::closed;
  error_code ignored;
  if (!out_.empty()) socket_.set_option(tcp::socket::linger(true, 0), ignored);  // the kernel forgets it, too
  socket_.close(ignored);
  if (outbox_) {
    outbox_->connection = nullptr;
    outbox_->leave();
    outbox_.reset();
  }
  shared_.connections.erase(self);
}

void Connection::drain() {
  if (phase_ == Phase::reading && parser_.fresh() && input_.empty()) cut();
}

void Connection::check_deadlines(double now) {
  const auto& limits = shared_.options.limits;
  const double waited = now - since_;
  if (phase_ == Phase::lingering && waited > kLingerSeconds) return cut();
  if (phase_ == Phase::handling && !out_.empty() && waited > limits.idle_seconds) return cut();
  if (phase_ != Phase::reading) return;
  if (parser_.fresh() && waited > (used_ ? limits.idle_seconds : limits.read_seconds)) return cut();
  const auto body = static_cast<double>(parser_.head().request.body.size());
  if (!parser_.fresh() && waited > limits.read_seconds + body / kBodyBytesPerSecond) {
    refuse(408, cat("the request was not complete after ", fixed(waited, 0), " s"));
    arm_read();
  }
}

namespace {

class Server : public HttpServer {
 public:
  Server(HttpOptions options, Handler handler) : acceptor_(io_), timer_(io_), retry_(io_) {
    shared_.options = std::move(options);
    shared_.handler = std::move(handler);
    shared_.seed = (uint64_t{std::random_device{}()} << 32) | std::random_device{}();
    shared_.queue = std::make_shared<WakeQueue>([this] { asio::post(io_, [this] { flush_waiting(); }); });
  }
  ~Server() override {
    shared_.queue->shut();
    cut_all();
  }

  Status open() {
    const auto& options = shared_.options;
    error_code error;
    const auto address = asio::ip::make_address(options.host == "localhost" ? "127.0.0.1" : options.host, error);
    if (error)
      return Error(Code::invalid, cat(quote(options.host),
                                      " is no address to listen on; give a numeric one, such as "
                                      "127.0.0.1, ::1 or 0.0.0.0"));
    if (options.port < 0 || options.port > 65535)
      return Error(Code::invalid, cat("port ", options.port, " is none; ports are 1 to 65535, or 0 for any free one"));
    const tcp::endpoint endpoint(address, static_cast<uint16_t>(options.port));
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(1024, error);
    if (error == asio::error::address_in_use)
      return Error(Code::io, cat("port ", options.port, " of ", options.host,
                                 " is taken by another program; choose another port, or 0 for any free one"));
    if (error)
      return Error(Code::io, cat("cannot listen on port ", options.port, " of ", options.host, ": ", error.message()));
    port_ = acceptor_.local_endpoint().port();
    return {};
  }

  int port() const override { return port_; }

  void run() override {
    accept();
    io_.run();
  }

  void stop(double seconds) override {
    asio::post(io_, [this, seconds] {
      error_code ignored;
      acceptor_.close(ignored);
      retry_.cancel();
      shared_.draining = true;
      stop_at_ = now_seconds() + seconds;
      for (const auto& connection : all()) connection->drain();
      tick();
    });
  }

 private:
  std::vector<std::shared_ptr<Connection>> all() const {
    return {shared_.connections.begin(), shared_.connections.end()};
  }
  void cut_all() {
    for (const auto& connection : all()) connection->cut();
  }

  void accept() {
    acceptor_.async_accept([this](error_code error, tcp::socket socket) {
      if (!acceptor_.is_open()) return;
      if (error) return accept_later();
      const auto connection = std::make_shared<Connection>(std::move(socket), shared_);
      shared_.connections.insert(connection);
      if (static_cast<int64_t>(shared_.connections.size()) > shared_.options.limits.connections)
        connection->refuse_service();
      connection->begin();
      if (!ticking_) tick();
      accept();
    });
  }

  // Out of file descriptors: those that wait stay in the backlog.
  void accept_later() {
    retry_.expires_after(std::chrono::milliseconds(100));
    retry_.async_wait([this](error_code error) {
      if (!error) accept();
    });
  }

  void tick() {
    const double now = now_seconds();
    if (shared_.draining && now >= stop_at_) cut_all();
    for (const auto& connection : all()) connection->check_deadlines(now);
    ticking_ = !shared_.connections.empty();
    if (!ticking_) return void(timer_.cancel());
    timer_.expires_after(std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(kTick)));
    timer_.async_wait([this](error_code error) {
      if (!error) tick();
    });
  }

  void flush_waiting() {
    for (const auto& outbox : shared_.queue->take())
      if (outbox->connection) outbox->connection->flush();
  }

  asio::io_context io_{1};
  tcp::acceptor acceptor_;
  asio::steady_timer timer_, retry_;
  Shared shared_;
  int port_ = 0;
  bool ticking_ = false;
  double stop_at_ = 0;
};

// Each connection is a file descriptor, and the usual soft limit is 1024.
void raise_descriptor_limit(int64_t connections) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = std::max(limit.rlim_cur, std::min<rlim_t>(limit.rlim_max, static_cast<rlim_t>(connections) + 256));
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::listen(HttpOptions options, Handler handler) {
  if (auto head = response_head(200, options.headers); !head.ok()) return head.error();
  raise_descriptor_limit(options.limits.connections);
  auto server = std::make_unique<Server>(std::move(options), std::move(handler));
  JEVONS_TRY_STATUS(server->open());
  return std::unique_ptr<HttpServer>(std::move(server));
}

}  // namespace jevons
