// The reply of /responses: one body, or a stream of typed events.
//   https://platform.openai.com/docs/api-reference/responses-streaming
// A thought is an item of type "reasoning", the answer a "message", each call a "function_call"; the stream opens an
// item, gives its deltas and closes it before the next. Both forms are made of the same items. There is no [DONE].
#pragma once
#include <memory>
#include <string>

#include "serve/api/chat_run.h"
#include "serve/api/response_request.h"

namespace jevons {

// `store` gets the response when it has ended, if the request says so.
std::shared_ptr<ChatSink> response_sink(std::string id, ResponseRequest request, ResponseStore& store, Reply reply);

}  // namespace jevons
