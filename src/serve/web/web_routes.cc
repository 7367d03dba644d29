#include "serve/web/web_routes.h"

#include "serve/web/web_files.h"

namespace jevons {
namespace {

constexpr const char* content_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

void send_file(const WebFile& file, const HttpRequest& request, const Reply& reply) {
  HttpHeaders headers = {{"etag", std::string(file.etag)},
                         {"cache-control", file.immutable ? "max-age=31536000, immutable" : "no-cache"},
                         {"content-security-policy", content_policy},
                         {"x-content-type-options", "nosniff"},
                         {"referrer-policy", "no-referrer"}};
  const std::string* known = request.header("if-none-match");
  if (known && *known == file.etag) return reply.send(304, std::move(headers), "");
  headers.push_back({"content-type", std::string(file.type)});
  headers.push_back({"content-encoding", "gzip"});
  reply.send(200, std::move(headers), std::string(file.gzip.begin(), file.gzip.end()));
}

}  // namespace

void add_web_routes(Router& router) {
  for (const WebFile& file : web_files())
    router.add({"GET", std::string(file.path), "the chat page",
                [&file](const HttpRequest& request, const PathParts&, const Reply& reply) {
                  send_file(file, request, reply);
                }});
}

}  // namespace jevons
