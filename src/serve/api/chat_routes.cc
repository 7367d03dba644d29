// /chat/completions in OpenAI's and DeepSeek's dialect, and the control of a running chat.
#include "base/strings.h"
#include "serve/api/openai_chat.h"
#include "serve/api/routes.h"

namespace jevons {
namespace {

void chat(Api& api, Dialect dialect, const HttpRequest& http, const Reply& reply) {
  // Reading the body takes a while for long conversations: not on the I/O thread.
  api.service.post([&api, dialect, http, reply, place = take_place(api.service)]() mutable {
    try {
      const Json body = json_body(http);
      Fields fields(body, dialect == Dialect::deepseek ? 422 : 400);
      ChatRequest request = parse_chat(fields, dialect);
      if (request.messages.is_null()) throw ApiError(400, "'messages' is missing", "invalid_value", "messages");
      request.place = std::move(place);
      resolve_model(api.service, request);
      name_user(request, http);
      const std::string id = dialect == Dialect::deepseek ? new_uuid() : "chatcmpl-" + new_uuid();
      run_chat(api.service, api.active, id, std::move(request), reply, openai_chat_sink(dialect, id, reply));
    } catch (const ApiError& error) {
      send_error(reply, error);
    } catch (const Error& error) {
      send_error(reply, api_error(error));
    }
  });
}

void control(Api& api, const HttpRequest& http, const PathParts& parts, const Reply& reply) {
  const Json body = json_body(http);
  Fields fields(body);
  const auto action = fields.choice("action", {"stop", "answer_now"}, "end the chat, or its thought");
  if (!action) fields.wrong("action", "is missing; expected stop or answer_now");
  if (!api.active.control(parts.at("id"), *action))
    throw ApiError(404, cat("no chat ", quote(parts.at("id")), " is running"), "not_found");
  send_json(reply, Json::Object{{"id", parts.at("id")}, {"action", *action}});
}

}  // namespace

void read_chat_body(Fields& f) { parse_chat(f, Dialect::openai); }

std::shared_ptr<void> take_place(Service& service) {
  if (service.draining()) throw ApiError(503, "the server is ending and takes no new requests", "server_overloaded");
  if (auto place = service.take_place()) return place;
  throw ApiError(429, cat(service.options().queue, " requests are waiting already; try again soon"),
                 "rate_limit_exceeded");
}

void name_user(ChatRequest& request, const HttpRequest& http) {
  request.user = request.user.empty() ? cat("address ", http.peer) : cat("name ", request.user);
}

void resolve_model(const Service& service, ChatRequest& request) {
  Result<std::string> name = service.resolve(request.asked);
  if (name.ok()) {
    request.model = *name;
    return;
  }
  const bool chat = request.asked == "deepseek-chat", reasoner = request.asked == "deepseek-reasoner";
  if (!chat && !reasoner && request.asked.rfind("deepseek-", 0) != 0) throw api_error(name.error());
  request.model = service.resolve("").value();
  if ((chat || reasoner) && !request.think) request.think = reasoner;
  request.warnings.push_back(cat("model: ", request.asked, " is answered by ", request.model));
}

void with_model(Service& service, const std::string& name, const Reply& reply, std::function<void(Model&)> then) {
  service.post([&service, name, reply, then = std::move(then)] {
    service.with_model(name, [reply, then](Result<Model*> model) {
      try {
        then(*model.value());
      } catch (const ApiError& error) {
        send_error(reply, error);
      } catch (const Error& error) {
        send_error(reply, api_error(error));
      }
    });
  });
}

void add_chat_routes(Router& router, Api& api) {
  for (const char* base : {"/v1", "", "/beta"}) {
    const Dialect dialect = std::string(base) == "/v1" ? Dialect::openai : Dialect::deepseek;
    router.add({"POST", cat(base, "/chat/completions"), "the next message of a conversation",
                [&api, dialect](const HttpRequest& http, const PathParts&, const Reply& reply) {
                  chat(api, dialect, http, reply);
                }});
    router.add({"POST", cat(base, "/chat/completions/{id}/control"), "ends a running chat or its thought",
                [&api](const HttpRequest& http, const PathParts& parts, const Reply& reply) {
                  control(api, http, parts, reply);
                }});
  }
}

}  // namespace jevons
