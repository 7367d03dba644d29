// jevons serve: the chat page and the APIs on this machine.
#include <cstdlib>

#include "base/progress.h"
#include "base/strings.h"
#include "cli/model_flags.h"
#include "cli/output.h"
#include "cli/store.h"
#include "serve/server.h"

namespace jevons {
namespace {

struct Options {
  std::vector<std::string> models;
  ModelFlags model;
  std::string host = "127.0.0.1", api_key;
  std::vector<std::string> allowed_hosts;
  int port = 8080;
  int slots = 16, queue = 64, cache_contexts = 4;
  double memory_limit = 0, keep_alive = 0;
  bool ephemeral = false;
  std::string prefix_cache = "1GB";
};

// The named models first; without names, the default model and everything else in the store.
std::vector<ServedModel> served_models(const std::vector<std::string>& names) {
  std::vector<ServedModel> out;
  const auto add = [&](const std::string& name, const std::filesystem::path& path) {
    for (const ServedModel& m : out)
      if (m.name == name) return;
    out.push_back({name, path});
  };
  for (const std::string& name : names) {
    const std::filesystem::path path = resolve_model(name).value();
    std::filesystem::path last = std::filesystem::path(name);
    if (last.filename().empty()) last = last.parent_path();
    add(last.extension() == ".gguf" ? last.stem().string() : last.filename().string(), path);
  }
  if (!names.empty()) return out;
  const std::filesystem::path path = resolve_model("").value();
  add(std::string(kDefaultModel), path);
  for (const StoredModel& stored : stored_models()) add(stored.name, stored.path);
  return out;
}

// "500MB", "2GB", "off": bytes, 0 for off.
int64_t parse_size(const std::string& text) {
  if (text == "off") return 0;
  constexpr std::pair<const char*, double> kUnits[] = {{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}};
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  for (const auto& [unit, factor] : kUnits)
    if (end != text.c_str() && unit == std::string_view(end) && number > 0 && number * factor < 1e18)
      return static_cast<int64_t>(number * factor);
  throw Error(Code::usage, cat("--prefix-cache is ", quote(text), "; expected a size like 500MB or 2GB, or off"));
}

int run(const Options& o, const Common& common) {
  ServerOptions options;
  options.service.models = served_models(o.models);
  options.service.model = options_from(o.model, common);
  options.service.model.cache_contexts = o.cache_contexts;
  options.service.memory_limit = static_cast<int64_t>(o.memory_limit * 1e9);
  options.service.slots = o.slots;
  options.service.queue = o.queue;
  options.service.keep_alive = o.keep_alive;
  options.http.host = o.host;
  options.guard.allowed_hosts = o.allowed_hosts;
  options.guard.api_key = o.api_key;
  if (o.api_key.empty() && !is_loopback(o.host)) options.guard.api_key = generate_key();
  const std::string key = options.guard.api_key;
  options.http.port = o.port;
  options.service.prefix_bytes = parse_size(o.prefix_cache);
  if (!o.ephemeral && options.service.prefix_bytes > 0) options.service.prefix_folder = store_root() / "cache/prefix";
  if (!o.ephemeral) options.history = store_root() / "history.db";
  std::unique_ptr<Server> server = Server::create(std::move(options)).value();
  const std::string url = cat("http://", o.host, ":", server->port());
  const std::string page = key.empty() ? url : cat(url, "/#k=", key);
  if (common.json)
    print_json(Json::Object{{"url", url}, {"page", page}, {"port", server->port()}});
  else
    print(cat("Chat page   ", page, "\nAPIs        ", url, "/v1 (OpenAI), ", url, " (DeepSeek, Anthropic, Ollama)\n",
              key.empty() ? "" : cat("Key         ", key, "\n"), "Ctrl-C ends it.\n"));
  std::fflush(stdout);
  server->run();
  return 0;
}

}  // namespace

Command serve_command() {
  auto o = std::make_shared<Options>();
  std::vector<Option> options = {
      {"MODEL", &o->models,
       "names, folders or files; the first is the default. Without: the default model and the store"},
      {"--host", &o->host, "address to listen at; one that others reach needs a key"},
      {"--api-key", &o->api_key, "key that every request must bring; made and shown for addresses that others reach"},
      {"--allow-host", &o->allowed_hosts, "another name under which this server is reached; may be repeated"},
      {"--port", &o->port, "port; 0: any free one", {.min = 0, .max = 65535}},
      {"--ephemeral", &o->ephemeral, "keeps conversations and prefixes in memory only; nothing of them is written"},
      {"--prefix-cache",
       &o->prefix_cache,
       "disk space for prompts already read, so that chats go on at once after a restart; off: none",
       {.value = "SIZE"}},
      {"--slots", &o->slots, "answers of a model that are made at once", {.min = 1, .max = 256}},
      {"--queue", &o->queue, "requests that may wait; more are refused with 429", {.min = 1}},
      {"--cache-contexts",
       &o->cache_contexts,
       "how many full contexts the cache of a model holds, for chats side by side and prompts seen before",
       {.min = 1, .max = 1024}},
      {"--memory-limit", &o->memory_limit, "gigabytes for all models together; 0: what is free", {.min = 0}},
      {"--keep-alive", &o->keep_alive, "seconds after which an idle model is unloaded; 0: never", {.min = 0}}};
  for (Option& option : model_options(o->model)) options.push_back(std::move(option));
  return {.name = "serve",
          .summary = "the chat page and the OpenAI, DeepSeek and Anthropic APIs on this machine",
          .options = std::move(options),
          .examples = {"jevons serve", "jevons serve --port 9000 ./DeepSeek-R1-Distill-Qwen-1.5B",
                       "jevons serve --host 0.0.0.0 --api-key CHOOSE-A-LONG-ONE"},
          .run = [o](const Common& common) { return run(*o, common); }};
}

}  // namespace jevons
