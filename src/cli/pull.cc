#include "cli/pull.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <set>

#include "base/file.h"
#include "base/json.h"
#include "base/strings.h"
#include "cli/download.h"

namespace jevons {
namespace fs = std::filesystem;
namespace {

fs::path partial_folder() { return store_root() / "partial"; }

// Where the parts of a name like "m-00001-of-00003.gguf" begin, and how many there are.
struct Split {
  size_t number_at = 0;
  int parts = 0;
};
std::optional<Split> split_gguf(std::string_view name) {
  constexpr std::string_view shape = "-00000-of-00000.gguf";
  if (name.size() <= shape.size()) return std::nullopt;
  const std::string_view end = name.substr(name.size() - shape.size());
  for (size_t i = 0; i < shape.size(); ++i) {
    const bool digit = end[i] >= '0' && end[i] <= '9';
    if (shape[i] == '0' ? !digit : end[i] != shape[i]) return std::nullopt;
  }
  int parts = 0;
  for (size_t i = 10; i < 15; ++i) parts = parts * 10 + (end[i] - '0');
  return Split{name.size() - shape.size() + 1, parts};
}

std::string file_name(std::string_view source) {
  source = source.substr(0, source.find_first_of("?#"));
  while (source.ends_with('/')) source.remove_suffix(1);
  return std::string(source.substr(source.rfind('/') + 1));
}

std::vector<PullFile> gguf_files(const std::string& source, const std::string& name) {
  const auto split = split_gguf(name);
  if (!split) return {{source, name}};
  std::vector<PullFile> files;
  const size_t at = source.rfind(name);
  for (int part = 1; part <= split->parts; ++part) {
    const std::string digits = std::to_string(100000 + part).substr(1);
    PullFile file{source, name};
    file.source.replace(at + split->number_at, 5, digits);
    file.name.replace(split->number_at, 5, digits);
    files.push_back(std::move(file));
  }
  return files;
}

Result<std::vector<PullFile>> folder_files(const fs::path& folder) {
  std::vector<PullFile> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_regular_file()) files.push_back({entry.path().string(), name});
  }
  if (error) return Error(Code::io, cat(folder.string(), ": cannot read this folder: ", error.message()));
  std::ranges::sort(files, {}, &PullFile::name);
  const bool model = std::ranges::any_of(
      files, [](const PullFile& f) { return f.name == "config.json" || f.name.ends_with(".gguf"); });
  if (model) return files;
  return Error(Code::invalid,
               cat(folder.string(), ": is no model: neither config.json nor a .gguf file in this folder"));
}

// The files of a published checkpoint; its weights are found by add_weights() when these are here.
std::vector<PullFile> checkpoint_files(const std::string& base) {
  std::vector<PullFile> files = {{base + "config.json", "config.json"}};
  for (const char* name : {"model.safetensors.index.json", "tokenizer.json", "tokenizer_config.json",
                           "generation_config.json", "special_tokens_map.json", "chat_template.jinja"}) {
    files.push_back({base + name, name, true});
  }
  return files;
}

// The safetensors files that the fetched index names, or the one file of an unsharded checkpoint.
Status add_weights(const fs::path& folder, const std::string& base, std::vector<PullFile>& files) {
  const fs::path index = folder / "model.safetensors.index.json";
  if (!fs::exists(index)) {
    files.push_back({base + "model.safetensors", "model.safetensors"});
    return {};
  }
  JEVONS_TRY(const std::string text, read_file(index));
  JEVONS_TRY(const Json json, Json::parse(text));
  const Json* const map = json.find("weight_map");
  if (!map || !map->is_object()) return Error(Code::invalid, cat(index.string(), ": has no object \"weight_map\""));
  std::set<std::string> names;
  for (const auto& [tensor, file] : map->as_object()) {
    const std::string name = file.is_string() ? file.as_string() : "";
    if (!name.ends_with(".safetensors") || name.find('/') != name.npos) {
      return Error(Code::invalid, cat(index.string(), ": tensor ", quote(tensor), " lies in ", quote(name),
                                      ", expected the name of a .safetensors file"));
    }
    names.insert(name);
  }
  for (const std::string& name : names) files.push_back({base + name, name});
  return {};
}

