// What a run leaves on disk: a Hugging Face folder that every reader of such checkpoints loads, and beside it
// `training_state/`, from which the run continues bit for bit (weights, moments, step, settings).
#pragma once
#include <filesystem>
#include <optional>

#include "train/trainer.h"

namespace jevons {

// Where a run starts.
struct TrainStart {
  Json config;                        // config.json
  std::filesystem::path tokenizer{};  // folder whose tokenizer files go along; may be empty
  std::filesystem::path weights{};    // folder to load from; empty: random numbers
  std::optional<Json> generation{};   // generation_config.json; none: that of `tokenizer`, if it has one
};

// config.json of a folder, or of a file "random:CONFIG.json".
Result<TrainStart> open_start(const std::string& init);
// The weights; random ones are normal with the config's initializer_range (0.02).
Status load_start(const TrainStart& start, Parameters& parameters, uint64_t seed);

// Writes both; every file appears whole or not at all. `done`: steps behind.
Status save_run(const std::filesystem::path& out, const TrainStart& start, Trainer& trainer,
                const TrainSettings& settings, int64_t done, bool prediction_layers);

struct SavedRun {
  TrainSettings settings;
  int64_t done = 0;
};
Result<SavedRun> read_saved_run(const std::filesystem::path& out);
// Fills parameters and moments.
Status load_saved_run(const std::filesystem::path& out, Trainer& trainer);

}  // namespace jevons
