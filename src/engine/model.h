// Model: everything that turns messages into an answer: checkpoint, weights, tokenizer, chat template, the authors'
// sampling defaults, and an engine. Loaded once; used by every command that runs a model.
#pragma once
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "engine/generate.h"
#include "models/loader.h"
#include "text/chat_template.h"

namespace jevons {

// Does the model need a tokenizer and a chat template? if_there: without one it still takes and gives ids.
enum class Text { needed, if_there, none };

struct ModelOptions {
  int threads = 1;
  int64_t context = 0;  // 0: what the model allows, at most what memory holds
  bool exact = false;
  bool ref = false;  // the float64 reference back end
  bool expanded = false;
  DType cache_type = DType::f16;
  Speculation speculation = Speculation::measured;
  bool guess_by_lookup = true, guess_by_prediction = true;  // EngineOptions
  std::filesystem::path draft{};                            // a small model of the same tokenizer to guess with
  int64_t cache_contexts = 1;  // the cache holds so many whole contexts at most, fewer where memory is short
  Text text = Text::needed;
  PrefixFiles* prefix_files = nullptr;  // where prefixes are kept; outlives the model; null: in memory only
};

class Model {
 public:
  static Result<std::unique_ptr<Model>> load(const std::filesystem::path& path, const ModelOptions& options);

  const Checkpoint& checkpoint() const { return checkpoint_; }
  const Config& config() const { return decoder_->config(); }
  const Decoder& decoder() const { return *decoder_; }
  // With Text::if_there and no tokenizer in the files: one whose tokens have no text, and has_text() is false.
  const Tokenizer& tokenizer() const { return *tokenizer_; }
  bool has_text() const { return has_text_; }
  const ChatTemplate* chat_template() const { return template_ ? &*template_ : nullptr; }
  Engine& engine() { return *engine_; }
  Exec& exec() { return exec_; }
  std::vector<int32_t> stop_ids() const { return stop_ids_; }
  // generation_config.json: temperature, top_k, top_p, ... of the model card. Without one: temperature 0.6, top-p 0.95.
  Sampling default_sampling() const { return sampling_; }

  // The prompt text of a conversation. `think` off: templates that know enable_thinking get false; one that opens a
  // thought has it closed at once. An error if the model has no usable template.
  Result<std::string> prompt(const Json& messages, const Json& tools, bool think) const;

 private:
  Model(Checkpoint checkpoint, int threads) : checkpoint_(std::move(checkpoint)), exec_(threads) {}
  Status load_text(Text text);
  Status load_draft(const ModelOptions& options);
  void read_generation_config(const Json& config);
  Checkpoint checkpoint_;
  Exec exec_;
  std::optional<Decoder> decoder_;
  std::optional<Tokenizer> tokenizer_;
  std::optional<ChatTemplate> template_;
  bool has_text_ = false;
  std::optional<Error> no_template_;  // why there is none; text can still be continued
  std::optional<Checkpoint> draft_checkpoint_;
  std::optional<Decoder> draft_;
  std::unique_ptr<Engine> engine_;
  std::vector<int32_t> stop_ids_;
  Sampling sampling_;
};

// The chat template of a checkpoint with its special tokens; an error if the template cannot be used or there is none.
Result<ChatTemplate> load_chat_template(const Checkpoint& checkpoint, const Tokenizer& tokenizer);

// What a run holds in memory at most, predicted from the files alone; a draft model of the options is counted in.
struct MemoryPlan {
  WeightMemory weights;
  int64_t cache = 0;  // at the given context
  int64_t step = 0;   // activations of the largest step
  int64_t base = 0;   // program, tokenizer, threads
  int64_t total() const { return weights.owned + weights.mapped + cache + step + base; }
};
Result<MemoryPlan> plan_memory(const Checkpoint& checkpoint, const Config& config, const ModelOptions& options,
                               int64_t context);

// Why a model cannot guess for another: their tokens must be the same ones (padding at the end aside).
Status check_same_tokens(const Tokenizer& model, const std::string& model_name, const Tokenizer& draft,
                         const std::string& draft_name);

// Bytes that this process may still take: MemAvailable and the cgroup's limit.
int64_t available_memory();

}  // namespace jevons
