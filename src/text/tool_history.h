// In which of its forms a chat template wants the tool calls of earlier messages: published templates differ in whether
// function.arguments is an object or its text, and in whether a message without words has the content "" or null. Found
// by trying: the first form (in this order) in which the template writes a call's name and plain arguments.
#pragma once
#include "text/chat_template.h"

namespace jevons {

struct ToolHistory {
  bool writes_calls = false;   // false: no form works, the template does not write calls at all
  bool argument_text = false;  // arguments as text; else as an object
  bool null_content = false;   // a message of calls alone has the content null; else ""
};

// Cost: at most four renderings of three short messages.
ToolHistory tool_history(const ChatTemplate& chat_template);

// `messages` of the OpenAI protocol (arguments as text) in the template's form. Arguments that are no JSON stay text.
Json with_tool_history(const Json& messages, const ToolHistory& history);

}  // namespace jevons
