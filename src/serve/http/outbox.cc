#include "serve/http/outbox.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>

#include "base/strings.h"
#include "serve/api/error.h"

namespace jevons {
namespace {

struct Reason {
  int status;
  const char* text;
};
constexpr Reason kReasons[] = {{100, "Continue"},
                               {200, "OK"},
                               {201, "Created"},
                               {202, "Accepted"},
                               {204, "No Content"},
                               {206, "Partial Content"},
                               {302, "Found"},
                               {303, "See Other"},
                               {304, "Not Modified"},
                               {307, "Temporary Redirect"},
                               {308, "Permanent Redirect"},
                               {400, "Bad Request"},
                               {401, "Unauthorized"},
                               {402, "Payment Required"},
                               {403, "Forbidden"},
                               {404, "Not Found"},
                               {405, "Method Not Allowed"},
                               {406, "Not Acceptable"},
                               {408, "Request Timeout"},
                               {409, "Conflict"},
                               {413, "Content Too Large"},
                               {415, "Unsupported Media Type"},
                               {417, "Expectation Failed"},
                               {422, "Unprocessable Content"},
                               {429, "Too Many Requests"},
                               {431, "Request Header Fields Too Large"},
                               {499, "Client Closed Request"},
                               {500, "Internal Server Error"},
                               {501, "Not Implemented"},
                               {503, "Service Unavailable"},
                               {504, "Gateway Timeout"},
                               {505, "HTTP Version Not Supported"},
                               {507, "Insufficient Storage"},
                               {529, "Overloaded"}};

// RFC 9110, 5.6.7; by hand, because strftime follows the locale.
std::string http_date() {
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t now = std::time(nullptr);
  std::tm t{};
  gmtime_r(&now, &t);
  const auto two = [](int n) { return cat(n < 10 ? "0" : "", n); };
  return cat(kDays[t.tm_wday], ", ", two(t.tm_mday), " ", kMonths[t.tm_mon], " ", t.tm_year + 1900, " ", two(t.tm_hour),
             ":", two(t.tm_min), ":", two(t.tm_sec), " GMT");
}

bool is_header(std::string_view name, std::string_view value) {
  const auto name_char = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_'; };
  const auto value_char = [](char c) { return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f); };
  return !name.empty() && std::all_of(name.begin(), name.end(), name_char) &&
         std::all_of(value.begin(), value.end(), value_char);
}

void append_chunk(std::string& out, std::string_view data) {
  std::array<char, 16> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), data.size(), 16).ptr;
  out.append(digits.data(), end);
  out += "\r\n";
  out += data;
  out += "\r\n";
}

}  // namespace

const char* http_reason(int status) {
  for (const auto& reason : kReasons)
    if (reason.status == status) return reason.text;
  return "Unknown";
}

Result<std::string> response_head(int status, const HttpHeaders& headers) {
  std::string out = cat("HTTP/1.1 ", status, " ", http_reason(status), "\r\ndate: ", http_date(), "\r\n");
  for (const auto& [name, value] : headers) {
    if (!is_header(name, value))
      return Error(Code::invalid, cat("the header ", quote(name), " of a reply has the value ", quote(value),
                                      "; names are letters, digits, '-' and '_', values have no control characters"));
    out += cat(name, ": ", value, "\r\n");
  }
  return out + "\r\n";
}

void WakeQueue::add(std::shared_ptr<Outbox> outbox) {
  const std::lock_guard lock(mutex_);
  if (!wake_) return;
  waiting_.push_back(std::move(outbox));
  if (waiting_.size() == 1) wake_();
}

std::vector<std::shared_ptr<Outbox>> WakeQueue::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(waiting_, {});
}

void WakeQueue::shut() {
  std::vector<std::shared_ptr<Outbox>> dropped;
  const std::lock_guard lock(mutex_);
  wake_ = nullptr;
  dropped.swap(waiting_);
}

// Tells the I/O thread that there is something; once, until it takes it.
void Outbox::announce(std::unique_lock<std::mutex> lock) {
  const bool first = !std::exchange(announced_, true);
  lock.unlock();
  if (first) queue_->add(shared_from_this());
}

