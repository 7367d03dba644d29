// The prompt formats of DeepSeek V3, R1 and V3.1, written directly: the same bytes as the published chat templates.
//
// Source: the chat_template texts of DeepSeek-V3, DeepSeek-R1 and DeepSeek-V3.1 (tests/golden/templates), quirks
// included:
//   V3    closes a list of tool calls only after its second call; the tool block opens once in a conversation
//   R1    drops earlier thoughts up to the last </think>; the prompt ends in "<｜Assistant｜><think>\n"
//   V3.1  opens each answer with <think> or </think>; tool calls carry no type and no code fence
// Messages are objects with "role" and "content" (null or text) and, for tool calls, "tool_calls" whose
// function.arguments are text, as the OpenAI protocol gives them. Other roles leave no trace, as in the templates.
#pragma once
#include <string>

#include "base/error.h"
#include "base/json.h"

namespace jevons {

enum class DeepSeekFormat { v3, r1, v3_1 };

// `thinking` is V3.1's switch; the others ignore it. Errors: invalid, naming the message and field that is not as
// above. Cost: O(bytes).
Result<std::string> deepseek_prompt(DeepSeekFormat format, const Json& messages, bool add_generation_prompt,
                                    bool thinking = false);

}  // namespace jevons