// Held while a model is pulled or removed.
class Lock {
 public:
  static Result<Lock> take(const std::string& name) {
    std::error_code error;
    fs::create_directories(partial_folder(), error);
    const fs::path path = partial_folder() / (name + ".lock");
    Lock lock;
    lock.fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (lock.fd_ < 0) {
      return Error(Code::io,
                   cat(path.string(),
                       ": cannot create; check the permissions of the folder, or set JEVONS_HOME to one of your own"));
    }
    if (::flock(lock.fd_, LOCK_EX | LOCK_NB) == 0) return lock;
    return Error(Code::io, cat("another jevons works on the model ", quote(name), "; wait for it"));
  }
  Lock(Lock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Lock& operator=(Lock&&) = delete;
  ~Lock() {
    if (fd_ >= 0) ::close(fd_);
  }

 private:
  Lock() = default;
  int fd_ = -1;
};

// Removes a folder at the end of the scope, if it is still there.
struct Scratch {
  fs::path folder;
  ~Scratch() {
    std::error_code ignored;
    if (!folder.empty()) fs::remove_all(folder, ignored);
  }
};

Status check_name(std::string_view name) {
  const auto good = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.';
  };
  if (!name.empty() && name.size() <= 100 && std::ranges::all_of(name, good) && name[0] != '.' && name[0] != '-')
    return {};
  return Error(Code::usage, cat(quote(name),
                                " cannot name a model: expected letters, digits, '-', '_' and '.', at most 100, "
                                "not beginning with '.' or '-'; give one with --name"));
}

// A GGUF file announces itself; an error page or a Git LFS pointer does not.
Status check_magic(const fs::path& path) {
  if (path.extension() != ".gguf") return {};
  JEVONS_TRY(const auto file, MappedFile::open(path));
  const std::string_view start(reinterpret_cast<const char*>(file->bytes().data()),
                               std::min<size_t>(file->bytes().size(), 24));
  if (start.starts_with("GGUF")) return {};
  std::error_code ignored;
  fs::remove(path, ignored);
  return Error(Code::invalid, cat(path.filename().string(), ": is no GGUF file: it begins with ", quote(start),
                                  ", expected \"GGUF\""));
}

}  // namespace

Result<std::vector<PullFile>> files_to_pull(const std::string& source) {
  const auto local = is_url(source) ? local_path(source) : fs::path(source);
  std::error_code ignored;
  if (local && fs::is_directory(*local, ignored)) return folder_files(*local);
  if (local && !fs::exists(*local, ignored))
    return Error(Code::not_found, cat(local->string(), ": no such file or folder; check the path"));
  const std::string path = local ? local->string() : source.substr(0, source.find_first_of("?#"));
  const std::string name = file_name(path);
  if (path.ends_with(".gguf")) return gguf_files(local ? path : source, name);
  if (!local && path.ends_with("/config.json")) return checkpoint_files(path.substr(0, path.size() - 11));
  if (!local && path.ends_with('/')) return checkpoint_files(path);
  return Error(Code::usage,
               cat(source,
                   ": expected a .gguf file, a checkpoint folder, or the URL of a .gguf file or of a checkpoint's "
                   "config.json"));
}

Result<std::string> name_for(const std::string& source) {
  std::string plain = source.substr(0, is_url(source) ? source.find_first_of("?#") : source.npos);
  if (is_url(source) && plain.ends_with("/config.json")) plain.resize(plain.size() - 12);
  for (const char* revision : {"/resolve/main", "/raw/main"}) {
    if (is_url(source) && plain.ends_with(revision)) plain.resize(plain.size() - std::string_view(revision).size());
  }
  std::string name = is_url(source) ? file_name(plain) : file_name(fs::absolute(plain).lexically_normal().string());
  if (const auto split = split_gguf(name)) name.resize(split->number_at - 1);
  if (name.ends_with(".gguf")) name.resize(name.size() - 5);
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  JEVONS_TRY_STATUS(check_name(name));
  return name;
}

