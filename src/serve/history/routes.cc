#include "serve/history/routes.h"

#include <algorithm>

#include "base/strings.h"

namespace jevons {
namespace {

using Handler = std::function<void(const HttpRequest&, const PathParts&, const Reply&)>;

constexpr uint64_t kMessageBytes = 32 << 20, kImportBytes = 256 << 20;

ApiError no_conversation(const std::string& id) {
  return {404, cat("there is no conversation ", quote(id)), "conversation_not_found", "id"};
}

// The fields of a body, each taken once; what is left over is refused by name.
class Fields {
 public:
  explicit Fields(const HttpRequest& request) : body_(json_body(request)) {}

  const Json* take(std::string_view name) {
    known_.emplace_back(name);
    const auto* value = body_.find(name);
    return value && !value->is_null() ? value : nullptr;
  }
  template <class T>
  std::optional<T> take(std::string_view name, T (*read)(const Json&)) {
    const auto* value = take(name);
    if (!value) return std::nullopt;
    try {
      return read(*value);
    } catch (const Error& error) {
      throw ApiError(400, cat(name, ": ", error.message()), "invalid_type", std::string(name));
    }
  }
  std::optional<std::string> text(std::string_view name) {
    return take<std::string>(name, [](const Json& v) { return v.as_string(); });
  }
  std::optional<bool> flag(std::string_view name) {
    return take<bool>(name, [](const Json& v) { return v.as_bool(); });
  }
  std::optional<Json> object(std::string_view name) {
    return take<Json>(name, [](const Json& v) { return v.as_object(), v; });
  }
  Json any(std::string_view name) {
    const auto* value = take(name);
    return value ? *value : Json();
  }
  void no_others() const {
    for (const auto& [name, value] : body_.as_object())
      if (std::find(known_.begin(), known_.end(), name) == known_.end())
        throw ApiError(400, cat(quote(name), " is no field of this request"), "unknown_field", name);
  }

 private:
  Json body_;
  std::vector<std::string> known_;
};

void list(History& history, const HttpRequest& request, const Reply& reply) {
  int64_t limit = 100;
  if (const auto text = request.parameter("limit")) {
    const auto json = Json::parse(*text);
    if (!json.ok() || !json->is_int() || json->as_int() < 1 || json->as_int() > 10000)
      throw ApiError(400, cat("limit is ", quote(*text), "; expected a number from 1 to 10000"), "invalid_value",
                     "limit");
    limit = json->as_int();
  }
  Json out = Json::array();
  for (const auto& conversation : history.list(request.parameter("q").value_or(""), limit))
    out.push_back(conversation.json());
  send_json(reply, Json::Object{{"conversations", std::move(out)}});
}

void create(History& history, const HttpRequest& request, const Reply& reply) {
  Fields fields(request);
  Conversation conversation{.id = {},
                            .title = fields.text("title").value_or(""),
                            .model = fields.text("model").value_or(""),
                            .settings = fields.object("settings").value_or(Json::object())};
  fields.no_others();
  send_json(reply, history.create(std::move(conversation)).json(), 201);
}

void show(History& history, const std::string& id, const Reply& reply) {
  const auto conversation = history.find(id);
  if (!conversation) throw no_conversation(id);
  Json out = conversation->json(), messages = Json::array();
  for (const auto& message : history.messages(id)) messages.push_back(message.json());
  out["messages"] = std::move(messages);
  send_json(reply, out);
}

void change(History& history, const std::string& id, const HttpRequest& request, const Reply& reply) {
  Fields fields(request);
  const ConversationChange wanted{.title = fields.text("title"),
                                  .model = fields.text("model"),
                                  .head = fields.text("head"),
                                  .pinned = fields.flag("pinned"),
                                  .archived = fields.flag("archived"),
                                  .settings = fields.object("settings")};
  fields.no_others();
  const auto changed = history.change(id, wanted);
  if (!changed.ok()) throw ApiError(400, changed.error().message(), "message_not_found", "head");
  if (!*changed) throw no_conversation(id);
  send_json(reply, history.find(id).value_or(Conversation{}).json());
}

void add(History& history, const std::string& id, const HttpRequest& request, const Reply& reply) {
  Fields fields(request);
  Message message;
  message.parent = fields.text("parent");
  message.role = fields.text("role").value_or("");
  message.content = fields.text("content").value_or("");
  message.reasoning = fields.text("reasoning_content");
  message.model = fields.text("model");
  message.finish_reason = fields.text("finish_reason");
  message.attachments = fields.any("attachments");
  message.usage = fields.any("usage");
  message.timings = fields.any("timings");
  message.trace = fields.any("trace");
  fields.no_others();
  if (message.role != "system" && message.role != "user" && message.role != "assistant" && message.role != "tool")
    throw ApiError(400, cat("role is ", quote(message.role), "; expected system, user, assistant or tool"),
                   "invalid_value", "role");
  const auto stored = history.add(id, std::move(message));
  if (stored.ok()) return send_json(reply, stored->json(), 201);
  if (stored.error().code() == Code::not_found) throw no_conversation(id);
  throw ApiError(400, stored.error().message(), "message_not_found", "parent");
}

void import(History& history, const HttpRequest& request, const Reply& reply) {
  const auto counts = history.import(request.body);
  if (!counts.ok()) throw ApiError(400, counts.error().message(), "invalid_export");
  send_json(reply, Json::Object{{"conversations", counts->conversations},
                                {"messages", counts->messages},
                                {"known", counts->known},
                                {"left_out", counts->left_out}});
}

// Writes one conversation after the other, each when the one before has left.
struct Export : std::enable_shared_from_this<Export> {
  Export(History& h, Worker& w, Reply r) : history(h), worker(w), reply(std::move(r)), ids(history.ids()) {}
  void step() {
    if (next == ids.size()) return reply.end();
    reply.write(history.export_line(ids[next++]));
    reply.on_drain([self = shared_from_this()] { self->worker.post([self] { self->step(); }); });
  }
  History& history;
  Worker& worker;
  const Reply reply;
  const std::vector<std::string> ids;
  size_t next = 0;
};

}  // namespace

Worker::Worker() : thread_([this] { loop(); }) {}

Worker::~Worker() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Worker::post(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(work));
  }
  wake_.notify_one();
}

