#include "serve/api/chat_request.h"

#include <algorithm>
#include <random>

#include "base/strings.h"
#include "text/tool_prompt.h"

namespace jevons {
namespace {

constexpr size_t kMostStops = 16;
constexpr int64_t kMostChoices = 16;

std::string place(const char* param, size_t i) { return cat(param, "[", i, "]"); }

std::string joined_text(const Json& content, const std::string& where) {
  if (content.is_string()) return content.as_string();
  if (!content.is_array())
    throw ApiError(400, cat(where, ".content is ", content.type_name(), ", expected a string or a list of parts"),
                   "invalid_value", where + ".content");
  std::string out;
  for (size_t i = 0; i < content.size(); ++i) {
    const Json& part = content.as_array()[i];
    const Json* type = part.find("type");
    const Json* text = part.find("text");
    const std::string kind = type && type->is_string() ? type->as_string() : "";
    if ((kind == "text" || kind == "input_text" || kind == "output_text") && text && text->is_string()) {
      out += text->as_string();
      continue;
    }
    throw ApiError(400,
                   cat(where, ".content[", i, "] has the type ", quote(kind),
                       "; only text parts can be read: the model sees no images, sounds or files"),
                   "unsupported_content", cat(where, ".content"));
  }
  return out;
}

}  // namespace

Json plain_message(const Json& message, const std::string& where) {
  if (!message.is_object())
    throw ApiError(400, cat(where, " is ", message.type_name(), ", expected an object with a role"), "invalid_value",
                   where);
  const Json* role = message.find("role");
  const std::string name = role && role->is_string() ? role->as_string() : "";
  static const std::vector<std::string> roles = {"system", "developer", "user", "assistant", "tool"};
  if (std::find(roles.begin(), roles.end(), name) == roles.end())
    throw ApiError(400, cat(where, ".role is ", quote(name), ", expected system, developer, user, assistant or tool"),
                   "invalid_value", where + ".role");
  const Json* content = message.find("content");
  const Json* calls = message.find("tool_calls");
  const bool has_calls = calls && calls->is_array() && calls->size() > 0;
  if ((!content || content->is_null()) && !has_calls && !message.find("reasoning_content"))
    throw ApiError(400, cat(where, ".content is missing; give a string"), "invalid_value", where + ".content");
  Json out = Json::Object{{"role", name == "developer" ? "system" : name}};
  out["content"] =
      content && !content->is_null() ? Json(joined_text(*content, where)) : Json(has_calls ? Json() : Json(""));
  for (const char* key : {"name", "tool_call_id", "reasoning_content"})
    if (const Json* v = message.find(key); v && !v->is_null()) {
      if (!v->is_string())
        throw ApiError(400, cat(where, ".", key, " must be a string"), "invalid_value", cat(where, ".", key));
      out[key] = *v;
    }
  if (has_calls) out["tool_calls"] = *calls;
  return out;
}

namespace {

void read_messages(ChatRequest& r, Fields& f) {
  const Json* messages =
      f.value("messages", "array", "the conversation; roles system, developer, user, assistant, tool");
  if (!messages) return;
  r.messages = plain_messages(*messages, "messages");
  check_tool_messages(r.messages, "messages");
  const Json& last = messages->as_array().back();
  const Json* prefix = last.find("prefix");
  if (prefix && prefix->is_bool() && prefix->as_bool()) {
    if (last.at("role").as_string() != "assistant")
      f.wrong(place("messages", messages->size() - 1), "has prefix: true, but is not the assistant's");
    r.continues = true;
  }
}

void read_thinking(ChatRequest& r, Fields& f) {
  if (const auto effort =
          f.choice("reasoning_effort", {"none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra"},
                   "how long the thought may be; none: no thought"))
    apply_effort(r, *effort);
  if (const Json* thinking =
          f.value("thinking", "object", "{\"type\": \"enabled\" or \"disabled\", \"budget_tokens\"?}")) {
    if (!thinking->is_object()) f.wrong("thinking", "must be an object with a type");
    Fields inner(*thinking);
    const auto type = inner.choice("type", {"enabled", "disabled", "adaptive"}, "");
    if (type) r.think = *type != "disabled";
    if (const auto budget = inner.integer("budget_tokens", 0, int64_t{1} << 40, "")) r.thought_budget = budget;
  }
  if (const auto budget = f.integer("thinking_budget", 0, int64_t{1} << 40, "tokens after which the thought is closed"))
    r.thought_budget = budget;
  if (const Json* kwargs = f.value("chat_template_kwargs", "object", "enable_thinking or thinking: true or false"))
    for (const char* key : {"enable_thinking", "thinking"})
      if (const Json* v = kwargs->find(key); v && v->is_bool()) r.think = v->as_bool();
}

void read_limits(ChatRequest& r, Fields& f) {
  r.max_tokens = f.integer("max_tokens", 1, int64_t{1} << 40, "of thought and answer together");
  if (const auto n = f.integer("max_completion_tokens", 1, int64_t{1} << 40, "the same; wins over max_tokens"))
    r.max_tokens = n;
  r.stop = f.texts("stop", kMostStops, "texts that end the answer; not part of it");
  r.n = f.integer("n", 1, kMostChoices, "answers to the same prompt, which is read once").value_or(1);
  r.ignore_eos = f.boolean("ignore_eos", "go on past the end of the answer").value_or(false);
  const bool logprobs = f.boolean("logprobs", "log-probabilities of the tokens").value_or(false);
  const auto top = f.integer("top_logprobs", 0, 20, "alternatives of each token; needs logprobs");
  if (top && *top > 0 && !logprobs) f.wrong("top_logprobs", "needs logprobs: true");
  if (logprobs) r.top_logprobs = static_cast<int>(top.value_or(0));
  r.stream = f.boolean("stream", "send the answer as server-sent events while it is made").value_or(false);
  if (const Json* options = f.value("stream_options", "object", "{\"include_usage\": true}"))
    if (const Json* usage = options->find("include_usage"); usage && usage->is_bool())
      r.include_usage = usage->as_bool();
}

}  // namespace

void read_sampling(ChatRequest& r, Fields& f) {
  r.temperature = f.number("temperature", 0, 2, "0: always the likeliest token; default: the model's own");
  r.top_p = f.number("top_p", 0, 1, "nucleus; default: the model's own");
  r.top_k = f.integer("top_k", -1, int64_t{1} << 31, "the likeliest k tokens only; 0 or -1: all");
  r.min_p = f.number("min_p", 0, 1, "tokens at least this part as likely as the likeliest");
  r.presence_penalty = f.number("presence_penalty", -2, 2, "subtracted from logits of tokens generated before");
  r.frequency_penalty = f.number("frequency_penalty", -2, 2, "the same, times how often");
  r.repetition_penalty = f.number("repetition_penalty", 0.01, 10, "divides positive logits of tokens seen before");
  r.seed = f.integer("seed", std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max(),
                     "the same seed and request give the same text");
  if (const Json* bias = f.value("logit_bias", "object", "token id to what is added to its logit, -100 to 100")) {
    if (!bias->is_object()) f.wrong("logit_bias", "must be an object of token ids and numbers");
    for (const auto& [key, value] : bias->as_object()) {
      int32_t id = 0;
      const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
      if (error != std::errc() || end != key.data() + key.size() || id < 0 || !value.is_number() ||
          std::abs(value.as_double()) > 100)
        f.wrong("logit_bias", cat("has the entry ", quote(key), ": ", value.dump().substr(0, 40),
                                  "; expected a token id and a number from -100 to 100"));
      r.logit_bias[id] = value.as_double();
    }
  }
}

void apply_effort(ChatRequest& request, const std::string& effort) {
  request.think = effort != "none";
  if (effort == "minimal") request.thought_budget = 256;
  if (effort == "low") request.thought_budget = 1024;
  if (effort == "medium") request.thought_budget = 8192;
}

Json plain_messages(const Json& messages, const char* param) {
  if (!messages.is_array() || messages.size() == 0)
    throw ApiError(400, cat("'", param, "' must be a list of at least one message"), "invalid_value", param);
  Json out = Json::array();
  for (size_t i = 0; i < messages.size(); ++i) out.push_back(plain_message(messages.as_array()[i], place(param, i)));
  return out;
}

ChatRequest parse_chat(Fields& f, Dialect dialect) {
  ChatRequest r;
  if (dialect == Dialect::deepseek) r.call_ids = CallIds::deepseek;
  r.asked = f.text("model", "a name of /v1/models; empty: the default model").value_or("");
  read_messages(r, f);
  read_limits(r, f);
  read_sampling(r, f);
  read_thinking(r, f);
  r.tools = read_tools(r.shape, f);
  r.parallel_calls = f.boolean("parallel_tool_calls", "false: the answer ends with its first call").value_or(true);
  r.user = f.text(dialect == Dialect::deepseek ? "user_id" : "user", "whose turn it is when several wait").value_or("");
  if (r.user.size() > 512) f.wrong(dialect == Dialect::deepseek ? "user_id" : "user", "is longer than 512 bytes");
  read_response_format(r.shape, f);
  for (const char* name : {"store", "metadata", "service_tier", "safety_identifier", "prompt_cache_key", "verbosity",
                           "prediction", "modalities", "web_search_options"})
    f.without_effect(name, "accepted, without effect on a local model");
  f.refuse("audio", "is not supported: the model makes text");
  f.finish();
  r.warnings = f.warnings();
  return r;
}

namespace {

bool uses_tools(const ChatRequest& r) {
  const auto& messages = r.messages.as_array();
  return r.tools.size() > 0 || std::any_of(messages.begin(), messages.end(), [](const Json& message) {
           return message.find("tool_calls") || message.at("role").as_string() == "tool";
         });
}

ToolOptions tool_options(const ChatRequest& r, const Model& model) {
  ToolOptions out;
  if (r.tools.size() == 0 || !model.chat_template()) return out;
  out.format = tool_format(model.chat_template()->source());
  if (out.format == ToolFormat::none) out.format = ToolFormat::hermes;
  for (const Json& tool : r.tools.as_array()) out.names.push_back(tool.at("function").at("name").as_string());
  out.new_id = [style = r.call_ids](int64_t index) { return new_call_id(style, index); };
  out.parallel = r.parallel_calls;
  return out;
}

}  // namespace

std::string render_prompt(const ChatRequest& r, const Model& model) {
  Json messages = r.messages;
  Json last;
  if (r.continues) last = messages.as_array().back(), messages.as_array().pop_back();
  if (model.chat_template() && uses_tools(r))
    messages = tool_messages(messages, r.tools, tool_use(*model.chat_template()));
  Result<std::string> text = model.prompt(messages, r.tools, r.think.value_or(true));
  if (!text.ok()) throw ApiError(400, text.error().message(), "invalid_messages", "messages");
  std::string out = std::move(text).value();
  if (!r.continues) return out;
  const Json* thought = last.find("reasoning_content");
  const std::string answer = last.at("content").is_string() ? last.at("content").as_string() : "";
  const bool opened = prompt_opens_thought(out);
  if (thought && !thought->as_string().empty()) {
    out += opened ? "" : "<think>\n";
    out += thought->as_string();
    if (!answer.empty()) out += "\n</think>\n\n";
  } else if (opened && !answer.empty()) {
    out += "\n</think>\n\n";
  }
  return out + answer;
}

Sampling sampling_of(const ChatRequest& r, const Model& model) {
  Sampling out = model.default_sampling();
  const auto set = [](auto& to, const auto& from) {
    if (from) to = static_cast<std::remove_reference_t<decltype(to)>>(*from);
  };
  set(out.temperature, r.temperature);
  set(out.top_p, r.top_p);
  set(out.min_p, r.min_p);
  set(out.top_k, r.top_k);
  out.top_k = std::max<int64_t>(out.top_k, 0);
  set(out.presence_penalty, r.presence_penalty);
  set(out.frequency_penalty, r.frequency_penalty);
  set(out.repetition_penalty, r.repetition_penalty);
  out.logit_bias = r.logit_bias;
  for (const auto& [id, bias] : r.logit_bias)
    if (id >= model.config().vocab_size)
      throw ApiError(400, cat("'logit_bias' names token ", id, ", but the vocabulary has ", model.config().vocab_size),
                     "invalid_value", "logit_bias");
  out.seed =
      r.seed ? static_cast<uint64_t>(*r.seed) : (uint64_t{std::random_device{}()} << 32 | std::random_device{}());
  return out;
}

PreparedChat prepare_chat(const ChatRequest& r, const Model& model) {
  PreparedChat p;
  p.text = render_prompt(r, model);
  p.prompt = model.tokenizer().encode(p.text, {.parse_special = true, .add_bos = false});
  const Engine& engine = const_cast<Model&>(model).engine();
  const int64_t context = engine.options().context, size = static_cast<int64_t>(p.prompt.size());
  if (size >= context)
    throw ApiError(400,
                   cat("the prompt has ", size, " tokens, but the context of ", r.model, " holds ", context,
                       "; shorten the conversation or serve it with a larger --ctx"),
                   "context_length_exceeded", "messages");
  p.sampling = sampling_of(r, model);
  GenerateOptions& o = p.options;
  const int64_t room = context - size;
  o.max_tokens = r.max_tokens.value_or(0);
  o.stop = r.stop;
  o.stop_ids = model.stop_ids();
  o.ignore_eos = r.ignore_eos;
  o.starts_in_thought = prompt_opens_thought(p.text);
  if (r.continues && p.text.ends_with(r.messages.as_array().back().at("content").as_string()) && !o.starts_in_thought) {
    // A thought that is being continued is open although text follows its tag.
    const size_t open = p.text.rfind("<think>"), close = p.text.rfind("</think>");
    o.starts_in_thought = open != std::string::npos && (close == std::string::npos || close < open);
  }
  o.thought_budget = r.thought_budget;
  if (r.think && !*r.think) o.thought_budget = 0;
  o.answer_allowance = std::min<int64_t>((r.max_tokens ? std::min(*r.max_tokens, room) : room) / 4, 512);
  o.break_loops = true;
  o.logprobs = r.top_logprobs;
  o.tools = tool_options(r, model);
  return p;
}

AnswerGrammar answer_grammar(const ChatRequest& r, const PreparedChat& p, const Model& model) {
  AnswerGrammar out{.shape = r.shape, .tools = r.tools, .format = p.options.tools.format, .parallel = r.parallel_calls};
  if (!out.needed()) return out;
  const auto refuse = [](const char* what, const char* param) {
    throw ApiError(400, cat("'", param, "' ", what), "invalid_value", param);
  };
  if (r.continues)
    refuse("ends with the beginning of the answer, which does not go with a form that the answer must have",
           "messages");
  if (r.ignore_eos) refuse("does not go with a form that the answer must have", "ignore_eos");
  const bool may_think = r.think.value_or(true) && model.chat_template() &&
                         model.chat_template()->source().find("<think>") != std::string::npos;
  const size_t last = p.text.find_last_not_of(" \n");
  const bool closed = last != std::string::npos && std::string_view(p.text).substr(0, last + 1).ends_with("</think>");
  using Thought = AnswerGrammar::Thought;
  out.thought = p.options.starts_in_thought ? Thought::open : may_think && !closed ? Thought::possible : Thought::none;
  return out;
}

}  // namespace jevons
