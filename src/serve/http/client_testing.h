// A client that sends exactly the bytes it is given, for the tests of the server.
#pragma once
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <thread>

#include "base/clock.h"
#include "serve/http/http.h"

namespace jevons {

class RawClient {
 public:
  explicit RawClient(int port, int receive_buffer = 0) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_buffer) setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
  }
  ~RawClient() { close(); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool connected() const { return connected_; }
  bool send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }
  // What comes until `end` is in it, the server closes, or the time is over.
  std::string read_until(std::string_view end, double seconds = 10) {
    const double last = now_seconds() + seconds;
    while (buffer_.find(end) == std::string::npos && receive(last)) {
    }
    const auto at = buffer_.find(end);
    const auto size = at == std::string::npos ? buffer_.size() : at + end.size();
    auto out = buffer_.substr(0, size);
    buffer_.erase(0, size);
    return out;
  }
  // All that comes until the server closes; `closed` tells whether it did.
  std::string read_all(double seconds = 10) {
    const double last = now_seconds() + seconds;
    while (receive(last)) {
    }
    return std::exchange(buffer_, {});
  }
  // Head and, by its content-length, body of one reply.
  std::string read_reply(double seconds = 10) {
    auto head = read_until("\r\n\r\n", seconds);
    const auto at = head.find("content-length: ");
    const auto size = at == std::string::npos ? 0 : std::stoul(head.substr(at + 16));
    const double last = now_seconds() + seconds;
    while (buffer_.size() < size && receive(last)) {
    }
    head += buffer_.substr(0, size);
    buffer_.erase(0, size);
    return head;
  }
  bool server_closed() const { return server_closed_; }
  void finish_sending() const { ::shutdown(fd_, SHUT_WR); }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  void reset() {  // RST in place of FIN
    const linger now{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close();
  }

 private:
  bool receive(double last) {
    const double left = last - now_seconds();
    pollfd wait{fd_, POLLIN, 0};
    if (server_closed_ || left <= 0 || ::poll(&wait, 1, static_cast<int>(left * 1000) + 1) <= 0) return false;
    char bytes[16384];
    const auto n = ::recv(fd_, bytes, sizeof bytes, 0);
    server_closed_ = n <= 0;
    if (n > 0) buffer_.append(bytes, static_cast<size_t>(n));
    return n > 0;
  }

  int fd_;
  bool connected_ = false, server_closed_ = false;
  std::string buffer_;
};

// A server that runs in a thread of its own until the end of the test.
class RunningServer {
 public:
  explicit RunningServer(HttpServer::Handler handler, HttpOptions options = {})
      : server_(HttpServer::listen(std::move(options), std::move(handler)).value()),
        thread_([this] { server_->run(); }) {}
  ~RunningServer() { stop(0); }
  int port() const { return server_->port(); }
  HttpServer& operator*() { return *server_; }
  void stop(double seconds) {
    server_->stop(seconds);
    if (thread_.joinable()) thread_.join();
  }

 private:
  std::unique_ptr<HttpServer> server_;
  std::thread thread_;
};

}  // namespace jevons
