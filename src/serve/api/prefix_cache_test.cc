// Prefixes of prompts across requests, users and restarts, as clients and operators see them.
#include "serve/api/api_testing.h"

namespace jevons {
namespace {

class PrefixCacheTest : public ApiTest {
 protected:
  PrefixCacheTest() { restart(); }
  ~PrefixCacheTest() override { service_.reset(); }

  void restart(int64_t bytes = 1 << 30) {
    service_.reset();
    ServiceOptions options;
    options.prefix_folder = folder_ / "prefix";
    options.prefix_bytes = bytes;
    options.model.cache_contexts = 8;  // room for what a test asks
    reset(std::move(options));
  }
  // An answer to a prompt of some 340 tokens.
  Answer ask(const std::string& more = {}) {
    const Answer a =
        post("/chat/completions",
             chat(R"("max_tokens":24,"temperature":1,"seed":5,"ignore_eos":true,"thinking":{"type":"disabled"})" + more,
                  std::string(320, 'x')));
    EXPECT_EQ(a.status, 200) << a.text;
    return a;
  }
  static int64_t hit(const Answer& a) {
    const Json& usage = a.json.at("usage");
    const int64_t hit = usage.at("prompt_cache_hit_tokens").as_int();
    EXPECT_EQ(usage.at("prompt_tokens_details").at("cached_tokens").as_int(), hit);
    EXPECT_EQ(usage.at("prompt_cache_miss_tokens").as_int() + hit, usage.at("prompt_tokens").as_int());
    return hit;
  }
  static std::string text(const Answer& a) {
    return a.json.at("choices").as_array().at(0).at("message").at("content").as_string();
  }
  int64_t metric(const std::string& name) {
    const std::string all = "\n" + call("GET", "/metrics").text;
    const size_t at = all.find("\n" + name + " ");
    return at == std::string::npos ? -1 : std::stoll(all.substr(at + name.size() + 2));
  }
};

TEST_F(PrefixCacheTest, HitsAreCountedToTheTokenAcrossARestart) {
  const Answer first = ask(), second = ask();
  const int64_t prompt = first.json.at("usage").at("prompt_tokens").as_int();
  const int64_t whole = (prompt - 1) / 64 * 64;
  ASSERT_GE(whole, 256);
  EXPECT_EQ(hit(first), 0);
  EXPECT_EQ(hit(second), whole);
  EXPECT_EQ(text(second), text(first));
  EXPECT_EQ(metric("jevons_prompt_tokens_read_total{source=\"computed\"}"), 2 * prompt - whole);
  EXPECT_EQ(metric("jevons_prompt_tokens_read_total{source=\"memory\"}"), whole);
  EXPECT_EQ(metric("jevons_prompt_tokens_read_total{source=\"disk\"}"), 0);

  restart();
  const Answer third = ask();
  EXPECT_EQ(hit(third), whole);
  EXPECT_EQ(text(third), text(first));
  EXPECT_EQ(third.json.at("timings").at("cache_disk_n").as_int(), whole);
  EXPECT_EQ(metric("jevons_prompt_tokens_read_total{source=\"computed\"}"), prompt - whole);
  EXPECT_EQ(metric("jevons_prompt_tokens_read_total{source=\"memory\"}"), 0);
  EXPECT_EQ(metric("jevons_prompt_tokens_read_total{source=\"disk\"}"), whole);
  EXPECT_EQ(metric("jevons_prefix_files_read_total"), whole / 64);
  EXPECT_EQ(metric("jevons_prompt_tokens_cached_total"), whole);
}

TEST_F(PrefixCacheTest, AnUnloadedModelFindsItsPrefixesAgain) {
  ask();
  std::promise<void> unloaded;
  service_->post([&] {
    service_->unload("tiny");
    unloaded.set_value();
  });
  unloaded.get_future().wait();
  EXPECT_EQ(service_->counts().unloads, 1);
  EXPECT_GE(hit(ask()), 256);
}

TEST_F(PrefixCacheTest, AUserSeesNothingOfAnothers) {
  ask();
  ask(R"(,"user_id":"anna")");
  // Names and addresses do not meet either: "p" is the address of the test's client.
  for (int round = 0; round < 2; ++round) {
    EXPECT_GE(hit(ask()), 256);
    EXPECT_GE(hit(ask(R"(,"user_id":"anna")")), 256);
    EXPECT_EQ(hit(ask(R"(,"user_id":"bert)" + std::to_string(round) + "\"")), 0);
    EXPECT_EQ(hit(ask(round == 0 ? R"(,"user_id":"p")" : R"(,"user_id":"address p")")), 0);
    restart();
  }
}

TEST_F(PrefixCacheTest, AnotherKeyOfTheServerIsAnotherRealm) {
  ask();
  service_.reset();
  ServiceOptions options;
  options.prefix_folder = folder_ / "prefix";
  options.prefix_realm = "another key";
  reset(std::move(options));
  EXPECT_EQ(hit(ask()), 0);
}

TEST_F(PrefixCacheTest, CanBeCleared) {
  ask();
  EXPECT_EQ(call("DELETE", "/prefix-cache").status, 204);
  EXPECT_EQ(hit(ask()), 0);
  EXPECT_GE(hit(ask()), 256);
  EXPECT_EQ(call("DELETE", "/prefix-cache").status, 204);
  restart();
  EXPECT_TRUE(!std::filesystem::exists(folder_ / "prefix") || std::filesystem::is_empty(folder_ / "prefix"));
  EXPECT_EQ(hit(ask()), 0);
}

TEST_F(PrefixCacheTest, AFolderThatCannotBeWrittenCostsNoAnswer) {
  const std::string expected = text(ask());
  service_.reset();
  std::filesystem::remove_all(folder_ / "prefix");
  std::ofstream(folder_ / "prefix") << "a file";
  restart();
  EXPECT_EQ(text(ask()), expected);
  EXPECT_GE(hit(ask()), 256);  // from memory
  const double until = now_seconds() + 20;
  while (metric("jevons_prefix_files_failed_total") == 0 && now_seconds() < until)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_GT(metric("jevons_prefix_files_failed_total"), 0);
}

}  // namespace
}  // namespace jevons
