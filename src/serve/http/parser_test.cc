#include "serve/http/parser.h"

#include <gtest/gtest.h>

#include "base/strings.h"

namespace jevons {
namespace {

using State = RequestParser::State;

struct Outcome {
  int status = 0;  // of the refusal; 200 for a whole request; 0 for not yet
  HttpRequest request;
  HttpHead head;
  std::string rest;
};

// The same bytes in pieces of `step`.
Outcome parse(std::string_view bytes, size_t step, size_t header_bytes = 1024, uint64_t body_bytes = 64) {
  RequestParser parser(header_bytes);
  Outcome out;
  for (size_t at = 0; at < bytes.size(); at += step) {
    auto piece = bytes.substr(at, step);
    while (!piece.empty()) {
      if (parser.feed(piece) == State::admit) parser.admit(body_bytes);
      if (parser.state() == State::failed)
        return {.status = parser.problem().status, .request = {}, .head = {}, .rest = {}};
      if (parser.state() == State::done)
        return {.status = 200,
                .request = parser.head().request,
                .head = parser.head(),
                .rest = std::string(piece) + std::string(bytes.substr(std::min(bytes.size(), at + step)))};
    }
  }
  return out;
}

TEST(RequestParser, ReadsARequestInPiecesOfAnySize) {
  const std::string text =
      "POST /a/b%20c?q=1&r=%C3%A9+x HTTP/1.1\r\nHost: here\r\nX-Odd:\t two words \r\ncontent-length: 5\r\n\r\nhelloGET";
  for (size_t step = 1; step <= text.size(); ++step) {
    const auto out = parse(text, step);
    ASSERT_EQ(out.status, 200) << step;
    EXPECT_EQ(out.request.method, "POST");
    EXPECT_EQ(out.request.path, "/a/b%20c");
    EXPECT_EQ(out.request.query, "q=1&r=%C3%A9+x");
    EXPECT_EQ(out.request.parameter("r"), "é x");
    EXPECT_EQ(out.request.parameter("s"), std::nullopt);
    EXPECT_EQ(*out.request.header("x-odd"), "two words");
    EXPECT_EQ(out.request.body, "hello");
    EXPECT_EQ(out.rest, "GET");
    EXPECT_TRUE(out.head.keep_alive);
  }
}

TEST(RequestParser, ReadsChunkedBodiesInPiecesOfAnySize) {
  const std::string text =
      "POST / HTTP/1.1\r\nhost: h\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n00A;x=\"y "
      "z\";v;w=1\r\n0123456789\r\n"
      "0\r\nTrailer: t\r\n\r\nrest";
  for (size_t step = 1; step <= text.size(); ++step) {
    const auto out = parse(text, step);
    ASSERT_EQ(out.status, 200) << step;
    EXPECT_EQ(out.request.body, "hello0123456789");
    EXPECT_EQ(out.rest, "rest");
  }
}

TEST(RequestParser, KeepAlive) {
  const auto keeps = [](std::string_view version, std::string_view more) {
    const auto out = parse(cat("GET / ", version, "\r\nhost: h\r\n", more, "\r\n"), 1000);
    EXPECT_EQ(out.status, 200);
    return out.head.keep_alive;
  };
  EXPECT_TRUE(keeps("HTTP/1.1", ""));
  EXPECT_TRUE(keeps("HTTP/1.1", "Connection: closed\r\n"));
  EXPECT_FALSE(keeps("HTTP/1.1", "Connection: x, Close\r\n"));
  EXPECT_FALSE(keeps("HTTP/1.1", "Connection: keep-alive\r\nConnection: close\r\n"));
  EXPECT_FALSE(keeps("HTTP/1.0", ""));
  EXPECT_FALSE(keeps("HTTP/1.0", "Connection: keep-alive\r\n"));
}

struct Refused {
  int status;
  std::string text;
};

std::vector<Refused> refused_requests() {
  const auto get = [](std::string_view more) { return cat("GET / HTTP/1.1\r\nhost: h\r\n", more, "\r\n"); };
  const auto chunked = [&](std::string_view body) { return get("transfer-encoding: chunked\r\n") + std::string(body); };
  return {
      {400, "GET  / HTTP/1.1\r\nhost: h\r\n\r\n"},
      {400, "GET /\r\nhost: h\r\n\r\n"},
      {400, "GE(T / HTTP/1.1\r\nhost: h\r\n\r\n"},
      {400, "GET / HTTP/1.1 \r\nhost: h\r\n\r\n"},
      {400, "GET index.html HTTP/1.1\r\nhost: h\r\n\r\n"},
      {400, "GET /\x80 HTTP/1.1\r\nhost: h\r\n\r\n"},
      {400, "GET /%2 HTTP/1.1\r\nhost: h\r\n\r\n"},
      {400, "GET /%zz HTTP/1.1\r\nhost: h\r\n\r\n"},
      {400, "GET /#top HTTP/1.1\r\nhost: h\r\n\r\n"},
      {400, "GET * HTTP/1.1\r\nhost: h\r\n\r\n"},
      {400, "GET https://h/ HTTP/1.1\r\nhost: h\r\n\r\n"},
      {400, "GET http://other/ HTTP/1.1\r\nhost: h\r\n\r\n"},
      {400, "GET http:/// HTTP/1.1\r\nhost: h\r\n\r\n"},
      {400, "CONNECT h:80 HTTP/1.1\r\nhost: h\r\n\r\n"},
      {505, "GET / HTTP/2.0\r\nhost: h\r\n\r\n"},
      {505, "GET / HTTP/1.2\r\nhost: h\r\n\r\n"},
      {400, "GET / http/1.1\r\nhost: h\r\n\r\n"},
      {505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
      {400, "GET / HTTP/1.1\nhost: h\n\n"},                      // bare line ends
      {400, "GET / HTTP/1.1\r\nhost: h\n\r\n\r\n"},              //
      {400, "GET / HTTP/1.1\r\nhost: h\rx: y\r\n\r\n"},          //
      {400, "GET / HTTP/1.1\r\nhost: h\r\nx: a\r\n b\r\n\r\n"},  // folding
      {400, "GET / HTTP/1.1\r\n host: h\r\n\r\n"},
      {400, "GET / HTTP/1.1\r\nhost : h\r\n\r\n"},
      {400, "GET / HTTP/1.1\r\nhost: h\r\n: x\r\n\r\n"},
      {400, "GET / HTTP/1.1\r\nhost: h\r\nnocolon\r\n\r\n"},
      {400, get(std::string("x: a\0b\r\n", 8))},
      {400, get("x: \x7f\r\n")},
      {400, "GET / HTTP/1.1\r\n\r\n"},  // no host
      {400, get("host: h\r\n")},        // two
      {400, get("content-length: 5\r\ntransfer-encoding: chunked\r\n")},
      {400, get("content-length: 5\r\ncontent-length: 5\r\n")},
      {400, get("content-length: 5, 5\r\n")},
      {400, get("content-length: +5\r\n")},
      {400, get("content-length: -1\r\n")},
      {400, get("content-length: 0x5\r\n")},
      {400, get("content-length:\r\n")},
      {400, get("content-length: 18446744073709551616\r\n")},
      {413, get("content-length: 18446744073709551615\r\n")},
      {413, get("content-length: 65\r\n")},
      {400, "GET / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"},
      {501, get("transfer-encoding: gzip, chunked\r\n")},
      {501, get("transfer-encoding: chunked, identity\r\n")},
      {501, get("transfer-encoding: xchunked\r\n")},
      {400, get("transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n")},
      {415, get("content-encoding: gzip\r\n")},
      {417, get("expect: wonders\r\n")},
      {400, chunked("\r\n")},
      {400, chunked("g\r\n")},
      {400, chunked("-1\r\n")},
      {400, chunked("0x5\r\n")},
      {400, chunked("5 5\r\n")},
      {400, chunked("5\n")},
      {400, chunked("5;\x01\r\n")},
      {400, chunked("5 \r\n")},
      {400, chunked("5;\r\n")},
      {400, chunked("5;a=\r\n")},
      {400, chunked("5;a\xff\r\n")},
      {400, chunked("5;a=\"b\r\n")},
      {400, chunked("5;a=\"b\\\"\"\r\n")},
      {400, chunked("5;a=\"b\"c\r\n")},
      {400, chunked("5; a\r\n")},
      {400, get("connection: keep-alive, a b\r\n")},
      {400, get("connection: k\xff\r\n")},
      {400, chunked("1\r\nab\r\n")},
      {400, chunked("1\r\na\n")},
      {413, chunked("41\r\n")},
      {413, chunked("FFFFFFFFFFFFFFFF\r\n")},
      {413, chunked("10000000000000001\r\n")},
      {413, chunked("1\r\na\r\nffffffffffffffff\r\n")},
      {413, chunked("40\r\n" + std::string(64, 'x') + "\r\n1\r\n")},
      {400, chunked("1;" + std::string(2000, 'x'))},
      {400, chunked("0\r\nbad trailer\r\n")},
      {431, chunked("0\r\n" +
                    [] {
                      std::string out;
                      for (int i = 0; i < 20; ++i) out += "t: " + std::string(100, 'x') + "\r\n";
                      return out;
                    }())},
      {431, get("x: " + std::string(1024, 'y') + "\r\n")},
      {431, std::string(1024, 'G')},
  };
}

TEST(RequestParser, RefusesWhatTwoProgramsCouldReadDifferently) {
  for (const auto& [status, text] : refused_requests())
    for (const size_t step : {size_t{1}, size_t{7}, text.size()})
      EXPECT_EQ(parse(text, step).status, status) << step << ": " << quote(text, 200);
}

// Found by fuzzing: the pieces in which a connection's bytes came decided over these.
TEST(RequestParser, PiecesDecideNothing) {
  const std::string get = "GET / HTTP/1.1\r\nhost:h\r\n\r\n";
  const std::vector<std::pair<int, std::string>> cases = {
      {200, "\r\n" + get}, {400, "\r\n\r\n" + get}, {400, "GET / HTTP/1.2\r\nhost: h\nx: y\r\n\r\n"}};
  for (const auto& [status, text] : cases)
    for (size_t step = 1; step <= text.size(); ++step)
      EXPECT_EQ(parse(text, step).status, status) << step << quote(text);
  RequestParser parser(64);
  std::string_view line = "\r\n";
  parser.feed(line);
  EXPECT_TRUE(parser.fresh());  // an idle connection, not a slow request
}

TEST(RequestParser, ReadsWhatIsUnusualButClear) {
  EXPECT_EQ(parse("GET / HTTP/1.0\r\n\r\n", 3).status, 200);
  EXPECT_EQ(parse("OPTIONS * HTTP/1.1\r\nhost: h\r\n\r\n", 3).request.path, "*");
  const auto absolute = parse("GET http://H:80/x?y HTTP/1.1\r\nhost: h:80\r\n\r\n", 3);
  EXPECT_EQ(absolute.request.path + "|" + absolute.request.query, "/x|y");
  EXPECT_EQ(
      parse("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 64\r\n\r\n" + std::string(64, 'x'), 9).request.body.size(),
      64u);
  EXPECT_TRUE(parse("PUT / HTTP/1.1\r\nhost: h\r\nexpect: 100-Continue\r\n\r\n", 3).head.expects_go);
  EXPECT_EQ(parse("GET / HTTP/1.1\r\nhost: h\r\nx: " + std::string(980, 'y') + "\r\n\r\n", 1).status, 200);
  EXPECT_EQ(parse("GET / HTTP/1.1\r\nhost: h\r\nx: \xc3\xa9\r\n\r\n", 1).status, 200);
}

TEST(Http, PercentDecoding) {
  EXPECT_EQ(percent_decode("a%2Fb+c%00"), std::string("a/b+c\0", 6));  // '+' is a space in queries only
  for (const auto* text : {"%", "%1", "%1g", "%+1", "%-1", "x%"}) EXPECT_EQ(percent_decode(text), std::nullopt) << text;
}

}  // namespace
}  // namespace jevons
