// Checkpoint: a published model on disk, seen one way: a Hugging Face folder (config.json, safetensors) or a GGUF file.
// Tensors are asked for by their Hugging Face names; GGUF names and metadata are translated (formats/gguf_names.h).
#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "base/json.h"
#include "formats/gguf.h"
#include "formats/safetensors.h"
#include "text/tokenizer.h"

namespace jevons {

class Checkpoint {
 public:
  static Result<Checkpoint> open(const std::filesystem::path& path);
  const std::filesystem::path& path() const { return path_; }
  const Json& config() const { return config_; }
  bool is_gguf() const { return gguf_.has_value(); }
  const Gguf* gguf() const { return gguf_ ? &*gguf_ : nullptr; }
  const TensorEntry* find(const std::string& hf_name) const;
  const TensorEntry* find_stored(const std::string& name) const;  // by the name in the file
  const std::vector<TensorEntry>& tensors() const;
  // The file's name of `hf_name`, for messages.
  std::string stored_name(const std::string& hf_name) const;

  bool has_tokenizer() const;  // false: there is none, not even a broken one
  Result<Tokenizer> tokenizer() const;
  Result<std::optional<std::string>> chat_template() const;
  Result<Json> generation_config() const;  // {} if there is none

 private:
  Result<std::string> sibling(const char* name) const;  // a file of the folder, or beside a GGUF; empty if absent
  std::filesystem::path path_;
  Json config_;
  std::string arch_;  // GGUF's general.architecture
  std::optional<Gguf> gguf_;
  std::optional<Safetensors> safetensors_;
};

}  // namespace jevons