void Worker::loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [&] { return ending_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    auto work = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    work();
    work = nullptr;
    lock.lock();
  }
}

uint64_t history_body_bytes(const HttpRequest& request) {
  if (request.path == "/history/import") return kImportBytes;
  return request.path.starts_with("/history/") ? kMessageBytes : 0;
}

void add_history_routes(Router& router, History& history, Worker& worker) {
  const auto route = [&](std::string method, std::string path, std::string about, Handler handler) {
    router.add({std::move(method), std::move(path), std::move(about),
                [&worker, handler = std::move(handler)](const HttpRequest& request, const PathParts& parts,
                                                        const Reply& reply) {
                  worker.post([handler, request, parts, reply] {
                    try {
                      handler(request, parts, reply);
                    } catch (const ApiError& error) {
                      send_error(reply, error);
                    } catch (const Error& error) {
                      send_error(reply, api_error(error));
                    }
                  });
                }});
  };
  route("GET", "/history", "conversations, or those in which every word of ?q is",
        [&](const HttpRequest& request, const PathParts&, const Reply& reply) { list(history, request, reply); });
  route("POST", "/history", "makes a conversation",
        [&](const HttpRequest& request, const PathParts&, const Reply& reply) { create(history, request, reply); });
  route("GET", "/history/export", "all conversations as JSON lines",
        [&](const HttpRequest&, const PathParts&, const Reply& reply) {
          reply.start(200, {{"content-type", "application/jsonl"},
                            {"content-disposition", "attachment; filename=\"jevons-history.jsonl\""}});
          std::make_shared<Export>(history, worker, reply)->step();
        });
  route("POST", "/history/import", "takes an export of Jevons, ChatGPT or Open WebUI",
        [&](const HttpRequest& request, const PathParts&, const Reply& reply) { import(history, request, reply); });
  route("POST", "/history/{id}/messages", "stores a message",
        [&](const HttpRequest& request, const PathParts& parts, const Reply& reply) {
          add(history, parts.at("id"), request, reply);
        });
  route("GET", "/history/{id}", "a conversation with its whole tree of messages",
        [&](const HttpRequest&, const PathParts& parts, const Reply& reply) { show(history, parts.at("id"), reply); });
  route("PATCH", "/history/{id}", "changes title, model, head, pinned, archived or settings",
        [&](const HttpRequest& request, const PathParts& parts, const Reply& reply) {
          change(history, parts.at("id"), request, reply);
        });
  route("DELETE", "/history/{id}", "deletes a conversation for good",
        [&](const HttpRequest&, const PathParts& parts, const Reply& reply) {
          if (!history.remove(parts.at("id"))) throw no_conversation(parts.at("id"));
          reply.send(204, {}, "");
        });
}

}  // namespace jevons
