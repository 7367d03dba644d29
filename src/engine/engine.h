// Engine: runs several sequences on one model. A step is one ragged batch: one token of every running sequence, and as
// much of the waiting prompts as the step's budget allows. One thread calls it. Only the number of guessed tokens a
// step (engine/speculation.h) depends on a clock, and no text depends on it.
//
// A sequence's tokens depend on its own request only, bit for bit: not on what runs beside it, on how its prompt was
// cut into steps, on shared prefixes or on preemption (a sequence that must give its pages away is computed again
// later), nor on pages read from disk (engine/prefix_files.h).
#pragma once
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/drafter.h"
#include "engine/kv_pages.h"
#include "engine/kv_store.h"
#include "engine/prefix_files.h"
#include "models/decoder.h"

namespace jevons {

struct EngineOptions {
  int64_t context = 4096;     // positions a sequence may have
  int64_t cache_tokens = 0;   // positions of all sequences together; 0: `context`
  int64_t step_tokens = 512;  // tokens of one step at most (prefill chunk)
  DType cache_type = DType::f16;
  bool exact = false;  // f32 activations and dequantised weights
  bool share_prefixes = true;
  Speculation speculation = Speculation::measured;
  bool guess_by_lookup = true;      // from the sequence's own text
  bool guess_by_prediction = true;  // from the model's multi-token prediction layer, if it has one
  const Decoder* draft = nullptr;   // a small model with the same vocabulary to guess with
  DeviceKind device = DeviceKind::cpu;
  PrefixFiles* prefix_files = nullptr;  // outlives the engine; null: prefixes are kept in memory only
  std::string fingerprint{};            // of model and evaluation, for prefix_files
};

// What to do after a token: go on, or stop, or put these tokens next (they are not drawn; a budget that closes a
// thought).
struct Verdict {
  bool stop = false;
  std::vector<int32_t> force;
};

// Positions of a prompt that need not be computed: pages found in memory, and pages read from disk.
struct CachedTokens {
  int64_t memory = 0, disk = 0;
  int64_t total() const { return memory + disk; }
};

struct Request {
  std::vector<int32_t> prompt;
  Sampling sampling{};
  // Called for every token that joins the sequence after the prompt, drawn or forced; `drawn` tells which. Empty:
  // nothing is drawn, and the sequence ends with its prompt.
  std::function<Verdict(int32_t token, bool drawn)> on_token{};
  std::function<void(CachedTokens)> on_start{};
  std::function<void(int64_t done, int64_t total)> on_prefill{};  // progress of the prompt; may be empty
  // Sees the hidden states [rows, D] after the final norm of the positions from `first` on, as they are computed: every
  // position of the prompt, so such a sequence shares no prefix; after preemption some come again, with the same bits.
  std::function<void(int64_t first, const Tensor& rows)> on_hidden{};
  // Sees the logits [V] of the next token before penalties and the draw, and may lower some; may be empty.
  std::function<void(std::span<float> logits)> on_logits{};
  std::function<void(int64_t made, int64_t right)> on_guesses{};  // after a step with guesses; may be empty
  std::string scope{};  // prefixes are shared among requests of one scope (user) only
};

class Engine {
 public:
  Engine(const Decoder& model, Exec& exec, EngineOptions options);
  ~Engine();
  const EngineOptions& options() const { return options_; }

  // Refuses an empty prompt and one that does not fit (both numbers in the message).
  Result<int64_t> submit(Request request);
  void cancel(int64_t id);
  // One step; false if nothing is left to do. A sequence ends when its verdict says stop or the context is full.
  // `prompt_tokens`: of the waiting prompts, take at most so many (0: as many as the step holds), so that those who
  // already get their answer do not wait long.
  bool step(int64_t prompt_tokens = 0);
  // What the last step did: sequences that got their next token without a prompt to read, and prompt tokens read.
  struct StepSize {
    int64_t running = 0, prompt_tokens = 0;
  };
  StepSize last_step() const { return last_step_; }
  // Guessed tokens since the start, and those that came true.
  struct Guesses {
    int64_t drafted = 0, accepted = 0;
  };
  Guesses guesses() const { return guesses_; }
  // Where the prompt tokens came from that were there since the start, each counted once.
  struct PromptTokens {
    CachedTokens cached;
    int64_t computed = 0;
  };
  PromptTokens prompt_tokens() const { return prompt_tokens_; }
  // Hands at most `pages` of ended sequences to the prefix files, as long as those have room; a step hands over one.
  // True: some are left.
  bool save(int64_t pages);
  bool saving() const { return !saves_.empty(); }
  // Forgets all prefixes but those in use, and what has not been handed over.
  void forget_prefixes();
  bool runs(int64_t id) const;
  int64_t sequences() const { return static_cast<int64_t>(sequences_.size()); }
  int64_t arena_peak() const { return arena_.peak(); }

  // What of a token list to score: logits of every position or of the last, or of the prediction layer (row i predicts
  // token i + 2, the last position has no row).
  enum class Score { all, last, prediction };
  // Logits [rows, V] of a whole token list, for scoring; uses no sequence. The sink gets them piece by piece.
  void score(std::span<const int32_t> tokens, Score what,
             const std::function<void(int64_t first, const Tensor& logits)>& sink,
             const std::function<void(std::string_view, const Tensor&)>& listener = {});

 private:
  struct Sequence;
  struct Slice;
  // Where guesses come from, and how often they are right in the newest sequences. Lookup has no drafter.
  struct Source {
    std::unique_ptr<Drafter> drafter;
    Acceptance acceptance{};
  };
  // An ended sequence whose pages are to be kept.
  struct Save {
    std::vector<int32_t> tokens;
    std::string scope;
    PrefixChain chain;
    int64_t time;  // nanoseconds since 1970
    size_t next = 0;
  };
  bool begin(Sequence& s);
  void start(Sequence& s);
  bool restore(Sequence& s);
  void release(const std::vector<int32_t>& pages);
  std::vector<Slice> plan(int64_t prompt_tokens);
  bool give_pages(Sequence& s, int64_t tokens);
  void preempt_youngest(const Sequence& keep);
  void end(int64_t id);
  void forward(const std::vector<Slice>& slices);
  void draft(std::vector<Slice>& slices);
  void choose_guesses(Slice& slice, StepPlan& step, int64_t running);
  int64_t pages_for_guesses(Sequence& s, int64_t guesses);
  void follow(const std::vector<Slice>& slices);
  void forget(const Sequence& s);
  void publish(Sequence& s, int64_t before);
  void accept_all(const Slice& slice, const Tensor& logits);
  void accept(Sequence& s, std::span<float> logits);
  Ctx context(const BatchView& batch);

  const Decoder& model_;
  Exec& exec_;
  EngineOptions options_;
  KvPages pages_;
  KvStore store_;
  Arena arena_;
  std::vector<std::unique_ptr<Sequence>> sequences_;  // in order of arrival
  int64_t next_id_ = 1;
  StepSize last_step_;
  Guesses guesses_;
  PromptTokens prompt_tokens_;
  std::deque<Save> saves_;
  int64_t restored_ = 0;  // tokens read from disk in this step
  StepCosts costs_;
  std::vector<Source> sources_;
};

}  // namespace jevons
