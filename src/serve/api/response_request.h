// A request of OpenAI's Responses API (https://platform.openai.com/docs/api-reference/responses) as a ChatRequest, and
// the finished responses that later ones continue.
#pragma once
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "serve/api/chat_request.h"

namespace jevons {

struct StoredResponse;

struct ResponseRequest {
  ChatRequest chat;           // its messages: instructions, those of the response before, then the input
  Json news = Json::array();  // the input as messages
  std::optional<std::string> instructions, previous_id;
  std::shared_ptr<const StoredResponse> previous;
  bool store = true;
  bool logprobs = false;         // include: message.output_text.logprobs
  Json echoed = Json::object();  // what a response repeats of its request: tools, text, metadata, ...
};

// One response that was stored. Those that continue another share what it holds.
struct StoredResponse {
  Json response;  // as GET gives it
  Json messages;  // input and output as templates take them, without instructions
  std::shared_ptr<const StoredResponse> previous;
  size_t bytes = 0;
};

// The newest responses, at most 1,000 and 64 MiB, in memory only. For any thread.
class ResponseStore {
 public:
  void add(const std::string& id, StoredResponse response);
  std::shared_ptr<const StoredResponse> find(const std::string& id) const;  // null: unknown, or forgotten
  bool remove(const std::string& id);

 private:
  static constexpr size_t kMost = 1000, kMostBytes = size_t{64} << 20;
  struct Entry {
    std::string id;
    std::shared_ptr<const StoredResponse> response;
  };
  void drop(std::list<Entry>::iterator entry);
  mutable std::mutex mutex_;
  std::list<Entry> entries_;  // oldest first
  std::unordered_map<std::string, std::list<Entry>::iterator> by_id_;
  size_t bytes_ = 0;
};

// Reads a body of /responses. Throws ApiError for what cannot be, and for an unknown previous_response_id.
ResponseRequest parse_response(Fields& f, const ResponseStore& store);

}  // namespace jevons
