// Filling the store: which files a source consists of, and bringing them in.
#pragma once
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/store.h"

namespace jevons {

struct PullFile {
  std::string source;     // a path or URL
  std::string name;       // in the model's folder
  bool optional = false;  // may be missing at the source
};

// The files of a model that can be told from its source alone:
//   a .gguf file or URL      that file; of a split one (NAME-00001-of-0000N.gguf) all its parts
//   a checkpoint folder      every file directly in it
//   URL/config.json or URL/  the published files of a Hugging Face checkpoint; a sharded one's parts follow from its
//   index
Result<std::vector<PullFile>> files_to_pull(const std::string& source);

// "TinyLlama-Q4_0.gguf" -> "tinyllama-q4_0".
Result<std::string> name_for(const std::string& source);

struct PullRequest {
  std::string source, name;  // the name is taken from the source if empty
  std::string sha256;        // of the only file; not checked if empty
};

// Fetches into partial/NAME and moves the complete folder to models/NAME. After an interruption the same request goes
// on.
Result<StoredModel> pull(const PullRequest& request);

// Removes a model, or what an unfinished pull has left. Gives the bytes freed.
Result<uint64_t> remove_model(const std::string& name);

}  // namespace jevons
