#include "text/tool_prompt.h"

#include "base/strings.h"

namespace jevons {
namespace {

std::string text_of(const Json& object, std::string_view key) {
  const Json* value = object.find(key);
  return value && value->is_string() ? value->as_string() : "";
}

std::string hermes_description(const Json& tools) {
  std::string out =
      "# Tools\n\nYou may call one or more functions to assist with the user query.\n\nYou are provided with function "
      "signatures within <tools></tools> XML tags:\n<tools>";
  for (const Json& tool : tools.as_array()) out += "\n" + tool.dump();
  return out +
         "\n</tools>\n\nFor each function call, return a json object with function name and arguments within "
         "<tool_call></tool_call> XML tags:\n<tool_call>\n{\"name\": <function-name>, \"arguments\": "
         "<args-json-object>}\n</tool_call>";
}

std::string deepseek_description(const Json& tools, bool fenced) {
  std::string out = "## Tools\nYou have access to the following tools:\n";
  for (const Json& tool : tools.as_array()) {
    const Json* function = tool.find("function");
    if (!function) continue;
    const Json* parameters = function->find("parameters");
    out += cat("\n### ", text_of(*function, "name"), "\nDescription: ", text_of(*function, "description"),
               "\n\nParameters: ", parameters ? parameters->dump() : "{}", "\n");
  }
  const char* call = fenced ? "<｜tool▁call▁begin｜>function<｜tool▁sep｜>tool_call_name\n```json\n"
                              "tool_call_arguments\n```<｜tool▁call▁end｜>"
                            : "<｜tool▁call▁begin｜>tool_call_name<｜tool▁sep｜>tool_call_arguments<｜tool▁call▁end｜>";
  return cat(out, "\nIMPORTANT: ALWAYS adhere to this exact format for tool use:\n<｜tool▁calls▁begin｜>", call,
             "{additional_tool_calls}<｜tool▁calls▁end｜>\n\nWhere:\n"
             "- `tool_call_name` must be an exact match to one of the available tools\n"
             "- `tool_call_arguments` must be valid JSON that strictly follows the tool's Parameters Schema\n"
             "- For multiple tool calls, chain them directly without separators or spaces");
}

std::string description(const Json& tools, ToolFormat format) {
  if (format == ToolFormat::deepseek || format == ToolFormat::deepseek_plain)
    return deepseek_description(tools, format == ToolFormat::deepseek);
  return hermes_description(tools);
}

void add_to_system(Json& messages, const std::string& text) {
  for (Json& message : messages.as_array())
    if (text_of(message, "role") == "system") {
      message["content"] = cat(text_of(message, "content"), "\n\n", text);
      return;
    }
  messages.as_array().insert(messages.as_array().begin(), Json::Object{{"role", "system"}, {"content", text}});
}

std::string call_text(const Json& call) {
  const Json* function = call.find("function");
  const Json* arguments = function ? function->find("arguments") : nullptr;
  Json name = function ? Json(text_of(*function, "name")) : Json("");
  return cat("<tool_call>\n{\"name\": ", name.dump(), ", \"arguments\": ",
             !arguments               ? "{}"
             : arguments->is_string() ? arguments->as_string()
                                      : arguments->dump(),
             "}\n</tool_call>");
}

// Calls and results as words of the assistant and the user, in the form of hermes.
Json calls_as_text(const Json& messages) {
  Json out = Json::array();
  bool after_result = false;
  for (const Json& message : messages.as_array()) {
    Json m = message;
    const bool result = text_of(m, "role") == "tool";
    if (result) {
      const std::string text = cat("<tool_response>\n", text_of(m, "content"), "\n</tool_response>");
      if (after_result) {
        Json& content = out.as_array().back()["content"];
        content = cat(content.as_string(), "\n", text);
        continue;
      }
      m = Json::Object{{"role", "user"}, {"content", text}};
    } else if (const Json* calls = m.find("tool_calls"); calls && calls->is_array()) {
      std::string text = text_of(m, "content");
      for (const Json& call : calls->as_array()) text += (text.empty() ? "" : "\n") + call_text(call);
      std::erase_if(m.as_object(), [](const auto& member) { return member.first == "tool_calls"; });
      m["content"] = text;
    }
    after_result = result;
    out.push_back(std::move(m));
  }
  return out;
}

}  // namespace

ToolUse tool_use(const ChatTemplate& chat_template) {
  ToolUse use;
  use.format = tool_format(chat_template.source());
  if (use.format == ToolFormat::none) use.format = ToolFormat::hermes;
  use.history = tool_history(chat_template);
  const Json parameters = Json::Object{{"type", "object"}, {"properties", Json::object()}};
  const Json function = Json::Object{{"name", "probe_name"}, {"description", "probe"}, {"parameters", parameters}};
  const Json tools = Json::Array{Json::Object{{"type", "function"}, {"function", function}}};
  const Json messages = Json::Array{Json::Object{{"role", "user"}, {"content", "?"}}};
  const Result<std::string> text = chat_template.render(messages, tools, true, {}, 0);
  use.describes = text.ok() && text->find("probe_name") != std::string::npos;
  return use;
}

Json tool_messages(const Json& messages, const Json& tools, const ToolUse& use) {
  Json out = use.history.writes_calls ? with_tool_history(messages, use.history) : calls_as_text(messages);
  if (!use.describes && tools.size() > 0) add_to_system(out, description(tools, use.format));
  return out;
}

}  // namespace jevons
