// The tokenizer of a model as it lies on disk.
#pragma once
#include <filesystem>

#include "formats/gguf.h"
#include "text/tokenizer.h"

namespace jevons {

// The tokenizer.ggml.* fields. Throws Error if one has another type than it should.
GgufVocab gguf_vocab(const Gguf& gguf);

// From a .gguf file, or a checkpoint folder with tokenizer.json and, where there is one, tokenizer_config.json.
// Errors name the file.
Result<Tokenizer> load_tokenizer(const std::filesystem::path& model);
Result<Tokenizer> load_tokenizer(const Gguf& gguf, const std::filesystem::path& path);  // `path` is for messages

}  // namespace jevons
