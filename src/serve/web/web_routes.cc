#include "serve/web/web_routes.h"

#include "serve/guard.h"
#include "serve/web/web_files.h"

namespace jevons {
namespace {

void send_file(const WebFile& file, const HttpRequest& request, const Reply& reply) {
  HttpHeaders headers = page_headers();
  headers.push_back({"etag", std::string(file.etag)});
  headers.push_back({"cache-control", file.immutable ? "max-age=31536000, immutable" : "no-cache"});
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
