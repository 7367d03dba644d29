#include "serve/guard.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/strings.h"
#include "serve/http/client_testing.h"

namespace jevons {
namespace {

constexpr int kPort = 8080;
const std::string kKey = "jv-0123456789abcdef";

Guard guard(GuardOptions options = {}) { return Guard::make(std::move(options)).value(); }

HttpRequest request(HttpHeaders headers, std::string method = "POST", std::string path = "/v1/chat/completions") {
  HttpRequest out;
  out.method = std::move(method);
  out.path = std::move(path);
  out.headers = std::move(headers);
  return out;
}

int status(const Guard& g, HttpHeaders headers, std::string method = "POST", std::string path = "/v1/x") {
  if (std::none_of(headers.begin(), headers.end(), [](const auto& h) { return h.first == "host"; }))
    headers.emplace_back("host", "localhost:8080");
  return g.check(request(std::move(headers), std::move(method), std::move(path)), kPort).status;
}

TEST(Guard, OtherAddressesThanLoopbackNeedAKey) {
  for (const auto* host : {"0.0.0.0", "::", "192.168.1.2", "10.0.0.1", "128.0.0.1", "fe80::1"}) {
    EXPECT_FALSE(Guard::make({.host = host}).ok()) << host;
    EXPECT_TRUE(Guard::make({.host = host, .api_key = kKey}).ok()) << host;
  }
  for (const auto* host : {"127.0.0.1", "127.1.2.3", "::1", "localhost"})
    EXPECT_TRUE(Guard::make({.host = host}).ok()) << host;
  EXPECT_FALSE(Guard::make({.api_key = "short"}).ok());
}

TEST(Guard, HostMustBeANameOfThisServer) {
  const auto g = guard();
  for (const auto* host : {"localhost:8080", "LocalHost:8080", "127.0.0.1:8080", "[::1]:8080"})
    EXPECT_EQ(status(g, {{"host", host}}), 0) << host;
  for (const auto* host :
       {"evil.example:8080", "evil.example", "localhost", "localhost:80", "localhost:8081", "localhost:8080x",
        "localhost:", "localhost:-1", "localhost.evil.example:8080", "192.168.1.2:8080", "0.0.0.0:8080",
        "127.0.0.1.evil.example:8080", "", ":8080", "localhost:8080:8080"})
    EXPECT_EQ(status(g, {{"host", host}}), 403) << host;
  EXPECT_EQ(g.check(request({}), kPort).status, 403);
  EXPECT_EQ(g.check(request({{"host", "localhost"}}), 80).status, 0);
  EXPECT_EQ(status(guard({.allowed_hosts = {"Box.local"}}), {{"host", "box.LOCAL"}}), 0);
}

TEST(Guard, AddressesButNotNamesReachAnOpenBind) {
  const auto g = guard({.host = "0.0.0.0", .api_key = kKey});
  const HttpHeaders key{{"x-api-key", kKey}};
  const auto with = [&](std::string host) {
    auto headers = key;
    headers.emplace_back("host", std::move(host));
    return status(g, headers);
  };
  EXPECT_EQ(with("192.168.1.2:8080"), 0);
  EXPECT_EQ(with("[fe80::1]:8080"), 0);
  EXPECT_EQ(with("evil.example:8080"), 403);
  EXPECT_EQ(with("192.168.1.2:8081"), 403);
}

TEST(Guard, PagesOfOtherSitesAreRefused) {
  const auto g = guard({.open = [](const HttpRequest& r) { return r.path == "/"; }});
  EXPECT_EQ(status(g, {}), 0);
  EXPECT_EQ(status(g, {{"origin", "http://localhost:8080"}}), 0);
  for (const auto* origin : {"null", "http://evil.example", "http://localhost:3000", "http://127.0.0.1:8080",
                             "http://localhost:8080.evil.example", "file://", "chrome-extension://abc", ""})
    EXPECT_EQ(status(g, {{"origin", origin}}), 403) << origin;
  EXPECT_EQ(status(g, {{"sec-fetch-site", "same-origin"}}), 0);
  EXPECT_EQ(status(g, {{"sec-fetch-site", "none"}}), 0);
  EXPECT_EQ(status(g, {{"sec-fetch-site", "cross-site"}}), 403);
  EXPECT_EQ(status(g, {{"sec-fetch-site", "same-site"}}), 403);  // another port of localhost
  EXPECT_EQ(status(g, {{"sec-fetch-site", "Same-Origin, cross-site"}}), 403);
  // A link to the page may be followed; nothing else may be done from there.
  HttpHeaders link{{"sec-fetch-site", "cross-site"}, {"sec-fetch-mode", "navigate"}, {"sec-fetch-dest", "document"}};
  EXPECT_EQ(status(g, link, "GET", "/"), 0);
  EXPECT_EQ(status(g, link, "GET", "/history"), 403);
  EXPECT_EQ(status(g, link, "POST", "/"), 403);
  link[2].second = "iframe";
  EXPECT_EQ(status(g, link, "GET", "/"), 403);
  // The preflight of a forged request gets neither permission nor a CORS header.
  const auto verdict = g.check(
      request(
          {{"host", "localhost:8080"}, {"origin", "http://evil.example"}, {"access-control-request-method", "POST"}},
          "OPTIONS"),
      kPort);
  EXPECT_EQ(verdict.status, 403);
  for (const auto& [name, value] : verdict.headers) EXPECT_NE(name.substr(0, 14), "access-control") << value;
}

TEST(Guard, TheKey) {
  const auto g = guard({.api_key = kKey, .open = [](const HttpRequest& r) { return r.path == "/"; }});
  EXPECT_EQ(status(g, {}), 401);
  EXPECT_EQ(status(g, {}, "GET", "/"), 0);
  EXPECT_EQ(status(g, {{"authorization", "Bearer " + kKey}}), 0);
  EXPECT_EQ(status(g, {{"authorization", "bearer " + kKey}}), 0);
  EXPECT_EQ(status(g, {{"x-api-key", kKey}}), 0);
  for (const auto& wrong : {std::string(), kKey.substr(1), kKey + "x", kKey.substr(0, kKey.size() - 1)}) {
    EXPECT_EQ(status(g, {{"authorization", "Bearer " + wrong}}), 401) << wrong;
    EXPECT_EQ(status(g, {{"x-api-key", wrong}}), 401) << wrong;
    EXPECT_EQ(status(g, {{"cookie", "jevons_session=" + wrong}}), 401) << wrong;
  }
  EXPECT_EQ(status(g, {{"authorization", "Basic " + kKey}}), 401);
  EXPECT_EQ(status(g, {{"authorization", "Bearer wrong"}, {"x-api-key", kKey}}), 401);  // Bearer wins
  EXPECT_EQ(status(g, {{"cookie", "jevons_session=" + kKey}}), 401);                    // the cookie is not the key
  const auto cookie = g.set_cookie();
  EXPECT_NE(cookie.find("; HttpOnly; SameSite=Strict"), std::string::npos);
  EXPECT_EQ(cookie.find(kKey), std::string::npos);
  const auto pair = cookie.substr(0, cookie.find(';'));
  EXPECT_EQ(status(g, {{"cookie", "a=b; " + pair + "; c=d"}}), 0);
  EXPECT_EQ(status(g, {{"cookie", "a=b; x" + pair}}), 401);
  EXPECT_EQ(status(g, {{"cookie", pair}, {"origin", "http://evil.example"}}), 403);
  EXPECT_EQ(guard().set_cookie(), "");
}

TEST(Guard, SecretsAndKeys) {
  EXPECT_TRUE(same_secret("", ""));
  EXPECT_TRUE(same_secret("abc", "abc"));
  for (const auto* other : {"", "ab", "abcd", "abd", "Abc"}) EXPECT_FALSE(same_secret("abc", other)) << other;
  const auto one = generate_key(), two = generate_key();
  EXPECT_EQ(one.size(), 51u);
  EXPECT_NE(one, two);
}

TEST(Guard, StandsBeforeTheServer) {
  const auto g = guard();
  HttpOptions options;
  options.headers = security_headers();
  auto port = std::make_shared<int>(0);
  options.admit = [&g, port](const HttpRequest& r) { return g.check(r, *port); };
  RunningServer server([](const HttpRequest&, const Reply& reply) { reply.send(200, page_headers(), "page"); },
                       options);
  *port = server.port();
  const auto ask = [&](std::string_view host) {
    RawClient client(server.port());
    client.send(cat("GET / HTTP/1.1\r\nhost: ", host, "\r\n\r\n"));
    return client.read_reply();
  };
  const auto reply = ask(cat("127.0.0.1:", server.port()));
  EXPECT_EQ(reply.substr(9, 3), "200");
  for (const auto* part :
       {"\r\nx-content-type-options: nosniff\r\n", "\r\ncontent-security-policy: default-src 'none'; "})
    EXPECT_NE(reply.find(part), std::string::npos) << part;
  EXPECT_EQ(ask("rebound.example").substr(9, 3), "403");
}

}  // namespace
}  // namespace jevons
