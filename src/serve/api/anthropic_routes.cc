// Anthropic's Messages API: https://docs.anthropic.com/en/api/messages. At /v1/messages and, as DeepSeek offers it,
// under /anthropic. The thought comes as a block of type "thinking"; its signature is empty, as nobody signs here.
#include "base/strings.h"
#include "serve/api/chat_run.h"
#include "serve/api/routes.h"

namespace jevons {
namespace {

// {"type":"error","error":{"type","message"}}
Json error_json(const ApiError& error) {
  const char* type = error.status == 401   ? "authentication_error"
                     : error.status == 403 ? "permission_error"
                     : error.status == 404 ? "not_found_error"
                     : error.status == 413 ? "request_too_large"
                     : error.status == 429 ? "rate_limit_error"
                     : error.status == 503 ? "overloaded_error"
                     : error.status >= 500 ? "api_error"
                                           : "invalid_request_error";
  return Json::Object{{"type", "error"}, {"error", Json::Object{{"type", type}, {"message", error.message}}}};
}

void send_anthropic_error(const Reply& reply, const ApiError& error) {
  HttpHeaders headers = {{"content-type", "application/json"}};
  if (error.status == 429 || error.status == 503) headers.push_back({"retry-after", "2"});
  reply.send(error.status == 503 ? 529 : error.status, std::move(headers), error_json(error).dump());
}

std::string text_of(const Json& content, const std::string& where) {
  if (content.is_string()) return content.as_string();
  std::string out;
  if (content.is_array())
    for (const Json& block : content.as_array()) {
      const Json* type = block.find("type");
      const Json* text = block.find("text");
      if (!type || !type->is_string() || type->as_string() != "text" || !text || !text->is_string())
        throw ApiError(400, cat(where, ": only text can be read here"), "invalid_value", where);
      out += text->as_string();
    }
  return out;
}

// One message's blocks as OpenAI-style messages: text, thinking, tool_use, tool_result.
void add_message(Json& out, const Json& message, const std::string& where) {
  const Json* role = message.find("role");
  const Json* content = message.find("content");
  if (!role || !role->is_string() || (role->as_string() != "user" && role->as_string() != "assistant"))
    throw ApiError(400, cat(where, ".role must be user or assistant"), "invalid_value", where + ".role");
  if (!content || (!content->is_string() && !content->is_array()))
    throw ApiError(400, cat(where, ".content must be a string or a list of blocks"), "invalid_value",
                   where + ".content");
  Json main = Json::Object{{"role", *role}, {"content", ""}};
  if (content->is_string()) {
    main["content"] = *content;
    out.push_back(main);
    return;
  }
  std::string text, thought;
  Json calls = Json::array();
  for (size_t i = 0; i < content->size(); ++i) {
    const Json& block = content->as_array()[i];
    const std::string place = cat(where, ".content[", i, "]");
    const std::string type = block.find("type") && block.at("type").is_string() ? block.at("type").as_string() : "";
    if (type == "text") {
      text += block.at("text").as_string();
    } else if (type == "thinking") {
      thought += block.at("thinking").as_string();
    } else if (type == "redacted_thinking") {
      continue;  // says nothing to a model that cannot open it
    } else if (type == "tool_use") {
      calls.push_back(Json::Object{
          {"id", block.at("id")},
          {"type", "function"},
          {"function", Json::Object{{"name", block.at("name")}, {"arguments", block.at("input").dump()}}}});
    } else if (type == "tool_result") {
      const Json* result = block.find("content");
      out.push_back(Json::Object{{"role", "tool"},
                                 {"tool_call_id", block.at("tool_use_id")},
                                 {"content", result ? text_of(*result, place) : ""}});
    } else {
      throw ApiError(400, cat(place, " has the type ", quote(type), "; the model sees only text and tool results"),
                     "unsupported_content", place);
    }
  }
  main["content"] = text;
  if (!thought.empty()) main["reasoning_content"] = thought;
  if (calls.size() > 0) main["tool_calls"] = calls;
  if (!text.empty() || !thought.empty() || calls.size() > 0 || out.size() == 0) out.push_back(main);
}

Json read_tools(const Json& tools, Fields& f) {
  if (!tools.is_array()) f.wrong("tools", "must be a list");
  Json out = Json::array();
  for (const Json& tool : tools.as_array()) {
    const Json* name = tool.find("name");
    if (!name || !name->is_string()) f.wrong("tools", "holds a tool without a name");
    Json function = Json::Object{{"name", *name}};
    if (const Json* about = tool.find("description")) function["description"] = *about;
    if (const Json* schema = tool.find("input_schema")) function["parameters"] = *schema;
    if (const Json* strict = tool.find("strict")) function["strict"] = *strict;
    out.push_back(Json::Object{{"type", "function"}, {"function", function}});
  }
  check_tools(out, f);
  return out;
}

void read_tool_choice(ChatRequest& r, Fields& f) {
  const Json* choice =
      f.value("tool_choice", "object",
              "{\"type\": \"auto\", \"any\", \"tool\" (with name) or \"none\", \"disable_parallel_tool_use\"}");
  if (!choice) return;
  if (!choice->is_object()) f.wrong("tool_choice", "must be an object with a type");
  Fields inner(*choice);
  const auto type = inner.choice("type", {"auto", "any", "tool", "none"}, "").value_or("auto");
  if (inner.boolean("disable_parallel_tool_use", "").value_or(false)) r.parallel_calls = false;
  const auto name = inner.text("name", "");
  if (type == "tool" && !name) f.wrong("tool_choice.name", "is missing");
  if (type == "any" || type == "tool") force_calls(r.shape, r.tools, type == "tool" ? *name : "");
  if (type == "none") r.tools = {};
}

void read_thinking(ChatRequest& r, Fields& f) {
  if (const Json* thinking =
          f.value("thinking", "object", "{\"type\": \"enabled\", \"budget_tokens\"} or \"disabled\"")) {
    if (!thinking->is_object()) f.wrong("thinking", "must be an object with a type");
    Fields inner(*thinking);
    if (const auto type = inner.choice("type", {"enabled", "disabled", "adaptive"}, "")) r.think = *type != "disabled";
    if (const auto budget = inner.integer("budget_tokens", 0, int64_t{1} << 40, "")) r.thought_budget = budget;
  }
  if (const Json* output =
          f.value("output_config", "object",
                  "{\"effort\": \"low\" to \"max\", \"format\": {\"type\": \"json_schema\", \"schema\"}}");
      output && output->is_object()) {
    Fields inner(*output);
    if (const auto effort = inner.choice("effort", {"low", "medium", "high", "xhigh", "max"}, ""))
      apply_effort(r, *effort);
    if (const Json* format = inner.value("format", "object", "")) {
      const Json* schema = format->find("schema");
      if (!schema) f.wrong("output_config.format.schema", "is missing");
      read_schema(r.shape, *schema, "output_config.format.schema");
    }
  }
}

ChatRequest parse_messages(Fields& f, bool counting) {
  ChatRequest r;
  r.call_ids = CallIds::anthropic;
  r.shape.schema_param = "input_schema";
  r.asked = f.text("model", "a name of /v1/models").value_or("");
  r.messages = Json::array();
  if (const Json* system = f.value("system", "string or array", "system message"))
    r.messages.push_back(Json::Object{{"role", "system"}, {"content", text_of(*system, "system")}});
  if (const Json* messages = f.value("messages", "array", "the conversation"); messages && messages->is_array())
    for (size_t i = 0; i < messages->size(); ++i)
      add_message(r.messages, messages->as_array()[i], cat("messages[", i, "]"));
  if (r.messages.size() == 0 && !f.recording()) f.wrong("messages", "must be a list of at least one message");
  r.continues = r.messages.size() > 0 && r.messages.as_array().back().at("role").as_string() == "assistant";
  r.max_tokens = f.integer("max_tokens", 1, int64_t{1} << 40, "of thought and answer together");
  if (!r.max_tokens && !counting && !f.recording()) f.wrong("max_tokens", "is missing");
  r.stop = f.texts("stop_sequences", 16, "texts that end the answer");
  r.stream = f.boolean("stream", "server-sent events").value_or(false);
  r.temperature = f.number("temperature", 0, 1, "default: the model's own");
  r.top_p = f.number("top_p", 0, 1, "nucleus");
  r.top_k = f.integer("top_k", 0, int64_t{1} << 31, "the likeliest k tokens only");
  if (const Json* tools = f.value("tools", "array", "functions the model may call")) r.tools = read_tools(*tools, f);
  read_tool_choice(r, f);
  read_thinking(r, f);
  if (const Json* metadata = f.value("metadata", "object", "user_id: whose turn it is when several wait"))
    if (const Json* user = metadata->find("user_id"); user && user->is_string()) r.user = user->as_string();
  for (const char* name : {"service_tier", "container", "mcp_servers", "context_management"})
    f.without_effect(name, "accepted, without effect on a local model");
  f.finish();
  r.warnings = f.warnings();
  return r;
}

// `input` has to be an object: arguments that are none are its only member, "arguments", as text.
Json tool_use_block(const ToolCall& call) {
  Result<Json> input = Json::parse(call.arguments);
  const bool object = input.ok() && input->is_object();
  return Json::Object{{"type", "tool_use"},
                      {"id", call.id},
                      {"name", call.name},
                      {"input", object ? *input : Json(Json::Object{{"arguments", call.arguments}})}};
}

class MessagesSink : public ChatSink {
 public:
  MessagesSink(std::string id, Reply reply) : id_(std::move(id)), reply_(std::move(reply)) {}

