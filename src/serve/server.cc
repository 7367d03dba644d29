#include "serve/server.h"

#include <ctime>
#include <thread>

#include "base/interrupt.h"
#include "base/progress.h"
#include "base/sha256.h"
#include "base/strings.h"
#include "serve/web/web_files.h"
#include "serve/web/web_routes.h"

namespace jevons {

Server::Server(ServerOptions options, Guard guard)
    : options_(std::move(options)), guard_(std::move(guard)), service_(options_.service), api_(service_) {
  api_.started = static_cast<double>(std::time(nullptr));
  add_web_routes(router_);
  add_chat_routes(router_, api_);
  add_completion_routes(router_, api_);
  add_response_routes(router_, api_);
  add_embedding_routes(router_, api_);
  add_anthropic_routes(router_, api_);
  add_ollama_routes(router_, api_);
  add_model_routes(router_, api_);
  add_text_routes(router_, api_);
  add_status_routes(router_, api_);
  router_.add({"POST", "/session", "the key of the page, for a cookie that stands for it",
               [this](const HttpRequest&, const PathParts&, const Reply& reply) {
                 HttpHeaders headers;
                 if (const std::string cookie = guard_.set_cookie(); !cookie.empty())
                   headers.push_back({"set-cookie", cookie});
                 reply.send(204, std::move(headers), {});
               }});
}

Result<std::unique_ptr<Server>> Server::create(ServerOptions options) {
  options.guard.host = options.http.host;
  options.guard.open = [](const HttpRequest& request) {
    return request.path == "/health" || find_web_file(request.path) != nullptr;
  };
  for (const auto& header : security_headers()) options.http.headers.push_back(header);
  JEVONS_TRY(Guard guard, Guard::make(options.guard));
  if (!options.guard.api_key.empty()) {
    Sha256 realm;
    realm.update(cat("prefixes of ", options.guard.api_key));
    options.service.prefix_realm = realm.hex();
  }
  std::unique_ptr<Server> server(new Server(std::move(options), std::move(guard)));
  server->options_.http.admit = [s = server.get()](const HttpRequest& request) {
    HttpVerdict verdict = s->guard_.check(request, s->http_->port());
    verdict.body_bytes = history_body_bytes(request);
    return verdict;
  };
  JEVONS_TRY(server->history_, History::open(server->options_.history));
  add_history_routes(server->router_, *server->history_, server->history_worker_);
  JEVONS_TRY(server->http_,
             HttpServer::listen(server->options_.http, [s = server.get()](const HttpRequest& request, Reply reply) {
               s->router_.handle(request, reply);
               // What is deleted from the history is not to live on in what was computed from it.
               if (request.method == "DELETE" && request.path.starts_with("/history"))
                 s->service_.post([s] { s->service_.forget_prefixes(); });
             }));
  return server;
}

void Server::run() {
  // The default model is loaded at once, so that the first question need not wait for it.
  service_.post([this] {
    service_.with_model(service_.resolve("").value(), [](Result<Model*> model) {
      if (!model.ok()) note("the default model cannot be loaded: " + model.error().message());
    });
  });
  std::thread io([this] { http_->run(); });
  while (!interrupted() && !stopped_) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  if (service_.counts().running + service_.counts().waiting > 0)
    note("ending: running answers are finished first; Ctrl-C again ends at once");
  service_.drain(options_.drain_seconds);
  http_->stop(2);
  io.join();
}

}  // namespace jevons
