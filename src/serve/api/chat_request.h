// ChatRequest: one conversation to be continued, whatever API it came by. Each API parses its own body into this, and
// writes the events of the run (chat_run.h) in its own form.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/generation.h"
#include "engine/model.h"
#include "serve/api/answer_shape.h"
#include "serve/api/fields.h"
#include "serve/api/tool_request.h"

namespace jevons {

// Whose rules: OpenAI's, or DeepSeek's own (paths without /v1, and /beta).
enum class Dialect { openai, deepseek };

struct ChatRequest {
  std::string model;  // served name; see Service::resolve
  std::string asked;  // as the client wrote it, and gets it back
  Json messages;      // as templates take them: role, content (text), tool_calls, ...
  Json tools;         // OpenAI's form, each with a function.name; null if there are none
  CallIds call_ids = CallIds::openai;
  bool parallel_calls = true;  // false: the answer ends with its first call
  AnswerShape shape;
  bool continues = false;  // the last message is an assistant's, to be continued (prefix)

  std::optional<bool> think;  // nothing said: as the model does by itself
  std::optional<int64_t> thought_budget;
  std::optional<double> temperature, top_p, min_p, presence_penalty, frequency_penalty, repetition_penalty;
  std::optional<int64_t> top_k, seed, max_tokens;
  std::unordered_map<int32_t, double> logit_bias;
  std::vector<std::string> stop;
  int64_t n = 1;
  int top_logprobs = -1;  // < 0: none
  bool stream = false, include_usage = false;
  bool ignore_eos = false;
  std::string user;
  std::vector<std::string> warnings;
  std::shared_ptr<void> place;  // among the waiting requests, until the job is submitted
};

// Reads a body of /chat/completions.
ChatRequest parse_chat(Fields& f, Dialect dialect);

// Temperature, top_p, ..., penalties, seed and logit_bias.
void read_sampling(ChatRequest& request, Fields& f);
// What they come to over the model's own defaults; a random seed where none is given.
Sampling sampling_of(const ChatRequest& request, const Model& model);

// The messages of a request in the form that templates take: content parts joined to text, `developer` as `system`.
// Throws ApiError with the message's place for what cannot be: another role, an image, a missing content.
Json plain_messages(const Json& messages, const char* param);
Json plain_message(const Json& message, const std::string& where);

// Thought switch and budget of a reasoning effort: none, minimal, low, medium, high, xhigh, max, ultra.
void apply_effort(ChatRequest& request, const std::string& effort);

// The same for a loaded model: prompt, sampling, options. Throws ApiError if the prompt does not fit or the template
// refuses the conversation.
struct PreparedChat {
  std::string text;  // the prompt
  std::vector<int32_t> prompt;
  Sampling sampling;
  GenerateOptions options;
};
PreparedChat prepare_chat(const ChatRequest& request, const Model& model);
// What the answer's grammar depends on; GenerateOptions::grammar is made from it. Throws ApiError for what excludes it.
AnswerGrammar answer_grammar(const ChatRequest& request, const PreparedChat& prepared, const Model& model);
std::string render_prompt(const ChatRequest& request, const Model& model);

}  // namespace jevons
