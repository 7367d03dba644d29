#include "serve/api/openai_chat.h"

#include <ctime>

namespace jevons {
namespace {

constexpr double kNoLogprob = -9999;  // of a token that was put there, as DeepSeek's API says it

Json bytes_json(std::string_view bytes) {
  Json out = Json::array();
  for (char c : bytes) out.push_back(static_cast<int>(static_cast<uint8_t>(c)));
  return out;
}

const char* finish_reason(const Generated& g) {
  if (g.finish == Finish::length) return "length";
  return g.calls.empty() || g.finish == Finish::interrupted ? "stop" : "tool_calls";
}

// A tool call's part of a stream: at first its name, then pieces of its arguments.
Json call_delta(const ToolEvent& e) {
  if (e.kind == ToolEvent::Kind::end) return Json::object();
  Json call = Json::Object{{"index", e.call}};
  if (e.kind == ToolEvent::Kind::begin) {
    call["id"] = e.id;
    call["type"] = "function";
    call["function"] = Json::Object{{"name", e.text}, {"arguments", ""}};
  } else {
    call["function"] = Json::Object{{"arguments", e.text}};
  }
  return Json::Object{{"tool_calls", Json::Array{call}}};
}

class OpenAiChatSink : public ChatSink {
 public:
  OpenAiChatSink(Dialect dialect, std::string id, Reply reply)
      : dialect_(dialect), id_(std::move(id)), reply_(std::move(reply)) {}

  void begin(const ChatRequest& request, const PreparedChat& prepared, const Model& model) override {
    tokenizer_ = &model.tokenizer();
    name_ = request.asked.empty() ? request.model : request.asked;
    warnings_ = request.warnings;
    stream_ = request.stream;
    logprobs_ = request.top_logprobs >= 0;
    usage_ = request.include_usage;
    thinking_ = prepared.options.starts_in_thought;
    choices_.resize(static_cast<size_t>(request.n));
    results_.resize(choices_.size());
    if (!stream_) return;
    reply_.start(200, {{"content-type", "text/event-stream; charset=utf-8"}, {"cache-control", "no-store"}});
    for (size_t i = 0; i < choices_.size(); ++i) {
      Json delta = Json::Object{{"role", "assistant"}};
      delta["content"] = thinking_ ? Json() : Json("");
      if (thinking_) delta["reasoning_content"] = "";
      send_chunk(i, delta, {}, {});
    }
  }

  void piece(int64_t choice, const Piece& piece) override {
    State& s = choices_[static_cast<size_t>(choice)];
    if (logprobs_)
      for (const TokenChoice& token : piece.tokens)
        (token.thought ? s.thought_tokens : s.answer_tokens).push_back(token_json(token, *tokenizer_));
    if (!stream_) return;
    for (const ToolEvent& event : piece.calls)
      if (event.kind != ToolEvent::Kind::end || s.answer_tokens.size() > 0)
        send_chunk(static_cast<size_t>(choice), call_delta(event), take_logprobs(s), {});
    if (!piece.calls.empty()) return;
    Json delta = Json::object();
    delta["content"] = piece.text.empty() ? Json() : Json(piece.text);
    if (thinking_ || !piece.reasoning.empty())
      delta["reasoning_content"] = piece.reasoning.empty() ? Json() : Json(piece.reasoning);
    if (!piece.reasoning.empty() && !piece.text.empty()) {  // never both in one event
      Json thought = Json::Object{{"content", Json()}, {"reasoning_content", piece.reasoning}};
      send_chunk(static_cast<size_t>(choice), thought, {}, {});
      delta["reasoning_content"] = Json();
    }
    send_chunk(static_cast<size_t>(choice), delta, take_logprobs(s), {});
  }

  void choice_end(int64_t choice, const Generated& result) override {
    const size_t i = static_cast<size_t>(choice);
    results_[i] = result;
    if (!stream_) return;
    // DeepSeek's usage stands in the event that ends the (last) choice.
    if (dialect_ == Dialect::deepseek && ++ended_ == choices_.size()) {
      held_end_ = i;
      return;
    }
    send_end(i, {});
  }

  void end(const ChatTimings& timings) override {
    const Json usage = usage_json(results_), times = timings_json(timings, results_);
    if (!stream_) return send_body(usage, times);
    if (held_end_) {
      send_end(*held_end_, Json::Object{{"usage", usage}, {"timings", times}});
    } else {
      Json chunk = head("chat.completion.chunk");
      chunk["choices"] = Json::array();
      if (usage_) chunk["usage"] = usage;
      chunk["timings"] = times;
      add_warnings(chunk);
      if (usage_) write(chunk);
    }
    reply_.write("data: [DONE]\n\n");
    reply_.end();
  }

  void fail(const ApiError& error) override {
    if (!stream_ || !tokenizer_) {
      HttpHeaders headers = {{"content-type", "application/json"}};
      if (error.status == 503 || error.status == 429) headers.push_back({"retry-after", "2"});
      return reply_.send(error.status, std::move(headers), error.json().dump());
    }
    reply_.write("data: " + error.json().dump() + "\n\n");
    reply_.end();
  }

 private:
  struct State {
    Json answer_tokens = Json::array(), thought_tokens = Json::array();
  };

  Json head(const char* object) const {
    return Json::Object{
        {"id", id_}, {"object", object}, {"created", created_}, {"model", name_}, {"system_fingerprint", "jevons"}};
  }

  void add_warnings(Json& to) const {
    if (warnings_.empty()) return;
    Json list = Json::array();
    for (const std::string& w : warnings_) list.push_back(w);
    to["warnings"] = list;
  }

