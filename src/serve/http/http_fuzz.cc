// Fuzz target: bytes of a connection through the request parser and the guard. Checked: the same outcome in any pieces;
// and what the strict parser takes for a request, an independent one (Boost.Beast) takes for the same request.
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstdint>
#include <string_view>

#include "serve/guard.h"
#include "serve/http/parser.h"

namespace {

using namespace jevons;
using State = RequestParser::State;

constexpr size_t kHeaderBytes = 512, kBodyBytes = 256;

struct Outcome {
  State state = State::head;
  int status = 0;
  size_t used = 0;
  HttpHead head;
};

Outcome parse(std::string_view bytes, size_t step) {
  RequestParser parser(kHeaderBytes);
  Outcome out;
  while (out.used < bytes.size() && parser.state() != State::failed && parser.state() != State::done) {
    auto piece = bytes.substr(out.used, step);
    const auto before = piece.size();
    if (parser.feed(piece) == State::admit) parser.admit(kBodyBytes);
    out.used += before - piece.size();
  }
  out.state = parser.state();
  out.status = parser.problem().status;
  out.head = parser.head();
  return out;
}

void expect_same(const HttpHead& ours, std::string_view bytes) {
  if (bytes.starts_with("\r\n")) bytes.remove_prefix(2);  // Beast does not know that one may be there
  namespace http = boost::beast::http;
  http::request_parser<http::string_body> parser;
  parser.eager(true);
  boost::beast::error_code error;
  size_t used = 0;
  while (!parser.is_done() && !error) {
    const auto count = parser.put(boost::asio::buffer(bytes.substr(used)), error);
    used += count;
    if (count == 0 && !error) break;
  }
  const auto& theirs = parser.get();
  JEVONS_CHECK(!error && parser.is_done() && used == bytes.size(), error.message());
  JEVONS_CHECK(theirs.method_string() == ours.request.method && theirs.body() == ours.request.body);
  JEVONS_CHECK(std::string_view(theirs.target()).find(ours.request.path) != std::string_view::npos);
  JEVONS_CHECK(!ours.keep_alive || theirs.keep_alive());
  for (const auto& [name, value] : ours.request.headers) {
    bool found = false;
    for (const auto& field : theirs)
      found |= boost::beast::iequals(field.name_string(), name) && field.value() == boost::string_view(value);
    JEVONS_CHECK(found, name);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  static const Guard guard = Guard::make({.allowed_hosts = {"h"}, .api_key = "0123456789abcdef"}).value();
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto whole = parse(bytes, bytes.size()), pieces = parse(bytes, data[0] % 16 + 1);
  JEVONS_CHECK(whole.state == pieces.state && whole.status == pieces.status);
  if (whole.state == State::failed) JEVONS_CHECK(whole.status >= 400 && whole.status < 600);
  if (whole.state != State::done) return 0;
  JEVONS_CHECK(whole.used == pieces.used && whole.head.request.body == pieces.head.request.body);
  JEVONS_CHECK(whole.head.request.body.size() <= kBodyBytes);
  (void)guard.check(whole.head.request, 80);
  (void)whole.head.request.parameter("q");
  expect_same(whole.head, bytes.substr(0, whole.used));
  return 0;
}
