#include "serve/router.h"

#include "base/strings.h"

namespace jevons {
namespace {

std::optional<std::string_view> next_segment(std::string_view& rest) {
  if (rest.empty()) return {};
  const size_t end = rest.find('/', 1);
  const std::string_view segment = rest.substr(1, end == std::string_view::npos ? end : end - 1);
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end);
  return segment;
}

std::optional<PathParts> match(std::string_view pattern, std::string_view path) {
  PathParts parts;
  for (;;) {
    const auto wanted = next_segment(pattern), found = next_segment(path);
    if (!wanted || !found) return !wanted && !found ? std::optional(parts) : std::nullopt;
    if (wanted->size() > 2 && wanted->front() == '{') {
      // The last variable takes the rest of the path: a model's name may have slashes.
      std::string value(*found);
      if (pattern.empty()) value += path, path = {};
      auto decoded = percent_decode(value);
      if (!decoded || decoded->empty()) return {};
      parts[std::string(wanted->substr(1, wanted->size() - 2))] = *decoded;
    } else if (*wanted != *found) {
      return {};
    }
  }
}

}  // namespace

void Router::handle(const HttpRequest& request, const Reply& reply) const {
  std::string allowed;
  const std::string method = request.method == "HEAD" ? "GET" : request.method;
  for (const Route& route : routes_) {
    const auto parts = match(route.path, request.path);
    if (!parts) continue;
    if (route.method != method) {
      allowed += (allowed.empty() ? "" : ", ") + route.method;
      continue;
    }
    try {
      return route.handler(request, *parts, reply);
    } catch (const ApiError& error) {
      return send_error(reply, error);
    } catch (const Error& error) {
      return send_error(reply, api_error(error));
    }
  }
  if (allowed.empty())
    return send_error(
        reply, {404, cat("there is nothing at ", quote(request.path), "; /openapi.json lists what is"), "not_found"});
  const ApiError error(405, cat(request.path, " takes ", allowed, ", not ", quote(request.method)),
                       "method_not_allowed");
  reply.send(405, {{"content-type", "application/json"}, {"allow", allowed}}, error.json().dump());
}

void send_error(const Reply& reply, const ApiError& error) {
  HttpHeaders headers = {{"content-type", "application/json"}};
  if (error.status == 429 || error.status == 503) headers.push_back({"retry-after", "2"});
  reply.send(error.status, std::move(headers), error.json().dump());
}

void send_json(const Reply& reply, const Json& body, int status) {
  reply.send(status, {{"content-type", "application/json"}}, body.dump());
}

Json json_body(const HttpRequest& request) {
  Result<Json> body = Json::parse(request.body, size_t{64} << 20);
  if (!body.ok())
    throw ApiError(400, cat("the body is no JSON that can be read: ", body.error().message()), "invalid_json");
  if (!body->is_object())
    throw ApiError(400, cat("the body is ", body->type_name(), ", expected a JSON object"), "invalid_json");
  return std::move(body).value();
}

}  // namespace jevons
