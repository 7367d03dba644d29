// The served models, and the balance that DeepSeek's clients ask for.
#include "serve/api/routes.h"

namespace jevons {
namespace {

Json model_json(const ModelFacts& m) {
  Json out = Json::Object{{"id", m.name},
                          {"object", "model"},
                          {"created", static_cast<int64_t>(m.created)},
                          {"owned_by", "local"},
                          {"status", status_name(m.status)},
                          {"architecture", m.architecture},
                          {"context_window", m.context},
                          {"memory_bytes", m.memory},
                          {"bytes_per_token", m.read_per_token},
                          {"thinks", m.thinks}};
  if (!m.error.empty()) out["error"] = m.error;
  return out;
}

}  // namespace

void add_model_routes(Router& router, Api& api) {
  const auto list = [&api](const HttpRequest&, const PathParts&, const Reply& reply) {
    Json data = Json::array();
    for (const ModelFacts& m : api.service.models()) data.push_back(model_json(m));
    send_json(reply, Json::Object{{"object", "list"}, {"data", data}});
  };
  const auto one = [&api](const HttpRequest&, const PathParts& parts, const Reply& reply) {
    for (const ModelFacts& m : api.service.models())
      if (m.name == parts.at("id")) return send_json(reply, model_json(m));
    throw api_error(api.service.resolve(parts.at("id")).error());
  };
  for (const char* base : {"/v1", ""}) {
    router.add({"GET", std::string(base) + "/models", "the models of this server", list});
    router.add({"GET", std::string(base) + "/models/{id}", "one of them", one});
  }
  router.add({"GET", "/user/balance", "DeepSeek's balance: here everything is paid for",
              [](const HttpRequest&, const PathParts&, const Reply& reply) {
                const Json none = Json::Object{{"currency", "USD"},
                                               {"total_balance", "0.00"},
                                               {"granted_balance", "0.00"},
                                               {"topped_up_balance", "0.00"}};
                send_json(reply, Json::Object{{"is_available", true}, {"balance_infos", Json::Array{none}}});
              }});
}

}  // namespace jevons
