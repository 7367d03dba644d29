// OpenAI's Responses API: made, fetched, deleted, counted. The last ones are kept in memory, never on disk.
#include "base/strings.h"
#include "serve/api/response_sink.h"
#include "serve/api/routes.h"

namespace jevons {
namespace {

void respond(Api& api, int bad_value, const HttpRequest& http, const Reply& reply) {
  api.service.post([&api, bad_value, http, reply, place = take_place(api.service)]() mutable {
    try {
      const Json body = json_body(http);
      Fields fields(body, bad_value);
      ResponseRequest request = parse_response(fields, api.responses);
      resolve_model(api.service, request.chat);
      name_user(request.chat, http);
      ChatRequest chat = std::move(request.chat);
      chat.place = std::move(place);
      const std::string id = "resp_" + new_uuid();
      run_chat(api.service, api.active, id, std::move(chat), reply,
               response_sink(id, std::move(request), api.responses, reply));
    } catch (const ApiError& error) {
      send_error(reply, error);
    } catch (const Error& error) {
      send_error(reply, api_error(error));
    }
  });
}

void count_input(Api& api, int bad_value, const HttpRequest& http, const Reply& reply) {
  const Json body = json_body(http);
  Fields fields(body, bad_value);
  ChatRequest request = parse_response(fields, api.responses).chat;
  resolve_model(api.service, request);
  with_model(api.service, request.model, reply, [request, reply](Model& model) {
    const auto ids = model.tokenizer().encode(render_prompt(request, model), {.parse_special = true, .add_bos = false});
    send_json(reply, Json::Object{{"object", "response.input_tokens"}, {"input_tokens", ids.size()}});
  });
}

[[noreturn]] void unknown(const std::string& id) {
  throw ApiError(404, cat("there is no response ", quote(id, 80), "; the newest are kept until the server ends"),
                 "not_found");
}

void fetch(Api& api, const HttpRequest& http, const std::string& id, const Reply& reply) {
  if (http.parameter("stream") == "true")
    throw ApiError(400, "'stream' is for responses that are being made; this one is there as a whole",
                   "unsupported_parameter", "stream");
  const auto found = api.responses.find(id);
  if (!found) unknown(id);
  send_json(reply, found->response);
}

void remove(Api& api, const std::string& id, const Reply& reply) {
  if (!api.responses.remove(id)) unknown(id);
  send_json(reply, Json::Object{{"id", id}, {"object", "response"}, {"deleted", true}});
}

}  // namespace

void read_response_body(Fields& f) { parse_response(f, ResponseStore{}); }

void add_response_routes(Router& router, Api& api) {
  for (const char* base : {"/v1", ""}) {
    const int bad_value = *base ? 400 : 422;
    router.add({"POST", cat(base, "/responses"), "the answer to an input, in OpenAI's newer form",
                [&api, bad_value](const HttpRequest& http, const PathParts&, const Reply& reply) {
                  respond(api, bad_value, http, reply);
                }});
    router.add({"POST", cat(base, "/responses/input_tokens"), "the tokens of its prompt",
                [&api, bad_value](const HttpRequest& http, const PathParts&, const Reply& reply) {
                  count_input(api, bad_value, http, reply);
                }});
    router.add({"GET", cat(base, "/responses/{id}"), "a stored response",
                [&api](const HttpRequest& http, const PathParts& parts, const Reply& reply) {
                  fetch(api, http, parts.at("id"), reply);
                }});
    router.add({"DELETE", cat(base, "/responses/{id}"), "forgets it",
                [&api](const HttpRequest&, const PathParts& parts, const Reply& reply) {
                  remove(api, parts.at("id"), reply);
                }});
  }
}

}  // namespace jevons
