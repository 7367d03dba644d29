// What is particular to tool calls in requests and replies: ids, the checks of a history, and the thoughts that belong
// to calls.
#pragma once
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/json.h"
#include "serve/api/answer_shape.h"
#include "serve/api/fields.h"
#include "text/tool_calls.h"

namespace jevons {

// call_ + 24 characters; call_NN_ + 22, NN being the call's index; toolu_ + 24.
enum class CallIds { openai, deepseek, anthropic };
std::string new_call_id(CallIds style, int64_t index);

// Reads `tools` (OpenAI's form) and `tool_choice`; null if the model may not call.
Json read_tools(AnswerShape& shape, Fields& f);
// At most 128 functions with names that differ, each with a schema that is an object, or none.
void check_tools(const Json& tools, const Fields& f);
// Calls are forced, of the function `only` if it is not empty. Throws ApiError{400} if there is none such.
void force_calls(AnswerShape& shape, const Json& tools, const std::string& only);

// Every call has an id, a name and arguments; every tool message answers a call before it. Throws ApiError{400}.
void check_tool_messages(const Json& messages, const char* param);

// The calls of a finished answer as OpenAI has them; with their index as DeepSeek does.
Json tool_calls_json(const std::vector<ToolCall>& calls, bool with_index);

// The thoughts before calls, by the calls' ids: many clients do not send them back with the results, and a model that
// has lost its thought answers worse. Holds the newest 4096 calls and 64 MiB. For one thread.
class ThoughtMemory {
 public:
  void remember(const std::vector<ToolCall>& calls, const std::string& thought);
  // Gives each message that calls and has no reasoning_content the thought that is known for its calls.
  void recall(Json& messages) const;

 private:
  static constexpr size_t kMostCalls = 4096, kMostBytes = size_t{64} << 20;
  struct Entry {
    std::string id;
    std::shared_ptr<const std::string> thought;  // shared by the calls of one answer
  };
  std::list<Entry> entries_;  // oldest first
  std::unordered_map<std::string, std::list<Entry>::iterator> by_id_;
  size_t bytes_ = 0;
};

}  // namespace jevons