  void begin(const ChatRequest& request, const PreparedChat& prepared, const Model&) override {
    name_ = request.asked.empty() ? request.model : request.asked;
    stream_ = request.stream;
    warnings_ = request.warnings;
    prompt_tokens_ = static_cast<int64_t>(prepared.prompt.size());
    if (!stream_) return;
    reply_.start(200, {{"content-type", "text/event-stream; charset=utf-8"}, {"cache-control", "no-store"}});
    started_ = true;
    send("message_start", Json::Object{{"message", message(Json::array(), {}, {}, usage(0, 0))}});
  }

  void piece(int64_t, const Piece& piece) override {
    if (!stream_) return;
    if (!piece.reasoning.empty()) {
      open("thinking");
      delta(Json::Object{{"type", "thinking_delta"}, {"thinking", piece.reasoning}});
    }
    if (!piece.text.empty()) {
      open("text");
      delta(Json::Object{{"type", "text_delta"}, {"text", piece.text}});
    }
    for (const ToolEvent& e : piece.calls) {
      if (e.kind == ToolEvent::Kind::begin)
        open_block("tool_use",
                   Json::Object{{"type", "tool_use"}, {"id", e.id}, {"name", e.text}, {"input", Json::object()}});
      if (e.kind == ToolEvent::Kind::arguments)
        delta(Json::Object{{"type", "input_json_delta"}, {"partial_json", e.text}});
      if (e.kind == ToolEvent::Kind::end) close();
    }
  }

