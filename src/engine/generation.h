// Generation: what becomes of one sequence's tokens. Token by token it streams whole characters, splits thought from
// answer, watches stop strings, closes a thought that is too long or repeats itself, and says why it ended.
//
// It is fed by an engine (`request`) and read by whoever shows the text: generate() for one answer, the server for
// many.
//
// A stop string ends the answer where it first becomes complete in the stream of characters (of several that end there,
// the longest counts), so the text does not depend on how it was cut into tokens. Nothing that may become one is given
// out before.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"
#include "text/grammar/matcher.h"
#include "text/thought.h"
#include "text/tokenizer.h"
#include "text/tool_calls.h"

namespace jevons {

// The functions that the answer may call.
struct ToolOptions {
  ToolFormat format = ToolFormat::none;  // how this model writes calls; none: all is text
  std::vector<std::string> names{};
  std::function<std::string(int64_t)> new_id{};  // an id for the call of this index
  bool parallel = true;                          // false: the answer ends with its first call
};

struct GenerateOptions {
  int64_t max_tokens = 0;           // of thought and answer together; 0: to the end of the context
  std::vector<std::string> stop{};  // the answer ends before the first of these
  std::vector<int32_t> stop_ids{};  // end-of-text tokens of the model
  bool ignore_eos = false;
  bool starts_in_thought = false;           // the prompt opened a thought
  bool split_thought = true;                // false: raw text, tags and all
  std::optional<int64_t> thought_budget{};  // tokens of thought after which it is closed
  int64_t answer_allowance = 0;             // tokens of max_tokens (or of the context) that a thought must leave
  bool break_loops = false;                 // closes a thought that goes round in circles
  int logprobs = -1;                        // < 0: none; else how many alternatives of each token are kept
  ToolOptions tools{};
  // What everything after the prompt must look like, thought and calls included; null: anything. Only tokens that fit
  // are drawn, the end only where the text may end, and it ends by itself where nothing may follow. Its vocabulary has
  // stop_ids as ends. Not with ignore_eos. Guessed tokens (speculation) change nothing about it: each is drawn from its
  // own row under its own mask.
  std::shared_ptr<TokenMasks> grammar{};
};

enum class Finish { stop, length, interrupted };
const char* finish_name(Finish finish);

struct Generated {
  std::vector<int32_t> tokens;
  std::string text, reasoning;
  std::vector<ToolCall> calls;  // not part of the text
  Finish finish = Finish::length;
  std::string stop_string;                        // the one that ended it
  bool loop_closed = false, thought_cut = false;  // the thought was closed by the loop breaker; by budget or allowance
  bool calls_recovered = false;                   // the calls stood in a thought that was never closed
  bool stuck = false;                             // ended because no token of the vocabulary fits the grammar
  int64_t prompt_tokens = 0, thought_tokens = 0;
  int64_t cached_tokens = 0, disk_tokens = 0;  // of the prompt: not computed; of these, read from disk
  int64_t guessed = 0, guessed_right = 0;      // tokens guessed ahead (engine/speculation.h), and those that came true
  double prompt_seconds = 0, seconds = 0;      // until the first token; from the first to the last
  double thought_seconds = 0;                  // of `seconds`, until the thought was closed
};

// One token with what the model thought of it, before penalties and constraints.
struct TokenChoice {
  int32_t id = 0;
  bool thought = false;
  bool drawn = true;                                 // false: put there (a closed thought); it has no probability
  float logprob = 0;                                 // natural logarithm
  float entropy = 0;                                 // of the whole distribution, nats
  std::vector<std::pair<int32_t, float>> likeliest;  // (id, logprob), most likely first
};

// What logits [V] say of token `id`: log-softmax, entropy, and the `likeliest` most probable tokens. Cost: O(V).
TokenChoice weigh(std::span<const float> logits, int32_t id, int likeliest);

// What became certain: text, or something of a tool call (never both, never Kind::text).
struct Piece {
  std::string_view reasoning, text;
  std::span<const TokenChoice> tokens;  // it came from: all since the last piece; empty unless logprobs are wanted
  std::span<const ToolEvent> calls = {};
};

enum class Interrupt { none, end_thought, end_all };

// Tells whether the newest tokens repeat one block over and over: at least four times and 96 tokens. Cost: O(128).
class LoopDetector {
 public:
  bool push(int32_t token);

 private:
  static constexpr size_t kLongest = 128;
  std::vector<int32_t> tokens_;
  std::vector<int64_t> same_ = std::vector<int64_t>(kLongest + 1);  // how long tokens[i] == tokens[i - period] has held
};

class Generation {
 public:
  using OnPiece = std::function<void(const Piece&)>;
  // `room`: tokens that the context has after the prompt. `interrupted` is asked after every token.
  Generation(const Tokenizer& tokenizer, GenerateOptions options, int64_t room, OnPiece on_piece,
             std::function<Interrupt()> interrupted = {});

  // The request whose tokens feed this object, which must outlive it.
  Request request(std::vector<int32_t> prompt, Sampling sampling);

  // After the last token: gives out what was held back and closes the account.
  const Generated& finish();
  void interrupt() { out_.finish = Finish::interrupted; }
  bool in_thought() const { return options_.split_thought && thought_.in_thought(); }
  Generated& result() { return out_; }

 private:
  class StopScanner {
   public:
    explicit StopScanner(const std::vector<std::string>& stops) : stops_(stops) {}
    const std::string* hit() const { return hit_; }
    std::string push(std::string_view text);
    std::string flush() { return std::exchange(held_, {}); }

   private:
    const std::vector<std::string>& stops_;
    std::string held_;
    const std::string* hit_ = nullptr;
  };

  Verdict token(int32_t id, bool drawn);
  Verdict end(Finish why);
  bool must_close(Interrupt wish);
  TokenChoice choice(int32_t id, bool drawn) const;
  void emit(const std::string& text);
  void deliver(const std::string& reasoning, const std::string& text);
  void deliver(std::vector<ToolEvent> events);
  void give(const Piece& piece);
  void recover_calls();

  const Tokenizer& tokenizer_;
  const GenerateOptions options_;
  int64_t thought_limit_;
  OnPiece on_piece_;
  std::function<Interrupt()> interrupted_;
  Generated out_;
  StreamDecoder decoder_;
  ThoughtParser thought_;
  StopScanner scanner_;
  std::optional<ToolCallParser> calls_;
  std::optional<GrammarMatcher> matcher_;
  LoopDetector loop_;
  std::vector<float> logits_;  // of the position being drawn, if logprobs are wanted
  std::vector<TokenChoice> choices_;
  bool closing_ = false, called_ = false;
  double start_ = 0, first_ = 0, last_ = 0, thought_end_ = 0;
};

}  // namespace jevons