namespace {

// The notes of a model's folder: where it came from and the files that are complete.
Json read_notes(const fs::path& folder) {
  const auto text = read_file(folder / "jevons.json");
  auto json = text.ok() ? Json::parse(*text) : Result<Json>(text.error());
  const Json* const files = json.ok() ? json->find("files") : nullptr;
  return files && files->is_array() ? std::move(json).value() : Json();
}

Status write_notes(const fs::path& folder, const Json& notes) {
  return write_file(folder / "jevons.json", notes.dump(2) + "\n");
}

// True if an earlier attempt has completed this file and its bytes are still those.
Result<bool> is_complete(const Json& notes, const fs::path& path) {
  for (const Json& file : notes.at("files").as_array()) {
    if (file.at("name").as_string() != path.filename().string() || !fs::exists(path)) continue;
    JEVONS_TRY(const std::string hash, file_sha256(path));
    return hash == file.at("sha256").as_string();
  }
  return false;
}

// Brings every file of the plan into `folder`.
Status fetch_files(const PullRequest& request, std::vector<PullFile> files, const fs::path& folder) {
  Json notes = read_notes(folder);
  const Json* const source = notes.find("source");
  if (!source || *source != Json(request.source)) {  // what lies here belongs to another source
    fs::remove_all(folder);
    fs::create_directories(folder);
    notes = Json::Object{{"source", request.source}, {"files", Json::array()}};
    JEVONS_TRY_STATUS(write_notes(folder, notes));
  }
  const bool published = is_url(request.source) && files[0].name == "config.json";
  const size_t before_weights = files.size();
  for (size_t i = 0; i < files.size(); ++i) {
    const PullFile file = files[i];
    const fs::path target = folder / file.name;
    JEVONS_TRY(const bool complete, is_complete(notes, target));
    if (!complete) {
      auto finished = fetch(file.source, target, request.sha256);
      if (!finished.ok() && !(file.optional && finished.error().code() == Code::not_found)) return finished.error();
      if (finished.ok()) {
        JEVONS_TRY_STATUS(check_magic(target));
        notes["files"].push_back(
            Json::Object{{"name", file.name}, {"bytes", finished->bytes}, {"sha256", finished->sha256}});
        JEVONS_TRY_STATUS(write_notes(folder, notes));
      }
    }
    if (published && i + 1 == before_weights) {
      JEVONS_TRY_STATUS(add_weights(folder, files[0].source.substr(0, files[0].source.size() - 11), files));
    }
  }
  return {};
}

}  // namespace

Result<StoredModel> pull(const PullRequest& wanted) {
  PullRequest request = wanted;
  if (!is_url(request.source)) request.source = fs::absolute(request.source).lexically_normal().string();
  JEVONS_TRY(std::vector<PullFile> files, files_to_pull(request.source));
  if (!request.sha256.empty() && files.size() != 1) {
    return Error(Code::usage, cat("--sha256 is for a single file; ", request.source, " consists of ", files.size()));
  }
  JEVONS_TRY(const std::string name,
             request.name.empty() ? name_for(request.source) : Result<std::string>(request.name));
  JEVONS_TRY_STATUS(check_name(name));
  JEVONS_TRY(const Lock lock, Lock::take(name));
  if (fs::exists(models_folder() / name)) {
    return Error(Code::invalid, cat("a model ", quote(name), " is in the store already; 'jevons rm ", name,
                                    "' removes it, --name gives the new one another name"));
  }
  const fs::path folder = partial_folder() / name;
  fs::create_directories(folder);
  const Scratch scratch{is_url(request.source) ? fs::path() : folder};  // what was downloaded is kept to go on with
  JEVONS_TRY_STATUS(fetch_files(request, std::move(files), folder));
  fs::create_directories(models_folder());
  fs::rename(folder, models_folder() / name);
  return find_model(name);
}

Result<uint64_t> remove_model(const std::string& name) {
  JEVONS_TRY_STATUS(check_name(name));
  JEVONS_TRY(const Lock lock, Lock::take(name));
  uint64_t freed = 0;
  bool found = false;
  for (const fs::path& folder : {models_folder() / name, partial_folder() / name}) {
    if (!fs::exists(fs::symlink_status(folder))) continue;
    found = true;
    freed += folder_bytes(folder);
    const fs::path doomed = partial_folder() / (".removed-" + name);  // leaves the store in one step
    fs::remove_all(doomed);
    fs::rename(folder, doomed);
    fs::remove_all(doomed);
  }
  if (found) return freed;
  return find_model(name).error();
}

}  // namespace jevons