  Json take_logprobs(State& s) const {
    if (!logprobs_) return {};
    Json out = Json::Object{{"content", std::exchange(s.answer_tokens, Json::array())}};
    if (thinking_ || s.thought_tokens.size() > 0)
      out["reasoning_content"] = std::exchange(s.thought_tokens, Json::array());
    out["refusal"] = Json();
    return out;
  }

  void send_chunk(size_t choice, const Json& delta, const Json& logprobs, const Json& finish, const Json& more = {}) {
    Json chunk = head("chat.completion.chunk");
    chunk["choices"] = Json::Array{
        Json::Object{{"index", choice}, {"delta", delta}, {"logprobs", logprobs}, {"finish_reason", finish}}};
    if (dialect_ == Dialect::deepseek || usage_) chunk["usage"] = Json();
    if (more.is_object())
      for (const auto& [key, value] : more.as_object()) chunk[key] = value;
    write(chunk);
  }

  void send_end(size_t choice, const Json& more) {
    Json delta = Json::object();
    if (dialect_ == Dialect::deepseek) {
      delta["content"] = "";
      if (thinking_) delta["reasoning_content"] = Json();
    }
    Json all = more;
    if (all.is_object()) add_warnings(all);
    send_chunk(choice, delta, {}, finish_reason(results_[choice]), all);
  }

  void write(const Json& chunk) { reply_.write("data: " + chunk.dump() + "\n\n"); }

  void send_body(const Json& usage, const Json& times) {
    Json body = head("chat.completion");
    Json list = Json::array();
    for (size_t i = 0; i < results_.size(); ++i) {
      const Generated& g = results_[i];
      const bool only_calls = g.text.empty() && !g.calls.empty();
      Json message = Json::Object{{"role", "assistant"}, {"content", only_calls ? Json() : Json(g.text)}};
      if (thinking_ || !g.reasoning.empty()) message["reasoning_content"] = g.reasoning;
      if (!g.calls.empty()) message["tool_calls"] = tool_calls_json(g.calls, dialect_ == Dialect::deepseek);
      message["refusal"] = Json();
      list.push_back(Json::Object{{"index", i},
                                  {"message", message},
                                  {"logprobs", take_logprobs(choices_[i])},
                                  {"finish_reason", finish_reason(g)}});
    }
    body["choices"] = list;
    body["usage"] = usage;
    body["timings"] = times;
    add_warnings(body);
    reply_.send(200, {{"content-type", "application/json"}}, body.dump());
  }

  Dialect dialect_;
  std::string id_;
  Reply reply_;
  const Tokenizer* tokenizer_ = nullptr;
  std::string name_;
  int64_t created_ = static_cast<int64_t>(std::time(nullptr));
  bool stream_ = false, logprobs_ = false, usage_ = false, thinking_ = false;
  std::vector<std::string> warnings_;
  std::vector<State> choices_;
  std::vector<Generated> results_;
  size_t ended_ = 0;
  std::optional<size_t> held_end_;
};

}  // namespace

Json token_json(const TokenChoice& choice, const Tokenizer& tokenizer) {
  const auto entry = [&](int32_t id, double logprob) {
    const std::string_view bytes = tokenizer.token_bytes(id);
    return Json::Object{{"token", bytes}, {"logprob", logprob}, {"bytes", bytes_json(bytes)}};
  };
  Json out = entry(choice.id, choice.drawn ? choice.logprob : kNoLogprob);
  Json top = Json::array();
  for (const auto& [id, logprob] : choice.likeliest) top.push_back(entry(id, logprob));
  out["top_logprobs"] = top;
  return out;
}

Json usage_json(const std::vector<Generated>& choices) {
  int64_t completion = 0, reasoning = 0;
  for (const Generated& g : choices) {
    completion += static_cast<int64_t>(g.tokens.size());
    reasoning += g.thought_tokens;
  }
  const Generated& first = choices.front();  // the others share its prompt
  return Json::Object{{"prompt_tokens", first.prompt_tokens},
                      {"completion_tokens", completion},
                      {"total_tokens", first.prompt_tokens + completion},
                      {"prompt_cache_hit_tokens", first.cached_tokens},
                      {"prompt_cache_miss_tokens", first.prompt_tokens - first.cached_tokens},
                      {"prompt_tokens_details", Json::Object{{"cached_tokens", first.cached_tokens}}},
                      {"completion_tokens_details", Json::Object{{"reasoning_tokens", reasoning}}}};
}

Json timings_json(const ChatTimings& t, const std::vector<Generated>& choices) {
  const Generated& g = choices.front();
  const double n = static_cast<double>(g.tokens.size());
  return Json::Object{{"queue_ms", t.queue * 1000},
                      {"load_ms", t.load * 1000},
                      {"prompt_n", g.prompt_tokens - g.cached_tokens},
                      {"prompt_ms", g.prompt_seconds * 1000},
                      {"cache_n", g.cached_tokens},
                      {"cache_disk_n", g.disk_tokens},
                      {"think_ms", g.thought_seconds * 1000},
                      {"answer_ms", (g.seconds - g.thought_seconds) * 1000},
                      {"draft_n", g.guessed},
                      {"draft_n_accepted", g.guessed_right},
                      {"predicted_n", g.tokens.size()},
                      {"predicted_ms", g.seconds * 1000},
                      {"predicted_per_second", g.seconds > 0 ? (n - 1) / g.seconds : 0.0},
                      {"loop_closed", g.loop_closed},
                      {"thought_cut", g.thought_cut}};
}

std::shared_ptr<ChatSink> openai_chat_sink(Dialect dialect, std::string id, Reply reply) {
  return std::make_shared<OpenAiChatSink>(dialect, std::move(id), std::move(reply));
}

}  // namespace jevons
