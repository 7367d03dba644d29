#include "serve/api/tool_request.h"

#include <algorithm>
#include <random>
#include <set>

#include "base/strings.h"

namespace jevons {
namespace {

constexpr size_t kMostTools = 128, kLongestName = 64;

[[noreturn]] void refuse(const std::string& where, const std::string& what) {
  throw ApiError(400, cat(where, " ", what), "invalid_value", where);
}

const Json& member(const Json& object, const char* key, const std::string& where) {
  const Json* found = object.find(key);
  if (!found || found->is_null()) refuse(cat(where, ".", key), "is missing");
  return *found;
}

std::string text_member(const Json& object, const char* key, const std::string& where) {
  const Json& value = member(object, key, where);
  if (!value.is_string() || value.as_string().empty()) refuse(cat(where, ".", key), "must be a text that is not empty");
  return value.as_string();
}

void check_call(const Json& call, const std::string& where, std::set<std::string>& ids) {
  ids.insert(text_member(call, "id", where));
  const Json& function = member(call, "function", where);
  text_member(function, "name", where + ".function");
  const Json& arguments = member(function, "arguments", where + ".function");
  if (!arguments.is_string() && !arguments.is_object())
    refuse(where + ".function.arguments", cat("is ", arguments.type_name(), ", expected JSON as text"));
}

bool valid_name(const Json* name) {
  if (!name || !name->is_string() || name->as_string().empty() || name->as_string().size() > kLongestName) return false;
  return name->as_string().find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.:") ==
         std::string::npos;
}

}  // namespace

std::string new_call_id(CallIds style, int64_t index) {
  static constexpr std::string_view kLetters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  static thread_local std::random_device random;  // not to be guessed: an id opens the thought remembered for it
  std::string out = style == CallIds::deepseek    ? cat("call_", index < 10 ? "0" : "", index, "_")
                    : style == CallIds::anthropic ? "toolu_"
                                                  : "call_";
  std::uniform_int_distribution<size_t> letter(0, kLetters.size() - 1);
  for (int i = 0; i < (style == CallIds::deepseek ? 22 : 24); ++i) out += kLetters[letter(random)];
  return out;
}

void check_tools(const Json& tools, const Fields& f) {
  if (!tools.is_array() || tools.size() > kMostTools)
    f.wrong("tools", cat("must be a list of at most ", kMostTools, " functions"));
  std::set<std::string> names;
  for (size_t i = 0; i < tools.size(); ++i) {
    const Json* function = tools.as_array()[i].find("function");
    const Json* name = function ? function->find("name") : nullptr;
    if (!valid_name(name))
      f.wrong(
          cat("tools[", i, "]"),
          "needs {\"type\": \"function\", \"function\": {\"name\": ...}}, a name of 1 to 64 letters, digits, _ or -");
    if (!names.insert(name->as_string()).second)
      f.wrong(cat("tools[", i, "]"), cat("has the name ", quote(name->as_string()), " of another tool"));
    if (const Json* parameters = function->find("parameters");
        parameters && !parameters->is_object() && !parameters->is_null())
      f.wrong(cat("tools[", i, "].function.parameters"), "must be a JSON Schema, an object");
  }
}

void force_calls(AnswerShape& shape, const Json& tools, const std::string& only) {
  const auto named = [&](const Json& tool) { return tool.at("function").at("name").as_string() == only; };
  if (tools.size() == 0)
    throw ApiError(400, "'tool_choice' forces a call, but there are no 'tools'", "invalid_value", "tool_choice");
  if (!only.empty() && std::none_of(tools.as_array().begin(), tools.as_array().end(), named))
    throw ApiError(400, cat("'tool_choice' names the function ", quote(only, 80), ", which is not among the 'tools'"),
                   "invalid_value", "tool_choice");
  shape.calls_forced = true;
  shape.only = only;
}

Json read_tools(AnswerShape& shape, Fields& f) {
  const Json* tools = f.value("tools", "array", "functions that the model may call; [{\"type\": \"function\", ...}]");
  const Json* choice =
      f.value("tool_choice", "string or object",
              "none, auto, required, or {\"type\": \"function\", \"function\": {\"name\"}}: whether to call");
  if (tools) check_tools(*tools, f);
  const Json* function = choice ? choice->find("function") : nullptr;
  const Json* only = function ? function->find("name") : nullptr;
  const std::string word = choice && choice->is_string() ? choice->as_string() : "";
  if (choice && word != "none" && word != "auto" && word != "required" && !(only && only->is_string()))
    f.wrong("tool_choice",
            "must be none, auto, required or {\"type\": \"function\", \"function\": {\"name\": \"...\"}}");
  if (word == "required" || only) force_calls(shape, tools ? *tools : Json::array(), only ? only->as_string() : "");
  return !tools || word == "none" || tools->size() == 0 ? Json() : *tools;
}

void check_tool_messages(const Json& messages, const char* param) {
  std::set<std::string> ids;
  for (size_t i = 0; i < messages.size(); ++i) {
    const Json& message = messages.as_array()[i];
    const std::string where = cat(param, "[", i, "]");
    if (const Json* calls = message.find("tool_calls")) {
      if (message.at("role").as_string() != "assistant")
        refuse(where + ".tool_calls", "is for assistant messages only");
      for (size_t c = 0; c < calls->size(); ++c)
        check_call(calls->as_array()[c], cat(where, ".tool_calls[", c, "]"), ids);
    }
    if (message.at("role").as_string() != "tool") continue;
    const std::string id = text_member(message, "tool_call_id", where);
    if (!ids.contains(id))
      refuse(where + ".tool_call_id", cat("is ", quote(id, 80),
                                          ", but no assistant message before it has a tool call "
                                          "with this id; send the message with the tool_calls, too"));
  }
}

Json tool_calls_json(const std::vector<ToolCall>& calls, bool with_index) {
  Json out = Json::array();
  for (size_t i = 0; i < calls.size(); ++i) {
    Json call = Json::object();
    if (with_index) call["index"] = i;
    call["id"] = calls[i].id;
    call["type"] = "function";
    call["function"] = Json::Object{{"name", calls[i].name}, {"arguments", calls[i].arguments}};
    out.push_back(call);
  }
  return out;
}

void ThoughtMemory::remember(const std::vector<ToolCall>& calls, const std::string& thought) {
  if (thought.empty() || thought.size() > kMostBytes) return;
  const auto shared = std::make_shared<const std::string>(thought);
  for (const ToolCall& call : calls) {
    if (by_id_.contains(call.id)) continue;
    entries_.push_back({call.id, shared});
    by_id_[call.id] = std::prev(entries_.end());
    bytes_ += thought.size();
  }
  while (entries_.size() > kMostCalls || bytes_ > kMostBytes) {
    bytes_ -= entries_.front().thought->size();
    by_id_.erase(entries_.front().id);
    entries_.pop_front();
  }
}

void ThoughtMemory::recall(Json& messages) const {
  if (!messages.is_array()) return;
  for (Json& message : messages.as_array()) {
    const Json* calls = message.find("tool_calls");
    if (!calls || !calls->is_array() || message.find("reasoning_content")) continue;
    for (const Json& call : calls->as_array()) {
      const Json* id = call.find("id");
      const auto known = id && id->is_string() ? by_id_.find(id->as_string()) : by_id_.end();
      if (known == by_id_.end()) continue;
      message["reasoning_content"] = *known->second->thought;
      break;
    }
  }
}

}  // namespace jevons
