// Generate: from a prompt to text, one answer on the calling thread.
#pragma once
#include "engine/generation.h"

namespace jevons {

// Runs one request to its end. `on_piece` gets text as it becomes certain; `interrupted` is asked after every step and
// token: end_thought closes a thought and goes on to the answer, end_all keeps what there is.
Result<Generated> generate(Engine& engine, const Tokenizer& tokenizer, std::vector<int32_t> prompt,
                           const Sampling& sampling, const GenerateOptions& options,
                           const std::function<void(const Piece&)>& on_piece = {},
                           const std::function<Interrupt()>& interrupted = {},
                           const std::function<void(int64_t, int64_t)>& on_prefill = {});

}  // namespace jevons
