// What a request got wrong, as the APIs say it. Thrown by handlers; the router turns it into the reply.
#pragma once
#include <exception>
#include <optional>
#include <string>

#include "base/json.h"

namespace jevons {

class ApiError : public std::exception {
 public:
  ApiError(int http_status, std::string text, std::string error_code = {}, std::optional<std::string> field = {})
      : status(http_status), message(std::move(text)), code(std::move(error_code)), param(std::move(field)) {}
  const char* what() const noexcept override { return message.c_str(); }

  int status;
  std::string message, code;
  std::optional<std::string> param;

  const char* type() const {
    return status == 401   ? "authentication_error"
           : status == 403 ? "permission_error"
           : status == 429 ? "rate_limit_error"
           : status >= 500 ? "server_error"
                           : "invalid_request_error";
  }
  // {"error":{"message","type","param","code"}}
  Json json() const {
    return Json::Object{{"error", Json::Object{{"message", message},
                                               {"type", type()},
                                               {"param", param ? Json(*param) : Json()},
                                               {"code", code.empty() ? Json() : Json(code)}}}};
  }
};

// An error of the program seen by a client: what the request asked for is 4xx, what the machine could not do 5xx.
inline ApiError api_error(const Error& error) {
  switch (error.code()) {
    case Code::not_found:
      return {404, error.message(), "model_not_found", "model"};
    case Code::too_large:
      return {400, error.message(), "context_length_exceeded"};
    case Code::invalid:
    case Code::usage:
      return {400, error.message()};
    case Code::unsupported:
      return {400, error.message(), "unsupported"};
    case Code::interrupted:
      return {503, error.message(), "server_overloaded"};
    case Code::io:
      break;
  }
  return {500, error.message()};
}

}  // namespace jevons
