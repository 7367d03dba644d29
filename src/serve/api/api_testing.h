// For tests of the routes: a service with a tiny random model whose template knows thoughts, and calls without network.
#pragma once
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "base/clock.h"
#include "serve/api/memory_reply.h"
#include "serve/api/routes.h"

namespace jevons {

class ApiTest : public testing::Test {
 protected:
  ApiTest() { reset({}); }
  ~ApiTest() override {
    service_.reset();
    std::filesystem::remove_all(folder_);
  }

  void reset(ServiceOptions options) {
    if (folder_.empty()) make_models();
    for (const char* name : {"tiny", "other"}) options.models.push_back({name, folder_ / name / "model.gguf"});
    options.model.threads = 1;
    service_ = std::make_unique<Service>(std::move(options));
    api_ = std::make_unique<Api>(*service_);
    router_ = std::make_unique<Router>();
    add_chat_routes(*router_, *api_);
    add_completion_routes(*router_, *api_);
    add_response_routes(*router_, *api_);
    add_embedding_routes(*router_, *api_);
    add_anthropic_routes(*router_, *api_);
    add_ollama_routes(*router_, *api_);
    add_model_routes(*router_, *api_);
    add_text_routes(*router_, *api_);
    add_status_routes(*router_, *api_);
  }

  std::shared_ptr<MemoryExchange> start(const std::string& method, const std::string& path,
                                        const std::string& body = {}) {
    const auto exchange = std::make_shared<MemoryExchange>();
    HttpRequest request{
        .id = "r", .method = method, .path = path, .query = {}, .headers = {}, .body = body, .peer = "p"};
    router_->handle(request, Reply(exchange));
    return exchange;
  }
  struct Answer {
    int status;
    std::string text;
    Json json;
  };
  Answer call(const std::string& method, const std::string& path, const std::string& body = {}) {
    const auto exchange = start(method, path, body);
    exchange->wait();
    Result<Json> json = Json::parse(exchange->body());
    return {exchange->status(), exchange->body(), json.ok() ? *json : Json()};
  }
  Answer post(const std::string& path, const std::string& body) { return call("POST", path, body); }
  // A body of one user message, with more members.
  static std::string chat(const std::string& more = {}, const std::string& text = "hello") {
    return R"({"messages":[{"role":"user","content":")" + text + "\"}]" + (more.empty() ? "" : "," + more) + "}";
  }
  // The JSON values of a stream's events, without the final [DONE].
  static std::vector<Json> events(const std::string& stream) {
    std::vector<Json> out;
    for (size_t at = 0; (at = stream.find("data: ", at)) != std::string::npos;) {
      const size_t end = stream.find("\n\n", at);
      const std::string data = stream.substr(at + 6, end - at - 6);
      if (data != "[DONE]") out.push_back(Json::parse(data).value());
      at = end;
    }
    return out;
  }
  // Keeps the service's thread from when it comes here until go(): what is posted meanwhile waits.
  struct Hold {
    std::promise<void> reached, released;
    void wait() { reached.get_future().wait(); }
    void go() { released.set_value(); }
  };
  std::shared_ptr<Hold> hold() {
    auto h = std::make_shared<Hold>();
    service_->post([h] {
      h->reached.set_value();
      h->released.get_future().wait();
    });
    return h;
  }
  // A request that has begun but not made a step; `held` is where the service's thread stands.
  std::shared_ptr<MemoryExchange> begin(const std::string& body, std::shared_ptr<Hold>& held) {
    const auto before = hold();
    before->wait();
    auto exchange = start("POST", "/v1/chat/completions", body);
    held = hold();
    before->go();
    held->wait();
    return exchange;
  }
  // Waits until nothing runs any more; the seconds it took.
  double until_idle() {
    const double begin = now_seconds();
    while (service_->counts().running + service_->counts().waiting > 0 && now_seconds() < begin + 10)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return now_seconds() - begin;
  }

  std::filesystem::path folder_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<Api> api_;
  std::unique_ptr<Router> router_;

 private:
  void make_models() {
    std::string pattern = (std::filesystem::temp_directory_path() / "jevons-api-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    const std::filesystem::path golden = std::filesystem::path(JEVONS_SOURCE_DIR) / "tests/golden/gguf/llama_f16.gguf";
    for (const char* name : {"tiny", "other"}) {
      std::filesystem::create_directories(folder_ / name);
      std::filesystem::copy_file(golden, folder_ / name / "model.gguf");
      std::ofstream(folder_ / name / "chat_template.jinja")
          << "{% for m in messages %}[{{ m.role }}]{{ m.content }}\n{% endfor %}[assistant]"
             "{% if enable_thinking is not defined or enable_thinking %}<think>\n{% endif %}";
    }
  }
};

}  // namespace jevons
