// Server: service, routes and HTTP put together; what `jevons serve` runs.
#pragma once
#include <memory>
#include <string>

#include "serve/api/routes.h"
#include "serve/guard.h"
#include "serve/history/routes.h"
#include "serve/http/http.h"

namespace jevons {

struct ServerOptions {
  ServiceOptions service;
  HttpOptions http;
  GuardOptions guard;               // its host is the one listened at
  std::filesystem::path history{};  // file of the conversations; empty: in memory, nothing is written
  double drain_seconds = 20;        // that running answers may take after a signal
};

class Server {
 public:
  static Result<std::unique_ptr<Server>> create(ServerOptions options);
  int port() const { return http_->port(); }
  // Serves until a signal (base/interrupt.h) or stop(); lets running answers end.
  void run();
  void stop() { stopped_ = true; }
  const Router& router() const { return router_; }

 private:
  Server(ServerOptions options, Guard guard);
  ServerOptions options_;
  Guard guard_;
  Service service_;
  Api api_;
  Router router_;
  std::unique_ptr<HttpServer> http_;
  std::unique_ptr<History> history_;
  Worker history_worker_;
  std::atomic<bool> stopped_{false};
};

}  // namespace jevons
