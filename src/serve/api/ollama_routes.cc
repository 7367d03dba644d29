// Ollama's API for its many clients: https://github.com/ollama/ollama/blob/main/docs/api.md. Streams are one JSON
// object a line and are the default; the thought comes as message.thinking. Durations are nanoseconds.
#include <ctime>

#include "base/clock.h"
#include "base/strings.h"
#include "serve/api/chat_run.h"
#include "serve/api/routes.h"

namespace jevons {
namespace {

std::string iso_time(double seconds) {
  const auto whole = static_cast<std::time_t>(seconds);
  std::tm parts{};
  gmtime_r(&whole, &parts);
  char text[40];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}
std::string now_text() { return iso_time(static_cast<double>(std::time(nullptr))); }

// {"error": "..."}
void send_ollama_error(const Reply& reply, const ApiError& error) {
  reply.send(error.status, {{"content-type", "application/json"}}, Json(Json::Object{{"error", error.message}}).dump());
}

// Clients add ":latest" to names.
std::string plain_name(std::string name) {
  if (name.ends_with(":latest")) name.resize(name.size() - 7);
  return name;
}

void read_options(ChatRequest& r, const Json& options) {
  Fields f(options);
  read_sampling(r, f);
  if (const auto penalty = f.number("repeat_penalty", 0.01, 10, "")) r.repetition_penalty = penalty;
  if (const auto n = f.integer("num_predict", -2, int64_t{1} << 40, ""); n && *n > 0) r.max_tokens = n;
  r.stop = f.texts("stop", 16, "");
  f.without_effect("num_ctx", "the context is what the server was started with");
  f.finish();
  for (const std::string& w : f.warnings()) r.warnings.push_back("options." + w);
}

ChatRequest parse_ollama(Fields& f, bool chat) {
  ChatRequest r;
  r.asked = plain_name(f.text("model", "name of the model").value_or(""));
  if (chat) {
    const Json* messages = f.value("messages", "array", "the conversation");
    if (!messages && !f.recording()) f.wrong("messages", "is missing");
    if (messages) r.messages = plain_messages(*messages, "messages");
    if (const Json* tools = f.value("tools", "array", "functions the model may call"); tools && tools->size() > 0) {
      check_tools(*tools, f);
      r.tools = *tools;
    }
  } else {
    r.messages = Json::array();
    if (const auto system = f.text("system", "system message"))
      r.messages.push_back(Json::Object{{"role", "system"}, {"content", *system}});
    const auto prompt = f.text("prompt", "the question");
    r.messages.push_back(Json::Object{{"role", "user"}, {"content", prompt.value_or("")}});
    f.refuse("raw", "is not supported here; /v1/completions continues plain text", Json(false));
    f.refuse("suffix", "is not supported here; /beta/completions fills in the middle", Json(""));
    f.refuse("images", "cannot be read: the model sees only text", Json::array());
    f.without_effect("template", "the model's own template is used");
    f.without_effect("context", "the prefix cache finds what was read before");
  }
  r.stream = f.boolean("stream", "one object a line; default true").value_or(true);
  if (const Json* think = f.value("think", "boolean or string", "whether, or how long, to think")) {
    if (think->is_bool())
      r.think = think->as_bool();
    else if (const auto effort = f.choice("think", {"low", "medium", "high"}, ""))
      apply_effort(r, *effort);
  }
  if (const Json* options =
          f.value("options", "object", "temperature, top_k, top_p, min_p, seed, num_predict, stop, ..."))
    read_options(r, *options);
  if (const Json* format = f.value("format", "string or object", "json, or a JSON Schema that the answer must fit");
      format && !(format->is_string() && format->as_string().empty())) {
    if (format->is_string() && format->as_string() == "json")
      r.shape.kind = AnswerShape::Kind::json_object;
    else
      read_schema(r.shape, *format, "format");
  }
  f.without_effect("keep_alive", "models stay as the server was told");
  f.finish();
  for (const std::string& w : f.warnings()) r.warnings.push_back(w);
  return r;
}

class OllamaSink : public ChatSink {
 public:
  OllamaSink(bool chat, Reply reply) : chat_(chat), reply_(std::move(reply)) {}

  void begin(const ChatRequest& request, const PreparedChat&, const Model&) override {
    name_ = request.asked.empty() ? request.model : request.asked;
    stream_ = request.stream;
    warnings_ = request.warnings;
    if (!stream_) return;
    reply_.start(200, {{"content-type", "application/x-ndjson"}});
    started_ = true;
  }
  void piece(int64_t, const Piece& piece) override {
    if (stream_ && !(piece.text.empty() && piece.reasoning.empty()))
      reply_.write(part(std::string(piece.text), std::string(piece.reasoning)).dump() + "\n");
  }
  void choice_end(int64_t, const Generated& result) override { result_ = result; }
  // Calls come whole, before the last line.
  Json calls_json() const {
    Json out = Json::array();
    for (const ToolCall& call : result_.calls) {
      Result<Json> arguments = Json::parse(call.arguments);
      out.push_back(
          Json::Object{{"function", Json::Object{{"name", call.name},
                                                 {"arguments", arguments.ok() ? *arguments : Json(call.arguments)}}}});
    }
    return out;
  }
  void end(const ChatTimings& timings) override {
    const Generated& g = result_;
    if (stream_ && !g.calls.empty()) {
      Json line = part("", "");
      line["message"]["tool_calls"] = calls_json();
      reply_.write(line.dump() + "\n");
    }
    Json out = stream_ ? part("", "") : part(g.text, g.reasoning);
    const auto nano = [](double seconds) { return static_cast<int64_t>(seconds * 1e9); };
    if (!stream_ && !g.calls.empty()) out["message"]["tool_calls"] = calls_json();
    out["done"] = true;
    out["done_reason"] = g.finish == Finish::length ? "length" : "stop";
    out["total_duration"] = nano(now_seconds() - start_);
    out["load_duration"] = nano(timings.load);
    out["prompt_eval_count"] = g.prompt_tokens;
    out["prompt_eval_duration"] = nano(g.prompt_seconds);
    out["eval_count"] = g.tokens.size();
    out["eval_duration"] = nano(g.seconds);
    if (!warnings_.empty()) {
      Json list = Json::array();
      for (const std::string& w : warnings_) list.push_back(w);
      out["warnings"] = list;
    }
    if (!stream_) return send_json(reply_, out);
    reply_.write(out.dump() + "\n");
    reply_.end();
  }
  void fail(const ApiError& error) override {
    if (!started_) return send_ollama_error(reply_, error);
    reply_.write(Json(Json::Object{{"error", error.message}}).dump() + "\n");
    reply_.end();
  }

