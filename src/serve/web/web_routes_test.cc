#include "serve/web/web_routes.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "serve/api/memory_reply.h"
#include "serve/guard.h"
#include "serve/web/web_files.h"

namespace jevons {
namespace {

struct Answer {
  int status;
  std::string body;
  HttpHeaders headers;
  std::string header(const std::string& name) const {
    for (const auto& [key, value] : headers)
      if (key == name) return value;
    return {};
  }
};

Answer get(const std::string& path, const std::string& known_tag = {}) {
  Router router;
  add_web_routes(router);
  HttpRequest request{.id = "r", .method = "GET", .path = path, .query = {}, .headers = {}, .body = {}, .peer = {}};
  if (!known_tag.empty()) request.headers.push_back({"if-none-match", known_tag});
  const auto exchange = std::make_shared<MemoryExchange>();
  router.handle(request, Reply(exchange));
  return {exchange->status(), exchange->body(), exchange->headers()};
}

TEST(WebRoutes, ThePageComesWithItsPolicy) {
  const Answer page = get("/");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.header("content-type"), "text/html; charset=utf-8");
  EXPECT_EQ(page.header("content-encoding"), "gzip");
  EXPECT_EQ(page.header("cache-control"), "no-cache");
  EXPECT_TRUE(page.header("content-security-policy").starts_with("default-src 'none'; script-src 'self';"));
  EXPECT_EQ(page.header("content-security-policy").find("unsafe"), std::string::npos);
  EXPECT_TRUE(std::ranges::equal(page.body, find_web_file("/")->gzip, {}, [](char c) { return uint8_t(c); }));
}

// The server adds security_headers() to every reply; the page's own come on top, none twice.
TEST(WebRoutes, NoHeaderIsSentTwice) {
  HttpHeaders all = get("/").headers;
  for (const auto& header : security_headers()) all.push_back(header);
  for (const auto& header : page_headers()) EXPECT_EQ(std::ranges::count(all, header), 1) << header.first;
  for (const auto& [name, value] : all)
    EXPECT_EQ(std::ranges::count(all, name, &HttpHeaders::value_type::first), 1) << name;
}

TEST(WebRoutes, EveryFileIsServedAndHashedNamesForEver) {
  for (const WebFile& file : web_files()) {
    const Answer answer = get(std::string(file.path));
    EXPECT_EQ(answer.status, 200) << file.path;
    EXPECT_EQ(answer.header("cache-control") != "no-cache", file.immutable) << file.path;
  }
}

TEST(WebRoutes, AKnownTagIsAnsweredWithoutBody) {
  const Answer answer = get("/", std::string(find_web_file("/")->etag));
  EXPECT_EQ(answer.status, 304);
  EXPECT_EQ(answer.body, "");
  EXPECT_EQ(get("/", "\"another\"").status, 200);
}

TEST(WebRoutes, NothingElse) {
  for (const char* path : {"/assets", "/assets/", "/index.html.gz", "/assets/..", "/%2e%2e/web/package.json"})
    EXPECT_EQ(get(path).status, 404) << path;
}

}  // namespace
}  // namespace jevons