// body: all of it; null for a stream. A reply whose headers are none becomes a complete 500.
void Outbox::queue_head(int status, HttpHeaders headers, const std::string* body) {
  const bool no_body = status == 204 || status == 304;
  headers.insert(headers.begin(), {"x-request-id", framing_.id});
  headers.insert(headers.end(), framing_.common.begin(), framing_.common.end());
  if (!no_body && body) headers.emplace_back("content-length", cat(body->size()));
  if (!no_body && !body && framing_.chunked) headers.emplace_back("transfer-encoding", "chunked");
  if (!framing_.keep_alive) headers.emplace_back("connection", "close");
  auto head = response_head(status, headers);
  if (!head.ok()) {
    const auto error = ApiError(500, head.error().message()).json().dump();
    return queue_head(500, {{"content-type", "application/json"}}, &error);
  }
  pending_ = std::move(head).value();
  if (body && !no_body && !framing_.head_only) pending_ += *body;
  unsent_ = pending_.size();
  state_ = body ? State::complete : State::streaming;
}

void Outbox::send(int status, HttpHeaders headers, std::string body) {
  std::unique_lock lock(mutex_);
  if (state_ == State::gone) return;
  JEVONS_CHECK(state_ == State::fresh, "an exchange is answered once");
  queue_head(status, std::move(headers), &body);
  announce(std::move(lock));
}

void Outbox::start(int status, HttpHeaders headers) {
  std::unique_lock lock(mutex_);
  if (state_ == State::gone) return;
  JEVONS_CHECK(state_ == State::fresh && status != 204 && status != 304, "a stream is the first and only answer");
  queue_head(status, std::move(headers), nullptr);
  announce(std::move(lock));
}

void Outbox::write(std::string_view chunk) {
  std::unique_lock lock(mutex_);
  JEVONS_CHECK(state_ != State::fresh, "a stream is started before something is written to it");
  if (state_ != State::streaming || cut_ || chunk.empty() || framing_.head_only) return;
  const auto before = pending_.size();
  if (framing_.chunked)
    append_chunk(pending_, chunk);
  else
    pending_ += chunk;
  unsent_ += pending_.size() - before;
  cut_ = unsent_ > framing_.unsent_bytes;
  announce(std::move(lock));
}

void Outbox::end() {
  std::unique_lock lock(mutex_);
  JEVONS_CHECK(state_ != State::fresh, "a stream is started before it ends");
  if (state_ != State::streaming) return;
  state_ = State::complete;
  if (framing_.chunked && !framing_.head_only) {
    pending_ += "0\r\n\r\n";
    unsent_ += 5;
  }
  announce(std::move(lock));
}

void Outbox::abandon() {
  std::unique_lock lock(mutex_);
  if (state_ == State::fresh) {
    const auto error = ApiError(500, "the request was dropped without an answer").json().dump();
    queue_head(500, {{"content-type", "application/json"}}, &error);
  } else if (state_ == State::streaming) {
    cut_ = true;
  } else {
    return;
  }
  announce(std::move(lock));
}

bool Outbox::closed() const {
  const std::lock_guard lock(mutex_);
  return state_ == State::gone || delivered_;
}

void Outbox::on_close(std::function<void()> then) {
  std::unique_lock lock(mutex_);
  if (state_ == State::complete) return;
  if (state_ != State::gone) return on_close_.push_back(std::move(then));
  lock.unlock();
  then();
}

void Outbox::on_drain(std::function<void()> then) {
  std::unique_lock lock(mutex_);
  if (state_ == State::gone) return;
  on_drain_.push_back(std::move(then));
  announce(std::move(lock));
}

void Outbox::take(std::string& out) {
  const std::lock_guard lock(mutex_);
  announced_ = false;
  if (out.empty()) out.swap(pending_);
}

Outbox::After Outbox::sent(size_t bytes) {
  std::vector<std::function<void()>> drained, dropped;  // destroyed without the lock: they may hold the last Reply
  std::unique_lock lock(mutex_);
  unsent_ -= bytes;
  if (cut_) return After::cut;
  if (unsent_ > 0) return After::wait;
  if (state_ == State::complete) {
    delivered_ = true;
    dropped.swap(on_close_);
    drained.swap(on_drain_);
    return framing_.keep_alive ? After::next : After::close;
  }
  drained.swap(on_drain_);
  lock.unlock();
  for (const auto& then : drained) then();
  return After::wait;
}

void Outbox::leave() {
  std::vector<std::function<void()>> told, dropped;  // destroyed without the lock
  std::unique_lock lock(mutex_);
  if (delivered_ || state_ == State::gone) return;
  const bool early = state_ != State::complete;
  state_ = State::gone;
  pending_ = {};
  told.swap(on_close_);
  dropped.swap(on_drain_);
  lock.unlock();
  if (!early) return;
  for (const auto& then : told) then();
}

}  // namespace jevons
