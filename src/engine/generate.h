// Generate: from a prompt to text. Over the engine's tokens it streams whole characters, splits thought from answer,
// watches stop strings, keeps the thought within its budget and says why it ended.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"
#include "text/thought.h"
#include "text/tokenizer.h"

namespace jevons {

struct GenerateOptions {
  int64_t max_tokens = 0;         // of thought and answer together; 0: to the end of the context
  std::vector<std::string> stop;  // the answer ends before the first of these
  std::vector<int32_t> stop_ids;  // end-of-text tokens of the model
  bool ignore_eos = false;
  bool starts_in_thought = false;         // the prompt opened a thought
  bool split_thought = true;              // false: raw text, tags and all
  std::optional<int64_t> thought_budget;  // tokens of thought after which it is closed
};

enum class Finish { stop, length, interrupted };
const char* finish_name(Finish finish);

struct Generated {
  std::vector<int32_t> tokens;
  std::string text, reasoning;
  Finish finish = Finish::length;
  int64_t prompt_tokens = 0, cached_tokens = 0, thought_tokens = 0;
  double prompt_seconds = 0, seconds = 0;  // until the first token; from the first to the last
};

struct Piece {
  std::string_view reasoning, text;
};

enum class Interrupt { none, end_thought, end_all };

// Runs one request to its end on the calling thread. `on_piece` gets text as it becomes certain; `interrupted` is asked
// after every step and token: end_thought closes a thought and goes on to the answer, end_all keeps what there is.
Result<Generated> generate(Engine& engine, const Tokenizer& tokenizer, std::vector<int32_t> prompt,
                           const Sampling& sampling, const GenerateOptions& options,
                           const std::function<void(const Piece&)>& on_piece = {},
                           const std::function<Interrupt()>& interrupted = {},
                           const std::function<void(int64_t, int64_t)>& on_prefill = {});

}  // namespace jevons
