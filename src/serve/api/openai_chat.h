// The reply of /chat/completions in OpenAI's and DeepSeek's form, as one body or as a stream of server-sent events.
//   OpenAI: https://platform.openai.com/docs/api-reference/chat   DeepSeek: https://api-docs.deepseek.com
// They differ in the id (chatcmpl-..., a UUID), in the first event, and in where a stream's usage stands. Both carry
// `reasoning_content`, `timings` (milliseconds) and `warnings`.
#pragma once
#include <memory>

#include "serve/api/chat_run.h"

namespace jevons {

std::shared_ptr<ChatSink> openai_chat_sink(Dialect dialect, std::string id, Reply reply);

// {"prompt_tokens", "completion_tokens", ..., both APIs' fields} of all choices.
Json usage_json(const std::vector<Generated>& choices);
Json timings_json(const ChatTimings& timings, const std::vector<Generated>& choices);
// {"token", "logprob", "bytes", "top_logprobs"}
Json token_json(const TokenChoice& choice, const Tokenizer& tokenizer);

}  // namespace jevons