  void choice_end(int64_t, const Generated& result) override { result_ = result; }

  void end(const ChatTimings&) override {
    const Generated& g = result_;
    const char* reason = !g.stop_string.empty()       ? "stop_sequence"
                         : g.finish == Finish::length ? "max_tokens"
                         : !g.calls.empty()           ? "tool_use"
                                                      : "end_turn";
    const Json stop = g.stop_string.empty() ? Json() : Json(g.stop_string);
    const Json use = usage(g.cached_tokens, static_cast<int64_t>(g.tokens.size()));
    if (!stream_) {
      Json content = Json::array();
      if (!g.reasoning.empty())
        content.push_back(Json::Object{{"type", "thinking"}, {"thinking", g.reasoning}, {"signature", ""}});
      if (!g.text.empty() || g.calls.empty()) content.push_back(Json::Object{{"type", "text"}, {"text", g.text}});
      for (const ToolCall& call : g.calls) content.push_back(tool_use_block(call));
      return send_json(reply_, message(content, reason, stop, use));
    }
    close();
    send("message_delta",
         Json::Object{{"delta", Json::Object{{"stop_reason", reason}, {"stop_sequence", stop}}}, {"usage", use}});
    send("message_stop", Json::object());
    reply_.end();
  }

  void fail(const ApiError& error) override {
    if (!started_) return send_anthropic_error(reply_, error);
    reply_.write("event: error\ndata: " + error_json(error).dump() + "\n\n");
    reply_.end();
  }

