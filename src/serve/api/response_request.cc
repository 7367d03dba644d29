#include "serve/api/response_request.h"

#include "base/strings.h"
#include "serve/api/tool_request.h"

namespace jevons {
namespace {

constexpr size_t kMostMetadata = 16, kMostKey = 64, kMostValue = 512;

[[noreturn]] void refuse(const std::string& where, const std::string& what) {
  throw ApiError(400, cat(where, " ", what), "invalid_value", where);
}

std::string text_member(const Json& item, const char* key, const std::string& where) {
  const Json* value = item.find(key);
  if (!value || !value->is_string()) refuse(cat(where, ".", key), "must be a text");
  return value->as_string();
}

// Parts of the given type, joined.
std::string joined(const Json& parts, const char* type, const std::string& where) {
  if (!parts.is_array()) refuse(where, cat("is ", parts.type_name(), ", expected a list of parts"));
  std::string out;
  for (size_t i = 0; i < parts.size(); ++i) {
    const Json& part = parts.as_array()[i];
    const std::string place = cat(where, "[", i, "]");
    if (text_member(part, "type", place) != type)
      refuse(place, cat("has the type ", quote(part.at("type").as_string()), "; only ", type, " can be read here"));
    out += text_member(part, "text", place);
  }
  return out;
}

// The message that thoughts and calls of a turn are gathered in.
Json& open_turn(Json& messages) {
  const auto open = [](const Json& m) { return m.at("role").as_string() == "assistant" && m.at("content").is_null(); };
  if (messages.size() == 0 || !open(messages.as_array().back()))
    messages.push_back(Json::Object{{"role", "assistant"}, {"content", Json()}});
  return messages.as_array().back();
}

void add_message(Json& messages, const Json& item, const std::string& where) {
  Json one = plain_message(item, where);
  // A thought that stands alone in front of an answer is the answer's.
  if (one.at("role").as_string() == "assistant" && messages.size() > 0) {
    Json& last = messages.as_array().back();
    if (last.at("role").as_string() == "assistant" && last.at("content").is_null() && !last.find("tool_calls")) {
      last["content"] = one.at("content");
      return;
    }
  }
  messages.push_back(std::move(one));
}

void add_call(Json& messages, const Json& item, const std::string& where) {
  Json call = Json::Object{{"id", text_member(item, "call_id", where)},
                           {"type", "function"},
                           {"function", Json::Object{{"name", text_member(item, "name", where)},
                                                     {"arguments", text_member(item, "arguments", where)}}}};
  Json* turn = nullptr;
  if (messages.size() > 0 && messages.as_array().back().at("role").as_string() == "assistant")
    turn = &messages.as_array().back();
  else
    turn = &open_turn(messages);
  (*turn)["tool_calls"].push_back(std::move(call));
}

void add_result(Json& messages, const Json& item, const std::string& where) {
  const Json* output = item.find("output");
  if (!output) refuse(where + ".output", "is missing");
  messages.push_back(Json::Object{
      {"role", "tool"},
      {"tool_call_id", text_member(item, "call_id", where)},
      {"content", output->is_string() ? output->as_string() : joined(*output, "input_text", where + ".output")}});
}

void add_thought(Json& messages, const Json& item, const std::string& where) {
  std::string thought;
  if (const Json* content = item.find("content"); content && !content->is_null())
    thought = joined(*content, "reasoning_text", where + ".content");
  if (const Json* summary = item.find("summary"); thought.empty() && summary && !summary->is_null())
    thought = joined(*summary, "summary_text", where + ".summary");
  if (!thought.empty()) open_turn(messages)["reasoning_content"] = thought;
}

void add_item(Json& messages, const Json& item, const std::string& where) {
  if (!item.is_object()) refuse(where, cat("is ", item.type_name(), ", expected an object"));
  const Json* named = item.find("type");
  const std::string type = named && named->is_string() ? named->as_string() : "message";
  if (type == "message") return add_message(messages, item, where);
  if (type == "function_call") return add_call(messages, item, where);
  if (type == "function_call_output") return add_result(messages, item, where);
  if (type == "reasoning") return add_thought(messages, item, where);
  refuse(where, cat("has the type ", quote(type),
                    "; message, reasoning, function_call and function_call_output can be read here"));
}

void read_input(ResponseRequest& r, Fields& f) {
  const Json* input =
      f.value("input", "string or array", "a question, or items: message, reasoning, function_call, ...");
  if (!input) {
    if (!f.recording()) f.wrong("input", "is missing");
    return;
  }
  if (input->is_string()) {
    r.news.push_back(Json::Object{{"role", "user"}, {"content", *input}});
    return;
  }
  if (!input->is_array() || input->size() == 0) f.wrong("input", "must be a text or a list of at least one item");
  for (size_t i = 0; i < input->size(); ++i) add_item(r.news, input->as_array()[i], cat("input[", i, "]"));
  for (Json& message : r.news.as_array())
    if (message.at("content").is_null() && !message.find("tool_calls"))
      message["content"] = "";  // a thought at the end
}

void gather(Json& messages, const StoredResponse* response) {
  if (!response) return;
  gather(messages, response->previous.get());
  for (const Json& message : response->messages.as_array()) messages.push_back(message);
}

void read_conversation(ResponseRequest& r, Fields& f, const ResponseStore& store) {
  r.instructions = f.text("instructions", "system message of this response; not carried to those that continue it");
  r.previous_id = f.text("previous_response_id", "continues a stored response: its input and output come first");
  read_input(r, f);
  Json& messages = r.chat.messages = Json::array();
  if (r.instructions) messages.push_back(Json::Object{{"role", "system"}, {"content", *r.instructions}});
  if (r.previous_id) {
    r.previous = store.find(*r.previous_id);
    if (!r.previous)
      throw ApiError(400,
                     cat("there is no response ", quote(*r.previous_id, 80),
                         "; the newest are kept until the server ends, unless store is false"),
                     "previous_response_not_found", "previous_response_id");
    gather(messages, r.previous.get());
  }
  for (const Json& message : r.news.as_array()) messages.push_back(message);
  if (messages.size() > 0) check_tool_messages(messages, "input");
}

// Responses have a function's name beside its type; chat has it inside "function".
Json chat_tools(const Json& tools, std::vector<std::string>& warnings) {
  if (!tools.is_array()) return tools;
  Json out = Json::array();
  for (size_t i = 0; i < tools.size(); ++i) {
    const Json& tool = tools.as_array()[i];
    const Json* type = tool.find("type");
    if (type && type->is_string() && type->as_string() != "function") {
      warnings.push_back(
          cat("tools[", i, "]: ", quote(type->as_string(), 40), " is not offered here; the model is not told of it"));
      continue;
    }
    Json function = Json::object();
    for (const char* key : {"name", "description", "parameters", "strict"})
      if (const Json* value = tool.find(key); value && !value->is_null()) function[key] = *value;
    out.push_back(Json::Object{{"type", "function"}, {"function", function}});
  }
  return out;
}

void read_tools(ResponseRequest& r, Fields& f) {
  const Json* tools = f.value("tools", "array", "functions that the model may call; other tools are named in warnings");
  const Json* choice = f.value("tool_choice", "string or object", "as in /v1/chat/completions");
  Json body = Json::object();
  if (tools) body["tools"] = chat_tools(*tools, r.chat.warnings);
  if (choice) {
    const Json* name = choice->find("name");
    body["tool_choice"] = choice->is_object() && name
                              ? Json(Json::Object{{"type", "function"}, {"function", Json::Object{{"name", *name}}}})
                              : *choice;
  }
  Fields inner(body);
  r.chat.shape.schema_param = "parameters";
  r.chat.tools = jevons::read_tools(r.chat.shape, inner);
  r.chat.parallel_calls = f.boolean("parallel_tool_calls", "false: the answer ends with its first call").value_or(true);
  r.echoed["tools"] = tools ? *tools : Json::array();
  r.echoed["tool_choice"] = choice ? *choice : Json("auto");
  r.echoed["parallel_tool_calls"] = r.chat.parallel_calls;
}

void read_reasoning(ResponseRequest& r, Fields& f) {
  Json shown = Json::Object{{"effort", Json()}, {"summary", Json()}};
  if (const Json* reasoning = f.value("reasoning", "object", "{\"effort\": \"none\" to \"max\"}")) {
    if (!reasoning->is_object()) f.wrong("reasoning", "must be an object with an effort");
    Fields inner(*reasoning);
    if (const auto effort =
            inner.choice("effort", {"none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra"}, "")) {
      apply_effort(r.chat, *effort);
      shown["effort"] = *effort;
    }
    for (const char* key : {"summary", "generate_summary"})
      inner.without_effect(key, "the reasoning item holds the whole thought; nothing is summed up");
    inner.finish();
    for (const std::string& w : inner.warnings()) r.chat.warnings.push_back("reasoning." + w);
  }
  r.echoed["reasoning"] = shown;
}

// As response_format of a chat, but with the schema beside its type.
void read_format(AnswerShape& shape, const Json& format, const Fields& f) {
  if (!format.is_object()) f.wrong("text.format", "must be an object with a type");
  Fields inner(format);
  const auto type = inner.choice("type", {"text", "json_object", "json_schema"}, "");
  if (!type) f.wrong("text.format", "needs a type: text, json_object or json_schema");
  if (*type == "json_object") shape.kind = AnswerShape::Kind::json_object;
  if (*type != "json_schema") return;
  const Json* schema = format.find("schema");
  if (!schema) f.wrong("text.format.schema", "is missing; give a JSON Schema, or use json_object");
  read_schema(shape, *schema, "text.format.schema");
}

void read_text(ResponseRequest& r, Fields& f) {
  Json format = Json::Object{{"type", "text"}};
  if (const Json* text = f.value(
          "text", "object", "{\"format\": {\"type\": \"text\", \"json_object\" or \"json_schema\" with a schema}}")) {
    if (!text->is_object()) f.wrong("text", "must be an object with a format");
    Fields inner(*text);
    if (const Json* given = inner.value("format", "object", "")) {
      read_format(r.chat.shape, *given, f);
      format = *given;
    }
    inner.without_effect("verbosity", "accepted, without effect on a local model");
    inner.finish();
    for (const std::string& w : inner.warnings()) r.chat.warnings.push_back("text." + w);
  }
  r.echoed["text"] = Json::Object{{"format", format}};
}

void read_include(ResponseRequest& r, Fields& f) {
  for (const std::string& what :
       f.texts("include", 16, "message.output_text.logprobs: log-probabilities of the answer's tokens")) {
    if (what == "message.output_text.logprobs")
      r.logprobs = true;
    else if (what == "reasoning.encrypted_content")
      r.chat.warnings.push_back("include: " + what +
                                ": reasoning items hold the thought itself; send it back as it is");
    else
      r.chat.warnings.push_back(cat("include: ", quote(what, 60), " is nothing that is made here"));
  }
  const auto top = f.integer("top_logprobs", 0, 20, "alternatives of each token, in the log-probabilities");
  r.logprobs |= top.value_or(0) > 0;
  if (r.logprobs) r.chat.top_logprobs = static_cast<int>(top.value_or(0));
  r.echoed["top_logprobs"] = top.value_or(0);
}

void read_metadata(ResponseRequest& r, Fields& f) {
  const Json* metadata = f.value("metadata", "object", "up to 16 texts, given back with the response");
  r.echoed["metadata"] = metadata ? *metadata : Json::object();
  if (!metadata) return;
  if (!metadata->is_object() || metadata->size() > kMostMetadata)
    f.wrong("metadata", cat("must be an object of at most ", kMostMetadata, " texts"));
  for (const auto& [key, value] : metadata->as_object())
    if (key.size() > kMostKey || !value.is_string() || value.as_string().size() > kMostValue)
      f.wrong("metadata", cat("has the entry ", quote(key, 80), "; keys have at most ", kMostKey,
                              " bytes, values are texts of at most ", kMostValue));
}

void read_the_rest(ResponseRequest& r, Fields& f) {
  r.store = f.boolean("store", "false: it cannot be continued or fetched; default true, in memory only").value_or(true);
  r.echoed["store"] = r.store;
  if (f.choice("truncation", {"disabled", "auto"}, "nothing is ever cut: a prompt that does not fit is refused") ==
      "auto")
    r.chat.warnings.push_back("truncation: nothing is ever cut; a prompt that does not fit is refused");
  r.echoed["truncation"] = "disabled";
  r.chat.user = f.text("user", "whose turn it is when several wait").value_or("");
  if (r.chat.user.size() > 512) f.wrong("user", "is longer than 512 bytes");
  f.refuse("background", "is not supported; keep the connection open", Json(false));
  f.refuse("conversation", "is not supported; previous_response_id continues a response");
  f.refuse("prompt", "is not supported: this server keeps no prompts; send instructions and input");
  for (const char* name : {"service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
                           "prompt_cache_options", "max_tool_calls", "stream_options", "context_management"})
    f.without_effect(name, "accepted, without effect on a local model");
}

}  // namespace

ResponseRequest parse_response(Fields& f, const ResponseStore& store) {
  ResponseRequest r;
  r.chat.asked = f.text("model", "a name of /v1/models; empty: the default model").value_or("");
  read_conversation(r, f, store);
  r.chat.max_tokens = f.integer("max_output_tokens", 1, int64_t{1} << 40, "of thought and answer together");
  r.chat.stream = f.boolean("stream", "server-sent events").value_or(false);
  read_sampling(r.chat, f);
  read_reasoning(r, f);
  read_text(r, f);
  read_tools(r, f);
  read_include(r, f);
  read_metadata(r, f);
  read_the_rest(r, f);
  f.finish();
  for (const std::string& w : f.warnings()) r.chat.warnings.push_back(w);
  return r;
}

void ResponseStore::add(const std::string& id, StoredResponse response) {
  response.bytes = response.response.dump().size() + response.messages.dump().size();
  std::lock_guard lock(mutex_);
  bytes_ += response.bytes;
  entries_.push_back({id, std::make_shared<const StoredResponse>(std::move(response))});
  by_id_[id] = std::prev(entries_.end());
  while (entries_.size() > kMost || bytes_ > kMostBytes) drop(entries_.begin());
}

std::shared_ptr<const StoredResponse> ResponseStore::find(const std::string& id) const {
  std::lock_guard lock(mutex_);
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second->response;
}

bool ResponseStore::remove(const std::string& id) {
  std::lock_guard lock(mutex_);
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return false;
  drop(found->second);
  return true;
}

void ResponseStore::drop(std::list<Entry>::iterator entry) {
  bytes_ -= entry->response->bytes;
  by_id_.erase(entry->id);
  entries_.erase(entry);
}

}  // namespace jevons
