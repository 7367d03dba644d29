// Router: from method and path to a handler. The list of routes is also what /openapi.json shows.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "serve/api/error.h"
#include "serve/http/http.h"

namespace jevons {

using PathParts = std::map<std::string, std::string>;  // {"id": "..."} of a path like /v1/models/{id}

struct Route {
  std::string method, path, about;
  std::function<void(const HttpRequest&, const PathParts&, Reply)> handler;  // may throw ApiError or Error
};

class Router {
 public:
  void add(Route route) { routes_.push_back(std::move(route)); }
  const std::vector<Route>& routes() const { return routes_; }
  // Answers 404 for an unknown path, 405 for another method of a known one, and what a handler throws.
  void handle(const HttpRequest& request, const Reply& reply) const;

 private:
  std::vector<Route> routes_;
};

// Sends an error the way all routes do, with Retry-After where waiting helps.
void send_error(const Reply& reply, const ApiError& error);
void send_json(const Reply& reply, const Json& body, int status = 200);
// The body as a JSON object; throws ApiError{400} that says where it is broken.
Json json_body(const HttpRequest& request);

}  // namespace jevons
