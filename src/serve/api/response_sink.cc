#include "serve/api/response_sink.h"

#include <ctime>

#include "base/strings.h"
#include "serve/api/openai_chat.h"
#include "serve/router.h"

namespace jevons {
namespace {

int64_t seconds_now() { return static_cast<int64_t>(std::time(nullptr)); }

Json response_usage(const Generated& g) {
  const int64_t output = static_cast<int64_t>(g.tokens.size());
  return Json::Object{{"input_tokens", g.prompt_tokens},
                      {"input_tokens_details", Json::Object{{"cached_tokens", g.cached_tokens}}},
                      {"output_tokens", output},
                      {"output_tokens_details", Json::Object{{"reasoning_tokens", g.thought_tokens}}},
                      {"total_tokens", g.prompt_tokens + output}};
}

class ResponseSink : public ChatSink {
 public:
  ResponseSink(std::string id, ResponseRequest request, ResponseStore& store, Reply reply)
      : id_(std::move(id)), request_(std::move(request)), store_(store), reply_(std::move(reply)) {}

  void begin(const ChatRequest& chat, const PreparedChat& prepared, const Model& model) override {
    tokenizer_ = &model.tokenizer();
    stream_ = chat.stream;
    warnings_ = chat.warnings;
    head_ = Json::Object{{"id", id_},
                         {"object", "response"},
                         {"created_at", seconds_now()},
                         {"model", chat.asked.empty() ? chat.model : chat.asked},
                         {"background", false},
                         {"instructions", request_.instructions ? Json(*request_.instructions) : Json()},
                         {"previous_response_id", request_.previous_id ? Json(*request_.previous_id) : Json()},
                         {"max_output_tokens", chat.max_tokens ? Json(*chat.max_tokens) : Json()},
                         {"temperature", prepared.sampling.temperature},
                         {"top_p", prepared.sampling.top_p}};
    for (const auto& [key, value] : request_.echoed.as_object()) head_[key] = value;
    if (!stream_) return;
    reply_.start(200, {{"content-type", "text/event-stream; charset=utf-8"}, {"cache-control", "no-store"}});
    const Json response = whole("in_progress", {});
    send("response.created", Json::Object{{"response", response}});
    send("response.in_progress", Json::Object{{"response", response}});
  }

  void piece(int64_t, const Piece& piece) override {
    if (request_.logprobs)
      for (const TokenChoice& token : piece.tokens)
        if (!token.thought && token.drawn) logprobs_.push_back(token_json(token, *tokenizer_));
    if (!piece.reasoning.empty()) add(Kind::reasoning, piece.reasoning);
    if (!piece.text.empty()) add(Kind::message, piece.text);
    for (const ToolEvent& e : piece.calls) {
      if (e.kind == ToolEvent::Kind::begin) open_call(e);
      if (e.kind == ToolEvent::Kind::arguments) add(Kind::call, e.text);
      if (e.kind == ToolEvent::Kind::end) close(e.whole);
    }
  }

  void choice_end(int64_t, const Generated& result) override { result_ = result; }

  void end(const ChatTimings& timings) override {
    const bool cut = result_.finish == Finish::length;
    if (output_.size() == 0 && kind_ == Kind::none && !cut) open(Kind::message);  // an empty answer is an answer
    close(!cut);
    Json response = whole(cut ? "incomplete" : "completed", response_usage(result_));
    if (cut) response["incomplete_details"] = Json::Object{{"reason", "max_output_tokens"}};
    if (!cut) response["completed_at"] = seconds_now();
    response["timings"] = timings_json(timings, {result_});
    if (request_.store) remember(response);
    if (!stream_) return send_json(reply_, response);
    send(cut ? "response.incomplete" : "response.completed", Json::Object{{"response", response}});
    reply_.end();
  }

  void fail(const ApiError& error) override {
    if (!stream_) return send_error(reply_, error);
    Json response = whole("failed", {});
    response["error"] =
        Json::Object{{"code", error.code.empty() ? "server_error" : error.code}, {"message", error.message}};
    send("response.failed", Json::Object{{"response", response}});
    reply_.end();
  }

 private:
  enum class Kind { none, reasoning, message, call };

  Json whole(const char* status, const Json& usage) const {
    Json out = head_;
    out["status"] = status;
    out["error"] = Json();
    out["incomplete_details"] = Json();
    out["output"] = output_;
    out["usage"] = usage;
    if (warnings_.empty()) return out;
    for (const std::string& w : warnings_) out["warnings"].push_back(w);
    return out;
  }

  void send(const char* type, Json more) {
    if (!stream_) return;
    Json event = Json::Object{{"type", type}, {"sequence_number", sequence_++}};
    for (auto& [key, value] : more.as_object()) event[key] = std::move(value);
    reply_.write(cat("event: ", type, "\ndata: ", event.dump(), "\n\n"));
  }

