#include "text/tool_history.h"

namespace jevons {
namespace {

Json probe() {
  const Json function = Json::Object{{"name", "probe_name"}, {"arguments", "{\"probe_key\": 1}"}};
  const Json call = Json::Object{{"id", "call_0"}, {"type", "function"}, {"function", function}};
  return Json::Array{
      Json::Object{{"role", "user"}, {"content", "?"}},
      Json::Object{{"role", "assistant"}, {"content", ""}, {"tool_calls", Json::Array{call}}},
      Json::Object{{"role", "tool"}, {"tool_call_id", "call_0"}, {"name", "probe_name"}, {"content", "!"}}};
}

}  // namespace

ToolHistory tool_history(const ChatTemplate& chat_template) {
  for (const bool null_content : {false, true})
    for (const bool argument_text : {false, true}) {
      const ToolHistory form{true, argument_text, null_content};
      const Result<std::string> text = chat_template.render(with_tool_history(probe(), form), {}, true, {}, 0);
      if (text.ok() && text->find("probe_name") != std::string::npos &&
          text->find("{\"probe_key\"") != std::string::npos)
        return form;
    }
  return {};
}

Json with_tool_history(const Json& messages, const ToolHistory& history) {
  Json out = messages;
  for (Json& message : out.as_array()) {
    const Json* found = message.find("tool_calls");
    if (!found || !found->is_array()) continue;
    Json& content = message["content"];
    if (content.is_null() || (content.is_string() && content.as_string().empty()))
      content = history.null_content ? Json() : Json("");
    for (Json& call : message["tool_calls"].as_array()) {
      const Json* function = call.find("function");
      const Json* arguments = function ? function->find("arguments") : nullptr;
      if (!arguments || !arguments->is_string() || history.argument_text) continue;
      Result<Json> value = Json::parse(arguments->as_string());
      if (value.ok()) call["function"]["arguments"] = std::move(value).value();
    }
  }
  return out;
}

}  // namespace jevons
