// The routes of all APIs. Each function adds those of one file; they keep references to `api`, which must outlive the
// router.
#pragma once
#include "serve/api/chat_run.h"
#include "serve/api/response_request.h"
#include "serve/router.h"
#include "serve/service.h"

namespace jevons {

struct Api {
  explicit Api(Service& s) : service(s) {}
  Service& service;
  ActiveChats active;
  ResponseStore responses;
  double started = 0;  // seconds since 1970
};

void add_chat_routes(Router& router, Api& api);  // /v1/chat/completions, /chat/completions, /beta/...: chat_routes.cc
void add_completion_routes(Router& router, Api& api);  // /v1/completions, /completions, /beta/completions
void add_embedding_routes(Router& router, Api& api);   // /v1/embeddings, /embeddings
void add_response_routes(Router& router, Api& api);    // /v1/responses, /responses
void add_anthropic_routes(Router& router, Api& api);   // /v1/messages, /anthropic/v1/messages
void add_ollama_routes(Router& router, Api& api);      // /api/chat, /api/generate, /api/tags, ...
void add_model_routes(Router& router, Api& api);       // /v1/models, /models, /user/balance: model_routes.cc
void add_text_routes(Router& router, Api& api);        // /tokenize, /detokenize, /apply-template, /tokenizer_info
void add_status_routes(Router& router, Api& api);      // /health, /metrics, /openapi.json

// Each reads the body of a request as its route does, and throws what the route would answer. Given a recorder (Fields
// without a body) they tell what they read, in the order of the documentation.
void read_chat_body(Fields& f);
void read_completion_body(Fields& f);
void read_response_body(Fields& f);
void read_embedding_body(Fields& f);
void read_messages_body(Fields& f);
void read_ollama_chat_body(Fields& f);
void read_ollama_generate_body(Fields& f);
struct ApiBody {
  const char* path;  // "/v1/..." stands for the same under the other bases, too
  void (*read)(Fields&);
};
const std::vector<ApiBody>& api_bodies();
// docs/api-table.md: every route, and every parameter with what becomes of it.
std::string api_table(const Router& router);

// The request's place among those that wait; refuses it if the queue is full or the server is ending.
std::shared_ptr<void> take_place(Service& service);
// Who asks: the user that the client names, else its address. A name never stands for an address.
void name_user(ChatRequest& request, const HttpRequest& http);
// The served model that the client means, with the thinking switch of DeepSeek's old names (deepseek-chat,
// deepseek-reasoner). Throws ApiError{404}.
void resolve_model(const Service& service, ChatRequest& request);
// Runs `then` on the service's thread with the loaded model; what it throws, and a model that cannot be loaded, is the
// reply.
void with_model(Service& service, const std::string& name, const Reply& reply, std::function<void(Model&)> then);

}  // namespace jevons