  // An event about the open item, or about its only part.
  void send_of_item(const char* type, Json more) {
    Json event = Json::Object{{"item_id", item_id_}, {"output_index", output_.size()}};
    if (kind_ != Kind::call) event["content_index"] = 0;
    for (auto& [key, value] : more.as_object()) event[key] = std::move(value);
    send(type, std::move(event));
  }

  Json part() const {
    if (kind_ == Kind::reasoning) return Json::Object{{"type", "reasoning_text"}, {"text", text_}};
    return Json::Object{{"type", "output_text"}, {"text", text_}, {"annotations", Json::array()}, {"logprobs", told_}};
  }

  Json item(const char* status, bool with_content) const {
    Json out = Json::Object{{"id", item_id_}};
    const Json content = with_content ? Json::Array{part()} : Json::array();
    if (kind_ == Kind::call) {
      out["type"] = "function_call";
      out["call_id"] = call_id_;
      out["name"] = name_;
      out["arguments"] = text_;
    } else if (kind_ == Kind::reasoning) {
      out["type"] = "reasoning";
      out["summary"] = Json::array();
      out["content"] = content;
    } else {
      out["type"] = "message";
      out["role"] = "assistant";
      out["content"] = content;
    }
    out["status"] = status;
    return out;
  }

  void open(Kind kind) {
    close(true);
    kind_ = kind;
    item_id_ = (kind == Kind::reasoning ? "rs_" : kind == Kind::message ? "msg_" : "fc_") + new_uuid();
    text_.clear();
    told_ = Json::array();
    send("response.output_item.added",
         Json::Object{{"output_index", output_.size()}, {"item", item("in_progress", false)}});
    if (kind != Kind::call) send_of_item("response.content_part.added", Json::Object{{"part", part()}});
  }

  void open_call(const ToolEvent& e) {
    close(true);
    call_id_ = e.id;
    name_ = e.text;
    open(Kind::call);
  }

  void add(Kind kind, std::string_view text) {
    if (kind_ != kind) open(kind);
    text_ += text;
    Json more = Json::Object{{"delta", text}};
    if (kind == Kind::message) more["logprobs"] = tell_logprobs();
    send_of_item(kind == Kind::reasoning ? "response.reasoning_text.delta"
                 : kind == Kind::message ? "response.output_text.delta"
                                         : "response.function_call_arguments.delta",
                 std::move(more));
  }

  Json tell_logprobs() {
    Json out = std::exchange(logprobs_, Json::array());
    for (const Json& token : out.as_array()) told_.push_back(token);
    return out;
  }

  void close(bool whole) {
    if (kind_ == Kind::none) return;
    if (kind_ == Kind::message) tell_logprobs();
    if (kind_ == Kind::call) {
      send_of_item("response.function_call_arguments.done", Json::Object{{"arguments", text_}, {"name", name_}});
    } else if (kind_ == Kind::reasoning) {
      send_of_item("response.reasoning_text.done", Json::Object{{"text", text_}});
    } else {
      send_of_item("response.output_text.done", Json::Object{{"text", text_}, {"logprobs", told_}});
    }
    if (kind_ != Kind::call) send_of_item("response.content_part.done", Json::Object{{"part", part()}});
    Json done = item(whole ? "completed" : "incomplete", true);
    send("response.output_item.done", Json::Object{{"output_index", output_.size()}, {"item", done}});
    output_.push_back(std::move(done));
    kind_ = Kind::none;
  }

  void remember(const Json& response) {
    const Generated& g = result_;
    Json answer =
        Json::Object{{"role", "assistant"}, {"content", g.text.empty() && !g.calls.empty() ? Json() : Json(g.text)}};
    if (!g.reasoning.empty()) answer["reasoning_content"] = g.reasoning;
    if (!g.calls.empty()) answer["tool_calls"] = tool_calls_json(g.calls, false);
    Json messages = std::move(request_.news);
    messages.push_back(Json::parse(answer.dump()).value());  // as the client saw it: without broken characters
    store_.add(id_, {response, std::move(messages), request_.previous, 0});
  }

  std::string id_;
  ResponseRequest request_;
  ResponseStore& store_;
  Reply reply_;
  const Tokenizer* tokenizer_ = nullptr;
  std::vector<std::string> warnings_;
  Json head_, output_ = Json::array();
  Generated result_;
  bool stream_ = false;
  int64_t sequence_ = 0;
  // The open item.
  Kind kind_ = Kind::none;
  std::string item_id_, text_, call_id_, name_;
  Json logprobs_ = Json::array(), told_ = Json::array();  // of its tokens: not yet told, and told
};

}  // namespace

std::shared_ptr<ChatSink> response_sink(std::string id, ResponseRequest request, ResponseStore& store, Reply reply) {
  return std::make_shared<ResponseSink>(std::move(id), std::move(request), store, std::move(reply));
}

}  // namespace jevons
