// The local store of models: $JEVONS_HOME, else $XDG_DATA_HOME/jevons, else ~/.local/share/jevons.
//
//   models/NAME/             one model: a GGUF file (or its parts), or a Hugging Face checkpoint folder
//   models/NAME/jevons.json  where it came from: {"source", "files": [{"name", "bytes", "sha256"}]}
//   partial/NAME/            the same, on its way; a folder appears under models/ only when complete
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace jevons {

// What is used where no MODEL is given.
inline constexpr std::string_view kDefaultModel = "smollm2-135m-instruct";

struct StoredModel {
  std::string name;
  std::filesystem::path folder;
  std::filesystem::path path;  // what the loaders take: the (first) .gguf file or the folder
  std::string format;          // "gguf" or "safetensors"
  uint64_t bytes = 0;          // of all its files
};

std::filesystem::path store_root();
std::filesystem::path models_folder();

// The bytes of all files in a folder and below.
uint64_t folder_bytes(const std::filesystem::path& folder);

// All models of the store by name. An entry that is no model (no GGUF, no config.json) is left out.
std::vector<StoredModel> stored_models();

// The model called `name`, or an error with the names there are and the nearest one.
Result<StoredModel> find_model(std::string_view name);

// A MODEL argument as given on the command line: a .gguf file, a checkpoint folder, a name in the store, or empty for
// the default model. A path wins over a name. Gives the file or the folder that the loaders take.
Result<std::filesystem::path> resolve_model(std::string_view name_or_path);
// The same, or a folder that holds a tokenizer.json and no model.
Result<std::filesystem::path> resolve_tokenizer(std::string_view name_or_path);

}  // namespace jevons
