// Runs a chat request on the service and tells a sink what happens. A sink writes one API's form of it: the events of a
// stream, or one body at the end. All calls come on the service's thread.
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "serve/api/chat_request.h"
#include "serve/http/http.h"
#include "serve/service.h"

namespace jevons {

struct ChatTimings {
  double queue = 0, load = 0;  // seconds until the model was there; until its turn came
};

class ChatSink {
 public:
  virtual ~ChatSink() = default;
  // The request is accepted and its prompt is known.
  virtual void begin(const ChatRequest& request, const PreparedChat& prepared, const Model& model) = 0;
  virtual void piece(int64_t choice, const Piece& piece) = 0;
  virtual void choice_end(int64_t choice, const Generated& result) = 0;
  virtual void end(const ChatTimings& timings) = 0;
  virtual void fail(const ApiError& error) = 0;
};

// The chats that run, by the id their client knows: for stop and answer now. And what is to be known of those that
// called tools and will go on.
class ActiveChats {
 public:
  void add(const std::string& id, const std::shared_ptr<Ticket>& ticket);
  void remove(const std::string& id);
  // False: no such chat. `action`: "stop" or "answer_now".
  bool control(const std::string& id, const std::string& action);

  ThoughtMemory thoughts;  // of chats that wait for the results of tools; for the service's thread

 private:
  std::mutex mutex_;
  std::map<std::string, std::vector<std::shared_ptr<Ticket>>> tickets_;
};

// Called on the service's thread. The chat ends when `reply`'s client goes away.
void run_chat(Service& service, ActiveChats& active, const std::string& id, ChatRequest request, Reply reply,
              std::shared_ptr<ChatSink> sink);

// A random version 4 UUID.
std::string new_uuid();

}  // namespace jevons
