#include "serve/history/routes.h"

#include <gtest/gtest.h>

#include "base/strings.h"
#include "serve/http/client_testing.h"

namespace jevons {
namespace {

class HistoryRoutes : public testing::Test {
 protected:
  HistoryRoutes() { add_history_routes(router_, *history_, worker_); }

  std::string raw(std::string_view method, std::string_view path, std::string_view body = {}) {
    RawClient client(server_.port());
    client.send(cat(method, " ", path, " HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-length: ", body.size(),
                    "\r\n\r\n", body));
    return client.read_all();
  }
  Json ask(std::string_view method, std::string_view path, std::string_view body = {}, int status = 200) {
    const auto reply = raw(method, path, body);
    EXPECT_EQ(reply.substr(9, 3), cat(status)) << method << " " << path << ": " << reply;
    const auto at = reply.find("\r\n\r\n") + 4;
    return at < reply.size() ? Json::parse(reply.substr(at)).value() : Json();
  }

  std::unique_ptr<History> history_ = History::open({}).value();
  Worker worker_;
  Router router_;
  RunningServer server_{[this](const HttpRequest& request, const Reply& reply) { router_.handle(request, reply); }};
};

TEST_F(HistoryRoutes, AConversationFromBeginningToEnd) {
  EXPECT_EQ(ask("GET", "/history").at("conversations").size(), 0u);
  const auto id = ask("POST", "/history", R"({"title":"T","model":"m","settings":{"a":1}})", 201).at("id").as_string();
  const auto at = "/history/" + id;
  const auto question = ask("POST", at + "/messages", R"({"parent":null,"role":"user","content":"why blue?"})", 201);
  const auto answer =
      ask("POST", at + "/messages",
          cat(R"({"role":"assistant","content":"Rayleigh","reasoning_content":"hm","finish_reason":"stop",)",
              R"("usage":{"total_tokens":3},"trace":{"answer":[]},"parent":")", question.at("id").as_string(), "\"}"),
          201);
  const auto whole = ask("GET", at);
  EXPECT_EQ(whole.at("head"), answer.at("id"));
  EXPECT_EQ(whole.at("messages").size(), 2u);
  EXPECT_EQ(whole.at("messages").as_array()[1].at("reasoning_content").as_string(), "hm");
  EXPECT_EQ(ask("GET", "/history?q=rayleigh&limit=5").at("conversations").as_array().at(0).at("snippet").as_string(),
            "Rayleigh");
  EXPECT_EQ(ask("GET", "/history?q=nothing").at("conversations").size(), 0u);
  EXPECT_EQ(
      ask("PATCH", at, cat(R"({"title":"U","pinned":true,"head":")", question.at("id").as_string(), "\"}")).at("head"),
      question.at("id"));
  const auto exported = raw("GET", "/history/export");
  const auto line =
      exported.substr(exported.find("{\"format\""), exported.rfind("}\n") - exported.find("{\"format\"") + 2);
  EXPECT_EQ(raw("DELETE", at).substr(9, 3), "204");
  ask("GET", at, {}, 404);
  EXPECT_EQ(ask("POST", "/history/import", line).at("messages").as_int(), 2);
  EXPECT_EQ(ask("GET", at).at("head"), question.at("id"));
}

TEST_F(HistoryRoutes, WhatIsWrongIsNamed) {
  const auto id = ask("POST", "/history", "{}", 201).at("id").as_string();
  const auto error = [&](std::string_view method, std::string path, std::string_view body, int status) {
    return ask(method, path, body, status).at("error").at("param");
  };
  EXPECT_EQ(error("GET", "/history?limit=x", "", 400), Json("limit"));
  EXPECT_EQ(error("POST", "/history", R"({"title":5})", 400), Json("title"));
  EXPECT_EQ(error("POST", "/history", R"({"colour":5})", 400), Json("colour"));
  EXPECT_EQ(error("POST", "/history/none/messages", R"({"role":"user"})", 404), Json("id"));
  EXPECT_EQ(error("POST", "/history/" + id + "/messages", R"({"role":"king"})", 400), Json("role"));
  EXPECT_EQ(error("POST", "/history/" + id + "/messages", R"({"role":"user","parent":"x"})", 400), Json("parent"));
  EXPECT_EQ(error("PATCH", "/history/" + id, R"({"head":"x"})", 400), Json("head"));
  EXPECT_EQ(error("PATCH", "/history/none", "{}", 404), Json("id"));
  EXPECT_EQ(error("DELETE", "/history/none", "", 404), Json("id"));
  ask("POST", "/history/import", "{}", 400);
  ask("POST", "/history", "[1]", 400);
  ask("POST", "/history", std::string(100000, '['), 400);
}

}  // namespace
}  // namespace jevons
