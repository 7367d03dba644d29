// What stays of earlier states: OUT/checkpoints/step-N (the newest few, resumable) and OUT/best (a model to run). The
// files are hard links to those in OUT, which are only ever replaced whole; copies where the file system has no links.
#pragma once
#include <filesystem>

#include "base/error.h"

namespace jevons {

// The state that was just saved in `out` also becomes OUT/checkpoints/step-`done`; only the newest `keep` stay.
Status keep_state(const std::filesystem::path& out, int64_t done, int64_t keep);
// ... becomes OUT/best, without the training state.
Status keep_best(const std::filesystem::path& out);

}  // namespace jevons
