#include "cli/store.h"

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "base/file.h"
#include "base/strings.h"

namespace jevons {
namespace fs = std::filesystem;
namespace {

const char* environment(const char* name) {
  const char* const value = std::getenv(name);
  return value && *value ? value : nullptr;
}

// What a loader would take from a model's folder: the first GGUF file (of a split one: part 1), else the folder itself.
std::optional<std::pair<fs::path, std::string>> loadable(const fs::path& folder) {
  std::error_code ignored;
  std::vector<fs::path> ggufs;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.path().extension() == ".gguf") ggufs.push_back(entry.path());
  }
  if (!ggufs.empty()) return std::pair{*std::ranges::min_element(ggufs), std::string("gguf")};
  if (fs::exists(folder / "config.json", ignored)) return std::pair{folder, std::string("safetensors")};
  return std::nullopt;
}

}  // namespace

uint64_t folder_bytes(const fs::path& folder) {
  std::error_code ignored;
  uint64_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder, ignored)) {
    if (entry.is_regular_file(ignored)) bytes += entry.file_size(ignored);
  }
  return bytes;
}

fs::path store_root() {
  if (const char* home = environment("JEVONS_HOME")) return home;
  if (const char* data = environment("XDG_DATA_HOME")) return fs::path(data) / "jevons";
  if (const char* home = environment("HOME")) return fs::path(home) / ".local/share/jevons";
  throw Error(Code::not_found, "no place for models: set JEVONS_HOME to a folder (HOME is not set either)");
}

fs::path models_folder() { return store_root() / "models"; }

std::vector<StoredModel> stored_models() {
  std::vector<StoredModel> models;
  std::error_code error;
  const fs::path root = models_folder();
  for (const auto& entry : fs::directory_iterator(root, error)) {
    const auto found = loadable(entry.path());
    if (!found) continue;
    models.push_back(
        {entry.path().filename().string(), entry.path(), found->first, found->second, folder_bytes(entry.path())});
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    throw Error(Code::io, cat(root.string(), ": cannot read the store: ", error.message(), "; check its permissions"));
  }
  std::ranges::sort(models, {}, &StoredModel::name);
  return models;
}

Result<StoredModel> find_model(std::string_view name) {
  std::vector<std::string> names;
  std::string all;
  for (StoredModel& model : stored_models()) {
    if (model.name == name) return std::move(model);
    all += (all.empty() ? "" : ", ") + model.name;
    names.push_back(std::move(model.name));
  }
  const std::string near = nearest(name, names);
  return Error(Code::not_found,
               cat("no model ", quote(name), " in ", models_folder().string(),
                   near.empty() ? "" : cat("; did you mean ", near, "?"),
                   names.empty() ? "; the store is empty, 'jevons pull' fills it" : cat(" In the store: ", all, ".")));
}

Result<fs::path> resolve_model(std::string_view name_or_path) {
  if (name_or_path.empty()) {
    auto found = find_model(kDefaultModel);
    if (found.ok()) return found->path;
    return Error(Code::not_found,
                 cat("the default model is not here: ", found.error().message(),
                     " './x run' in the source tree fetches it; or name a .gguf file or a checkpoint folder."));
  }
  std::error_code ignored;
  const fs::path path(name_or_path);
  if (fs::is_regular_file(path, ignored)) return path;
  if (fs::is_directory(path, ignored)) {
    const auto found = loadable(path);
    if (found) return found->first;
    return Error(Code::invalid,
                 cat(path.string(), ": is no model: neither config.json nor a .gguf file in this folder"));
  }
  auto found = find_model(name_or_path);
  if (found.ok()) return found->path;
  const bool looks_like_path = name_or_path.find('/') != name_or_path.npos || path.extension() == ".gguf";
  if (looks_like_path && fs::exists(path, ignored))
    return Error(Code::invalid,
                 cat(path.string(), ": is ", file_kind(path), ", expected a .gguf file or a checkpoint folder"));
  if (looks_like_path) return Error(Code::not_found, cat(path.string(), ": no such file or folder; check the path"));
  return found.error();
}

Result<fs::path> resolve_tokenizer(std::string_view name_or_path) {
  std::error_code ignored;
  const fs::path path(name_or_path);
  if (!name_or_path.empty() && fs::exists(path / "tokenizer.json", ignored)) return path;
  return resolve_model(name_or_path);
}

}  // namespace jevons
