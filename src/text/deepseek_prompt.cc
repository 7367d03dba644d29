#include "text/deepseek_prompt.h"

#include "base/strings.h"

namespace jevons {
namespace {

constexpr std::string_view kBegin = "<｜begin▁of▁sentence｜>", kEnd = "<｜end▁of▁sentence｜>";
constexpr std::string_view kUser = "<｜User｜>", kAssistant = "<｜Assistant｜>";
constexpr std::string_view kThink = "<think>", kThinkEnd = "</think>";
constexpr std::string_view kCalls = "<｜tool▁calls▁begin｜>", kCallsEnd = "<｜tool▁calls▁end｜>";
constexpr std::string_view kCall = "<｜tool▁call▁begin｜>", kCallEnd = "<｜tool▁call▁end｜>", kSep = "<｜tool▁sep｜>";
constexpr std::string_view kOutputs = "<｜tool▁outputs▁begin｜>", kOutputsEnd = "<｜tool▁outputs▁end｜>";
constexpr std::string_view kOutput = "<｜tool▁output▁begin｜>", kOutputEnd = "<｜tool▁output▁end｜>";

const std::string& text_at(const Json& object, std::string_view key, const std::string& where) {
  const Json* value = object.find(key);
  if (!value || !value->is_string())
    throw Error(Code::invalid,
                cat(where, ".", key, ": expected a text, found ", value ? value->type_name() : "nothing"));
  return value->as_string();
}

class Writer {
 public:
  Writer(DeepSeekFormat format, bool thinking) : format_(format), thinking_(thinking) {}

  std::string run(const Json& messages, bool add_generation_prompt) {
    if (!messages.is_array())
      throw Error(Code::invalid, cat("messages: expected an array, found ", messages.type_name()));
    put(kBegin, system_prompt(messages.as_array()));
    for (size_t i = 0; i < messages.size(); ++i) {
      where_ = cat("messages[", i, "]");
      const Json& message = messages.as_array()[i];
      const std::string& role = text_at(message, "role", where_);
      if (role == "user") user(message);
      if (role == "assistant") calls_tools(message) ? calls(message) : answer(message);
      if (role == "tool") output(message);
    }
    if (in_tool_ && format_ != DeepSeekFormat::v3_1) put(kOutputsEnd);
    if (add_generation_prompt && !in_tool_) open_answer();
    return std::move(out_);
  }

 private:
  template <class... Parts>
  void put(const Parts&... parts) {
    ((out_ += parts), ...);
  }
  const std::string& content(const Json& message) const { return text_at(message, "content", where_); }

  static std::string system_prompt(const Json::Array& messages) {
    std::string prompt;
    bool first = true;
    for (size_t i = 0; i < messages.size(); ++i) {
      const std::string where = cat("messages[", i, "]");
      if (text_at(messages[i], "role", where) != "system") continue;
      if (!first) prompt += "\n\n";
      prompt += text_at(messages[i], "content", where);
      first = false;
    }
    return prompt;
  }

  void user(const Json& message) {
    in_tool_ = false;
    after_user_ = true;
    if (format_ == DeepSeekFormat::v3_1) calls_open_ = false;
    put(kUser, content(message));
  }

  bool calls_tools(const Json& message) const {
    const Json *calls = message.find("tool_calls"), *text = message.find("content");
    if (format_ == DeepSeekFormat::v3) return text && text->is_null();
    if (format_ == DeepSeekFormat::r1) return calls != nullptr;
    return calls && !calls->is_null();
  }

  void calls(const Json& message) {
    const Json* list = message.find("tool_calls");
    if (list && !list->is_array())
      throw Error(Code::invalid, cat(where_, ".tool_calls: expected an array, found ", list->type_name()));
    in_tool_ = false;
    if (format_ == DeepSeekFormat::v3_1) {
      if (after_user_) put(kAssistant, kThinkEnd);
      calls_open_ = false;
    }
    after_user_ = false;
    for (size_t i = 0; list && i < list->size(); ++i)
      call(message, list->as_array()[i], cat(where_, ".tool_calls[", i, "]"));
    if (format_ != DeepSeekFormat::v3) put(kCallsEnd, kEnd);
  }

  void call(const Json& message, const Json& call, const std::string& where) {
    const bool first = !std::exchange(calls_open_, true);
    if (first) {
      if (format_ != DeepSeekFormat::v3_1) put(kAssistant);
      if (const Json* text = message.find("content"); !text || !text->is_null()) put(content(message));
      put(kCalls);
    } else if (format_ != DeepSeekFormat::v3_1) {
      put("\n");
    }
    const Json* function = call.find("function");
    if (!function) throw Error(Code::invalid, cat(where, ".function: expected an object, found nothing"));
    const std::string inside = where + ".function";
    const std::string &name = text_at(*function, "name", inside), &arguments = text_at(*function, "arguments", inside);
    if (format_ == DeepSeekFormat::v3_1)
      put(kCall, name, kSep, arguments, kCallEnd);
    else
      put(kCall, text_at(call, "type", where), kSep, name, "\n```json\n", arguments, "\n```", kCallEnd);
    if (!first && format_ == DeepSeekFormat::v3) put(kCallsEnd, kEnd);
  }

  void answer(const Json& message) {
    std::string_view text = content(message);
    if (format_ == DeepSeekFormat::v3_1) {
      const Json* prefix = message.find("prefix");
      const bool opens = thinking_ && prefix && prefix->is_bool() && prefix->as_bool();
      if (std::exchange(after_user_, false)) put(kAssistant, opens ? kThink : kThinkEnd);
      const size_t at = text.find(kThinkEnd);
      if (!in_tool_ && at != text.npos) text = text.substr(at + kThinkEnd.size());
    } else if (in_tool_) {
      put(kOutputsEnd);
    } else {
      const size_t at = text.rfind(kThinkEnd);
      if (format_ == DeepSeekFormat::r1 && at != text.npos) text = text.substr(at + kThinkEnd.size());
      put(kAssistant);
    }
    in_tool_ = false;
    put(text, kEnd);
  }

  void output(const Json& message) {
    in_tool_ = true;
    after_user_ = false;
    if (format_ != DeepSeekFormat::v3_1) {
      if (!std::exchange(outputs_open_, true))
        put(kOutputs);
      else if (format_ == DeepSeekFormat::v3)
        put("\n");
    }
    put(kOutput, content(message), kOutputEnd);
  }

  void open_answer() {
    if (format_ == DeepSeekFormat::v3) put(kAssistant);
    if (format_ == DeepSeekFormat::r1) put(kAssistant, kThink, "\n");
    if (format_ == DeepSeekFormat::v3_1 && after_user_) put(kAssistant, thinking_ ? kThink : kThinkEnd);
  }

  DeepSeekFormat format_;
  bool thinking_;
  std::string out_, where_;
  bool in_tool_ = false;       // the last message was a tool's output
  bool after_user_ = false;    // the last message was the user's (V3.1)
  bool calls_open_ = false;    // a tool call was written: in the conversation (V3, R1), in this turn (V3.1)
  bool outputs_open_ = false;  // a tool output was written in the conversation
};

}  // namespace

Result<std::string> deepseek_prompt(DeepSeekFormat format, const Json& messages, bool add_generation_prompt,
                                    bool thinking) {
  try {
    return Writer(format, thinking).run(messages, add_generation_prompt);
  } catch (const Error& error) {
    return error;
  }
}

}  // namespace jevons
