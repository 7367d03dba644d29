// From a RunConfig to a run: reads the tokenizer, turns the text into token ids under OUT/data, and settles every
// number that depends on them. All refusals happen here or in train(), before the first step.
#pragma once
#include "text/tokenizer.h"
#include "train/run.h"
#include "train/run_config.h"

namespace jevons {

// `resume`: empty, or the folder with the state from which the run in config.out is continued; the run's own copies of
// tokenizer and data are used. Throws Error{invalid} for what cannot be trained on, Error{interrupted}.
TrainRun prepare_run(const RunConfig& config, const std::filesystem::path& resume, Exec& exec);

// The settings that a run keeps in its folder; none if the folder was not made from a configuration.
std::optional<Json> saved_run_config(const std::filesystem::path& out);

}  // namespace jevons
