// Published (Hugging Face) tensor names <-> GGUF names, one table for loading, converting and quantising.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace jevons {

// "model.layers.3.mlp.experts.gate_proj.weight" (a whole stack) -> "blk.3.ffn_gate_exps.weight". nullopt: GGUF has no
// such tensor.
std::optional<std::string> gguf_name(std::string_view hf_name);
std::optional<std::string> hf_name(std::string_view gguf_name);

// general.architecture for a config.json's model_type; empty if GGUF has none for it.
std::string_view gguf_architecture(std::string_view model_type);
// GGUF's llama family keeps the rows of q and k in interleaved rotary order; others keep the published order.
bool gguf_interleaves_rope(std::string_view arch);

}  // namespace jevons
