// The reading half of HTTP/1.1 (RFC 9112), strict: bytes in, requests or one refusal out. What two programs could read
// differently is refused, not repaired: folded or bare line ends, a length next to a transfer coding, codings other
// than chunked, white space before a colon, two hosts. HTTP/1.0 is understood without keep-alive.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "serve/http/http.h"

namespace jevons {

struct HttpProblem {
  int status = 0;
  std::string message;
};

struct HttpHead {
  HttpRequest request;      // without id, body, peer
  int minor = 1;            // of HTTP/1.x
  bool keep_alive = true;   // as far as the client is concerned
  bool chunked = false;     // the body is chunked; else it has `length` bytes
  uint64_t length = 0;      // from Content-Length
  bool expects_go = false;  // Expect: 100-continue
};

// `text` is everything up to and with the empty line.
std::optional<HttpProblem> parse_http_head(std::string_view text, HttpHead& head);

// One request at a time: feed() until `done`, take the request, next().
class RequestParser {
 public:
  enum class State { head, admit, body, done, failed };

  explicit RequestParser(size_t header_bytes) : header_bytes_(header_bytes) {}

  // Consumes from the front of `input`; stops at a change to admit, done or failed. In `admit` the caller looks at
  // head() and goes on with admit(); in `failed` problem() says why, and nothing more can be read from this connection.
  State feed(std::string_view& input);
  State admit(uint64_t body_bytes);
  void next();

  State state() const { return state_; }
  // Nothing of a request is there yet, but perhaps an empty line.
  bool fresh() const { return state_ == State::head && std::string_view("\r\n").starts_with(text_); }
  HttpHead& head() { return head_; }
  const HttpProblem& problem() const { return problem_; }

 private:
  enum class Part { data, size_line, data_end, trailer };
  State fail(int status, std::string message);
  void feed_head(std::string_view& input);
  void feed_data(std::string_view& input);
  void feed_line(std::string_view& input);
  void line_complete();
  void chunk_size(std::string_view line);

  size_t header_bytes_;
  uint64_t body_bytes_ = 0, left_ = 0;  // left_: of the body, or of the chunk
  State state_ = State::head;
  Part part_ = Part::data;
  std::string text_;  // the head so far, or a line of the chunked framing
  size_t trailer_bytes_ = 0;
  HttpHead head_;
  HttpProblem problem_;
};

}  // namespace jevons
