#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "base/json.h"
#include "base/strings.h"
#include "serve/http/client_testing.h"

namespace jevons {
namespace {

constexpr const char* kGet = "GET / HTTP/1.1\r\nhost: h\r\n\r\n";

void echo(const HttpRequest& request, const Reply& reply) {
  reply.send(200, {{"content-type", "text/plain"}}, cat(request.method, " ", request.path, " ", request.body));
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

TEST(HttpServer, AnswersOneRequestAfterTheOther) {
  RunningServer server(echo);
  RawClient client(server.port());
  ASSERT_TRUE(client.send("POST /a HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\nhi"));
  const auto reply = client.read_reply();
  EXPECT_EQ(reply.substr(0, 17), "HTTP/1.1 200 OK\r\n");
  EXPECT_TRUE(has(reply, "\r\nx-request-id: req_"));
  EXPECT_TRUE(has(reply, "\r\n\r\nPOST /a hi"));
  std::string pipelined;
  for (int i = 0; i < 300; ++i) pipelined += cat("GET /", i, " HTTP/1.1\r\nhost: h\r\n\r\n");
  ASSERT_TRUE(client.send(pipelined));
  for (int i = 0; i < 300; ++i) EXPECT_TRUE(has(client.read_reply(), cat("\r\n\r\nGET /", i, " "))) << i;
  ASSERT_TRUE(client.send("GET /last HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n"));
  EXPECT_TRUE(has(client.read_all(), "connection: close\r\n"));
  EXPECT_TRUE(client.server_closed());
}

TEST(HttpServer, HeadHasTheLengthButNoBody) {
  RunningServer server(echo);
  RawClient client(server.port());
  client.send("HEAD /x HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n");
  const auto reply = client.read_all();
  EXPECT_TRUE(has(reply, "content-length: 8\r\n"));
  EXPECT_EQ(reply.substr(reply.size() - 4), "\r\n\r\n");
}

TEST(HttpServer, StreamsFromAnotherThread) {
  std::thread writer;
  RunningServer server([&](const HttpRequest&, const Reply& reply) {
    writer = std::thread([reply] {
      reply.start(200, {{"content-type", "text/event-stream"}});
      for (int i = 0; i < 1000; ++i) reply.write(cat("data: ", i, "\n\n"));
      reply.write("");
      reply.end();
    });
  });
  RawClient client(server.port());
  client.send(kGet);
  const auto head = client.read_until("\r\n\r\n");
  EXPECT_TRUE(has(head, "transfer-encoding: chunked\r\n"));
  EXPECT_FALSE(has(head, "content-length"));
  const auto body = client.read_until("\r\n0\r\n\r\n");
  writer.join();
  EXPECT_EQ(body.substr(0, 14), "9\r\ndata: 0\n\n\r\n");
  EXPECT_TRUE(has(body, "b\r\ndata: 999\n\n\r\n0\r\n\r\n"));
  client.send("GET / HTTP/1.0\r\n\r\n");  // the same connection goes on; 1.0 has no chunks
  const auto old = client.read_all();
  writer.join();
  EXPECT_FALSE(has(old, "transfer-encoding"));
  EXPECT_TRUE(has(old, "\r\n\r\ndata: 0\n\ndata: 1\n\n"));
  EXPECT_EQ(old.substr(old.size() - 11), "data: 999\n\n");
}

// The handler waits for something else; the client leaves meanwhile.
void expect_notice(const std::function<void(RawClient&)>& leave) {
  std::promise<void> asked, told;
  std::promise<Reply> kept;
  RunningServer server([&](const HttpRequest&, const Reply& reply) {
    reply.on_close([&told] { told.set_value(); });
    kept.set_value(reply);
  });
  RawClient client(server.port());
  client.send(kGet);
  const auto reply = kept.get_future().get();
  EXPECT_FALSE(reply.closed());
  const double before = now_seconds();
  leave(client);
  ASSERT_EQ(told.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
  std::printf("noticed after %.1f ms\n", (now_seconds() - before) * 1e3);
  EXPECT_TRUE(reply.closed());
  reply.start(200, {});  // into nothing
  reply.write("x");
  bool at_once = false;
  reply.on_close([&] { at_once = true; });
  EXPECT_TRUE(at_once);
}

TEST(HttpServer, NoticesThatTheClientWentAway) {
  expect_notice([](RawClient& client) { client.close(); });
  expect_notice([](RawClient& client) { client.reset(); });
  expect_notice([](RawClient& client) { client.finish_sending(); });
}

TEST(HttpServer, OnCloseIsNotCalledAfterTheEnd) {
  std::atomic<int> calls = 0;
  std::promise<Reply> kept;
  RunningServer server([&](const HttpRequest& request, const Reply& reply) {
    reply.on_close([&] { ++calls; });
    echo(request, reply);
    reply.on_close([&] { ++calls; });
    kept.set_value(reply);
  });
  {
    RawClient client(server.port());
    client.send(kGet);
    client.read_reply();
  }
  const auto reply = kept.get_future().get();
  server.stop(5);
  EXPECT_EQ(calls, 0);
  EXPECT_TRUE(reply.closed());
}

TEST(HttpServer, AHandlerThatThrowsOrForgetsIsA500) {
  RunningServer server([](const HttpRequest& request, const Reply& reply) {
    if (request.path == "/throw") throw std::runtime_error("secret detail");
    if (request.path == "/split") reply.send(200, {{"x", "a\r\nset-cookie: b"}}, "");
    if (request.path == "/cut") reply.start(200, {}), reply.write("begun");
  });
  for (const auto* path : {"/throw", "/forget", "/split"}) {
    RawClient client(server.port());
    client.send(cat("GET ", path, " HTTP/1.1\r\nhost: h\r\n\r\n"));
    const auto reply = client.read_reply();
    EXPECT_EQ(reply.substr(0, 12), "HTTP/1.1 500") << path;
    EXPECT_FALSE(has(reply, "secret") || has(reply, "\r\nset-cookie")) << reply;
    const auto body = reply.substr(reply.find("\r\n\r\n") + 4);
    EXPECT_EQ(Json::parse(body).value().at("error").at("type").as_string(), "server_error");
  }
  RawClient client(server.port());
  client.send("GET /cut HTTP/1.1\r\nhost: h\r\n\r\n");
  const auto reply = client.read_all();
  EXPECT_TRUE(client.server_closed());
  EXPECT_FALSE(has(reply, "\r\n0\r\n\r\n"));  // the client sees that it is not whole
}

TEST(HttpServer, RefusalsAreJsonAndReachAClientThatIsStillSending) {
  RunningServer server(echo);
  RawClient client(server.port());
  client.send("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 20000000\r\n\r\n");
  client.send(std::string(1 << 20, 'x'));
  const auto reply = client.read_reply();
  EXPECT_EQ(reply.substr(0, 12), "HTTP/1.1 413");
  EXPECT_TRUE(has(reply, "connection: close"));
  EXPECT_TRUE(has(reply, "x-request-id: req_"));
  const auto error = Json::parse(reply.substr(reply.find("\r\n\r\n") + 4)).value().at("error");
  EXPECT_EQ(error.at("type").as_string(), "invalid_request_error");
}

TEST(HttpServer, AdmissionDecidesBeforeTheBody) {
  std::atomic<int> handled = 0;
  HttpOptions options;
  options.admit = [](const HttpRequest& request) {
    if (request.path == "/no") return HttpVerdict{.status = 403, .headers = {}, .body = "no"};
    return HttpVerdict{.body_bytes = request.path == "/small" ? uint64_t{4} : 0};
  };
  RunningServer server(
      [&](const HttpRequest& request, const Reply& reply) {
        ++handled;
        echo(request, reply);
      },
      options);
  const auto status = [&](std::string_view path, int length, std::string_view body) {
    RawClient client(server.port());
    client.send(cat("POST ", path, " HTTP/1.1\r\nhost: h\r\ncontent-length: ", length, "\r\n\r\n", body));
    return client.read_reply().substr(9, 3);
  };
  EXPECT_EQ(status("/no", 1000, ""), "403");
  EXPECT_EQ(status("/small", 5, ""), "413");
  EXPECT_EQ(handled, 0);
  EXPECT_EQ(status("/small", 4, "abcd"), "200");
  EXPECT_EQ(status("/", 5, "abcde"), "200");
  RawClient client(server.port());  // a refusal without a body keeps the connection
  client.send("GET /no HTTP/1.1\r\nhost: h\r\n\r\nGET /yes HTTP/1.1\r\nhost: h\r\n\r\n");
  EXPECT_TRUE(has(client.read_reply(), "403"));
  EXPECT_TRUE(has(client.read_reply(), "GET /yes"));
}

TEST(HttpServer, ExpectContinue) {
  RunningServer server(echo);
  RawClient client(server.port());
  client.send("POST / HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n");
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("ok");
  EXPECT_TRUE(has(client.read_reply(), "POST / ok"));
}

TEST(HttpServer, SlowSendersAreSentAway) {
  HttpOptions options;
  options.limits.read_seconds = 0.3;
  options.limits.idle_seconds = 0.6;
  RunningServer server(echo, options);
  RawClient silent(server.port()), head(server.port()), body(server.port()), idle(server.port());
  head.send("GET / HTT");
  body.send("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 10\r\n\r\nabc");
  idle.send(kGet);
  EXPECT_TRUE(has(idle.read_reply(), "200 OK"));
  EXPECT_EQ(head.read_reply().substr(9, 3), "408");
  EXPECT_EQ(body.read_reply().substr(9, 3), "408");
  EXPECT_EQ(silent.read_all(), "");
  EXPECT_EQ(idle.read_all(), "");
  EXPECT_TRUE(silent.server_closed() && idle.server_closed());
}

TEST(HttpServer, SlowReadersAreCutAndCostNoMemory) {
  HttpOptions options;
  options.limits.unsent_bytes = 1 << 20;
  std::promise<void> cut;
  std::promise<Reply> kept;
  RunningServer server(
      [&](const HttpRequest&, const Reply& reply) {
        reply.on_close([&] { cut.set_value(); });
        reply.start(200, {});
        kept.set_value(reply);
      },
      options);
  RawClient client(server.port(), 4096);
  client.send(kGet);
  const auto reply = kept.get_future().get();
  const std::string piece(64 << 10, 'x');
  for (int i = 0; i < 4000 && !reply.closed(); ++i) {  // 256 MB, were it kept
    reply.write(piece);
    if (i % 16 == 15) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(cut.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
  EXPECT_TRUE(reply.closed());
}

TEST(HttpServer, AStalledReaderIsCutAfterAWhile) {
  HttpOptions options;
  options.limits.idle_seconds = 0.4;
  RunningServer server([](const HttpRequest&, const Reply& reply) { reply.send(200, {}, std::string(32 << 20, 'x')); },
                       options);
  RawClient client(server.port(), 4096);
  client.send(kGet);
  client.read_until("\r\n\r\n");
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  EXPECT_LT(client.read_all().size(), size_t{32} << 20);
  EXPECT_TRUE(client.server_closed());
}

TEST(HttpServer, ALargeBodyArrivesWhole) {
  RunningServer server([](const HttpRequest& request, const Reply& reply) {
    reply.send(200, {}, request.body + std::string(32 << 20, 'x'));
  });
  RawClient client(server.port());
  const std::string sent(5 << 20, 'y');
  client.send(
      cat("POST / HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-length: ", sent.size(), "\r\n\r\n", sent));
  const auto reply = client.read_all();
  EXPECT_EQ(reply.size() - reply.find("\r\n\r\n") - 4, sent.size() + (32 << 20));
}

TEST(HttpServer, DrainPacesAProducer) {
  // Each piece is written when the one before went out, so that 32 MB pass a limit of 256 KB.
  struct Producer : std::enable_shared_from_this<Producer> {
    explicit Producer(Reply r) : reply(std::move(r)) {}
    void step() {
      if (left-- == 0) return reply.end();
      reply.write(std::string(128 << 10, 'z'));
      reply.on_drain([self = shared_from_this()] { self->step(); });
    }
    Reply reply;
    int left = 256;
  };
  HttpOptions options;
  options.limits.unsent_bytes = 256 << 10;
  RunningServer server(
      [](const HttpRequest&, const Reply& reply) {
        reply.start(200, {});
        std::make_shared<Producer>(reply)->step();
      },
      options);
  RawClient client(server.port());
  client.send("GET / HTTP/1.0\r\n\r\n");
  const auto reply = client.read_all();
  EXPECT_EQ(reply.size() - reply.find("\r\n\r\n") - 4, size_t{32} << 20);
}

TEST(HttpServer, TooManyConnections) {
  HttpOptions options;
  options.limits.connections = 2;
  RunningServer server(echo, options);
  RawClient one(server.port()), two(server.port());
  one.send(kGet), two.send(kGet);
  EXPECT_TRUE(has(one.read_reply(), "200 OK") && has(two.read_reply(), "200 OK"));
  RawClient three(server.port());
  const auto reply = three.read_reply();
  EXPECT_EQ(reply.substr(9, 3), "503");
  EXPECT_TRUE(has(reply, "retry-after: 1\r\n"));
}

TEST(HttpServer, StopLetsOpenExchangesEnd) {
  std::promise<Reply> kept;
  RunningServer server([&](const HttpRequest&, const Reply& reply) {
    reply.start(200, {});
    kept.set_value(reply);
  });
  RawClient busy(server.port()), idle(server.port());
  busy.send(kGet);
  const auto reply = kept.get_future().get();
  std::thread stopper([&] { server.stop(30); });
  EXPECT_EQ(idle.read_all(), "");
  EXPECT_TRUE(idle.server_closed());
  EXPECT_FALSE(RawClient(server.port()).connected());
  reply.write("last words");
  reply.end();
  EXPECT_TRUE(has(busy.read_all(), "last words\r\n0\r\n\r\n"));
  EXPECT_TRUE(busy.server_closed());
  busy.close();
  stopper.join();
}

TEST(HttpServer, StopCutsWhatDoesNotEnd) {
  std::promise<void> cut;
  std::promise<Reply> kept;
  RunningServer server([&](const HttpRequest&, const Reply& reply) {
    reply.on_close([&] { cut.set_value(); });
    kept.set_value(reply);
  });
  RawClient client(server.port());
  client.send(kGet);
  auto reply = std::make_unique<Reply>(kept.get_future().get());
  server.stop(0.2);
  EXPECT_EQ(cut.get_future().wait_for(std::chrono::seconds(0)), std::future_status::ready);
  reply->send(200, {}, "too late");
  reply.reset();
}

TEST(HttpServer, AReplyMayOutliveTheServer) {
  std::promise<Reply> kept;
  auto server = std::make_unique<RunningServer>([&](const HttpRequest&, const Reply& reply) {
    reply.start(200, {});
    kept.set_value(reply);
  });
  RawClient client(server->port());
  client.send(kGet);
  const auto reply = kept.get_future().get();
  server.reset();
  reply.write("x");
  reply.end();
  EXPECT_TRUE(reply.closed());
}

TEST(HttpServer, ListenErrorsAreSentences) {
  RunningServer server(echo);
  const auto refusal = [](HttpOptions options) {
    auto result = HttpServer::listen(std::move(options), echo);
    return result.ok() ? "" : result.error().message();
  };
  EXPECT_TRUE(has(refusal({.port = server.port()}), "is taken by another program"));
  EXPECT_TRUE(has(refusal({.port = 70000}), "ports are 1 to 65535"));
  EXPECT_TRUE(has(refusal({.host = "example.invalid"}), "no address to listen on"));
  EXPECT_TRUE(has(refusal({.headers = {{"a b", ""}}}), "the header \"a b\" of a reply"));
}

}  // namespace
}  // namespace jevons
