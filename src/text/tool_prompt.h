// How a model is told which functions it may call and which calls were made before: by its template as far as that
// writes them, else in the messages themselves.
//
// Texts: for DeepSeek's forms that of the model card of DeepSeek-V3.1 (V3 and R1: with their form of a call); for
// templates that know no tools at all that of Qwen 2.5, whose form (hermes) such models then have to use.
#pragma once
#include "text/tool_calls.h"
#include "text/tool_history.h"

namespace jevons {

struct ToolUse {
  ToolFormat format = ToolFormat::hermes;  // in which the model calls
  bool describes = false;                  // the template writes the list of tools
  ToolHistory history;
};

// Found by trying, as tool_history.
ToolUse tool_use(const ChatTemplate& chat_template);

// The messages (OpenAI protocol) for the template, with what it does not write itself: calls and results as text, the
// list of `tools` (null: none) at the end of the system message.
Json tool_messages(const Json& messages, const Json& tools, const ToolUse& use);

}  // namespace jevons
