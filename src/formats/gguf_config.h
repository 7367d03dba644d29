// A GGUF's metadata as the config.json that a Hugging Face checkpoint of the same model would have.
#pragma once
#include "formats/gguf.h"

namespace jevons {

// Fields that GGUF cannot say get the published value where the model is recognised by its sizes (expert groups of
// DeepSeek V2 and V3), else the neutral one. `jevons_rope_interleaved`: q and k rows lie in interleaved rotary order.
Result<Json> config_from_gguf(const Gguf& gguf);

}  // namespace jevons