 private:
  Json usage(int64_t cached, int64_t output) const {
    return Json::Object{{"input_tokens", prompt_tokens_ - cached},
                        {"cache_read_input_tokens", cached},
                        {"cache_creation_input_tokens", 0},
                        {"output_tokens", output}};
  }

  Json message(const Json& content, const Json& reason, const Json& stop, const Json& use) const {
    Json out = Json::Object{{"id", id_},          {"type", "message"},     {"role", "assistant"},   {"model", name_},
                            {"content", content}, {"stop_reason", reason}, {"stop_sequence", stop}, {"usage", use}};
    if (warnings_.empty()) return out;
    Json list = Json::array();
    for (const std::string& w : warnings_) list.push_back(w);
    out["warnings"] = list;
    return out;
  }

  void send(const char* event, Json data) {
    Json all = Json::Object{{"type", event}};
    for (const auto& [key, value] : data.as_object()) all[key] = value;
    reply_.write(cat("event: ", event, "\ndata: ", all.dump(), "\n\n"));
  }

  void open(const std::string& kind) {
    if (kind_ == kind) return;
    open_block(kind, kind == "text" ? Json::Object{{"type", "text"}, {"text", ""}}
                                    : Json::Object{{"type", "thinking"}, {"thinking", ""}, {"signature", ""}});
  }
  void open_block(const std::string& kind, const Json& block) {
    close();
    kind_ = kind;
    send("content_block_start", Json::Object{{"index", block_}, {"content_block", block}});
  }
  void delta(const Json& delta) { send("content_block_delta", Json::Object{{"index", block_}, {"delta", delta}}); }
  void close() {
    if (kind_.empty()) return;
    if (kind_ == "thinking") delta(Json::Object{{"type", "signature_delta"}, {"signature", ""}});
    send("content_block_stop", Json::Object{{"index", block_++}});
    kind_.clear();
  }

  std::string id_;
  Reply reply_;
  std::string name_, kind_;
  std::vector<std::string> warnings_;
  bool stream_ = false, started_ = false;
  int64_t prompt_tokens_ = 0;
  int block_ = 0;
  Generated result_;
};

void messages(Api& api, const HttpRequest& http, const Reply& reply) {
  api.service.post([&api, http, reply, place = take_place(api.service)]() mutable {
    try {
      const Json body = json_body(http);
      Fields fields(body);
      ChatRequest request = parse_messages(fields, false);
      resolve_model(api.service, request);
      name_user(request, http);
      request.place = std::move(place);
      const std::string id = "msg_" + new_uuid();
      run_chat(api.service, api.active, id, std::move(request), reply, std::make_shared<MessagesSink>(id, reply));
    } catch (const ApiError& error) {
      send_anthropic_error(reply, error);
    } catch (const Error& error) {
      send_anthropic_error(reply, api_error(error));
    }
  });
}

void count_tokens(Api& api, const HttpRequest& http, const Reply& reply) {
  const Json body = json_body(http);
  Fields fields(body);
  ChatRequest request = parse_messages(fields, true);
  resolve_model(api.service, request);
  with_model(api.service, request.model, reply, [request, reply](Model& model) {
    const auto ids = model.tokenizer().encode(render_prompt(request, model), {.parse_special = true, .add_bos = false});
    send_json(reply, Json::Object{{"input_tokens", ids.size()}});
  });
}

}  // namespace

void read_messages_body(Fields& f) { parse_messages(f, false); }

void add_anthropic_routes(Router& router, Api& api) {
  for (const char* base : {"/v1", "/anthropic/v1"}) {
    const auto add = [&](const char* path, const char* about, auto handler) {
      router.add({"POST", cat(base, path), about,
                  [&api, handler](const HttpRequest& http, const PathParts&, const Reply& reply) {
                    try {
                      handler(api, http, reply);
                    } catch (const ApiError& error) {
                      send_anthropic_error(reply, error);
                    } catch (const Error& error) {
                      send_anthropic_error(reply, api_error(error));
                    }
                  }});
    };
    add("/messages", "the next message of a conversation, in Anthropic's form", messages);
    add("/messages/count_tokens", "the tokens of a conversation's prompt", count_tokens);
  }
}

}  // namespace jevons
