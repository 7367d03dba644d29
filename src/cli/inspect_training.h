// `jevons inspect --train`: what training a model by `jevons train` will hold in memory.
#pragma once
#include <string>

#include "train/memory.h"

namespace jevons {

// `model`: as the other commands take it, or random:CONFIG.json.
int inspect_training(const std::string& model, const TrainSettings& settings, const TrainMemoryOptions& options,
                     bool json);

}  // namespace jevons