 private:
  Json part(const std::string& text, const std::string& thought) const {
    Json out = Json::Object{{"model", name_}, {"created_at", now_text()}};
    if (chat_) {
      Json message = Json::Object{{"role", "assistant"}, {"content", text}};
      if (!thought.empty()) message["thinking"] = thought;
      out["message"] = message;
    } else {
      out["response"] = text;
      if (!thought.empty()) out["thinking"] = thought;
    }
    out["done"] = false;
    return out;
  }
  bool chat_;
  Reply reply_;
  std::string name_;
  std::vector<std::string> warnings_;
  bool stream_ = true, started_ = false;
  double start_ = now_seconds();
  Generated result_;
};

void generate(Api& api, bool chat, const HttpRequest& http, const Reply& reply) {
  api.service.post([&api, chat, http, reply, place = take_place(api.service)]() mutable {
    try {
      const Json body = json_body(http);
      Fields fields(body);
      ChatRequest request = parse_ollama(fields, chat);
      request.place = std::move(place);
      resolve_model(api.service, request);
      name_user(request, http);
      run_chat(api.service, api.active, http.id, std::move(request), reply, std::make_shared<OllamaSink>(chat, reply));
    } catch (const ApiError& error) {
      send_ollama_error(reply, error);
    } catch (const Error& error) {
      send_ollama_error(reply, api_error(error));
    }
  });
}

Json details(const ModelFacts& m) {
  return Json::Object{{"format", "jevons"},
                      {"family", m.architecture},
                      {"families", Json::Array{m.architecture}},
                      {"parameter_size", ""},
                      {"quantization_level", ""}};
}

void show(Api& api, const HttpRequest& http, const Reply& reply) {
  const Json body = json_body(http);
  Fields f(body);
  auto name = f.text("model", "name of the model");
  if (!name) name = f.text("name", "the same, in older clients");
  const std::string wanted = api.service.resolve(plain_name(name.value_or(""))).value();
  for (const ModelFacts& m : api.service.models()) {
    if (m.name != wanted) continue;
    Json capabilities = Json::Array{"completion"};
    if (m.thinks) capabilities.push_back("thinking");
    return send_json(reply, Json::Object{{"details", details(m)},
                                         {"model_info", Json::Object{{"general.architecture", m.architecture},
                                                                     {m.architecture + ".context_length", m.context}}},
                                         {"capabilities", capabilities},
                                         {"modified_at", iso_time(m.created)}});
  }
}

void list(Api& api, bool loaded, const Reply& reply) {
  Json models = Json::array();
  for (const ModelFacts& m : api.service.models()) {
    if (loaded && m.status != ModelStatus::loaded) continue;
    Json model = Json::Object{{"name", m.name},   {"model", m.name}, {"modified_at", iso_time(m.created)},
                              {"size", m.memory}, {"digest", ""},    {"details", details(m)}};
    if (loaded) model["size_vram"] = 0;
    if (loaded) model["context_length"] = m.context;
    models.push_back(model);
  }
  send_json(reply, Json::Object{{"models", models}});
}

}  // namespace

void read_ollama_chat_body(Fields& f) { parse_ollama(f, true); }
void read_ollama_generate_body(Fields& f) { parse_ollama(f, false); }

void add_ollama_routes(Router& router, Api& api) {
  const auto add = [&](const char* method, const char* path, const char* about, auto handler) {
    router.add({method, path, about, [handler](const HttpRequest& http, const PathParts&, const Reply& reply) {
                  try {
                    handler(http, reply);
                  } catch (const ApiError& error) {
                    send_ollama_error(reply, error);
                  } catch (const Error& error) {
                    send_ollama_error(reply, api_error(error));
                  }
                }});
  };
  add("POST", "/api/chat", "Ollama's chat",
      [&api](const HttpRequest& h, const Reply& r) { generate(api, true, h, r); });
  add("POST", "/api/generate", "Ollama's answer to one prompt",
      [&api](const HttpRequest& h, const Reply& r) { generate(api, false, h, r); });
  add("POST", "/api/show", "what a model is", [&api](const HttpRequest& h, const Reply& r) { show(api, h, r); });
  add("GET", "/api/tags", "the models", [&api](const HttpRequest&, const Reply& r) { list(api, false, r); });
  add("GET", "/api/ps", "the models in memory", [&api](const HttpRequest&, const Reply& r) { list(api, true, r); });
  add("GET", "/api/version", "the version that Ollama's clients ask for", [](const HttpRequest&, const Reply& r) {
    send_json(r, Json::Object{{"version", "0.1.0"}});
  });
}

}  // namespace jevons
