#include "models/checkpoint.h"

#include "base/file.h"
#include "base/strings.h"
#include "formats/gguf_config.h"
#include "formats/gguf_names.h"
#include "text/tokenizer_file.h"

namespace jevons {

Result<Checkpoint> Checkpoint::open(const std::filesystem::path& path) {
  Checkpoint out;
  out.path_ = path;
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    JEVONS_TRY(std::string text, read_file(path / "config.json"));
    Result<Json> config = Json::parse(text);
    if (!config.ok()) return config.error().within((path / "config.json").string());
    out.config_ = std::move(*config);
    JEVONS_TRY(out.safetensors_, Safetensors::open(path));
    return out;
  }
  JEVONS_TRY(out.gguf_, Gguf::open(path));
  Result<Json> config = config_from_gguf(*out.gguf_);
  if (!config.ok()) return config.error().within(path.string());
  out.config_ = std::move(*config);
  JEVONS_TRY(out.arch_, out.gguf_->architecture());
  return out;
}

const std::vector<TensorEntry>& Checkpoint::tensors() const {
  return gguf_ ? gguf_->tensors() : safetensors_->tensors();
}

const TensorEntry* Checkpoint::find_stored(const std::string& name) const {
  return gguf_ ? gguf_->find_tensor(name) : safetensors_->find(name);
}

std::string Checkpoint::stored_name(const std::string& hf_name) const {
  return gguf_ ? gguf_name(hf_name).value_or(hf_name) : hf_name;
}

const TensorEntry* Checkpoint::find(const std::string& hf_name) const { return find_stored(stored_name(hf_name)); }

Result<std::string> Checkpoint::sibling(const char* name) const {
  const std::filesystem::path file = (gguf_ ? path_.parent_path() : path_) / name;
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return std::string();
  return read_file(file);
}

namespace {

// "chat_template" of tokenizer_config.json: a string, or a list of named ones of which "default" is meant.
std::optional<std::string> template_of(const Json& config) {
  const Json* found = config.find("chat_template");
  if (!found) return std::nullopt;
  if (found->is_string()) return found->as_string();
  if (found->is_array())
    for (const Json& named : found->as_array())
      if (named.at("name").as_string() == "default") return named.at("template").as_string();
  return std::nullopt;
}

}  // namespace

bool Checkpoint::has_tokenizer() const {
  std::error_code ignored;
  if (!gguf_) return std::filesystem::exists(path_ / "tokenizer.json", ignored);
  const auto model = gguf_->text("tokenizer.ggml.model");
  return model && *model != "no_vocab" && *model != "none";
}

Result<Tokenizer> Checkpoint::tokenizer() const {
  return gguf_ ? load_tokenizer(*gguf_, path_) : load_tokenizer(path_);
}

Result<std::optional<std::string>> Checkpoint::chat_template() const {
  try {
    if (gguf_) {
      const auto text = gguf_->text("tokenizer.chat_template");
      if (text) return std::optional(std::string(*text));
    }
    JEVONS_TRY(std::string text, sibling("chat_template.jinja"));
    if (!text.empty()) return std::optional(std::move(text));
    if (gguf_) return std::optional<std::string>();
    JEVONS_TRY(const std::string config, sibling("tokenizer_config.json"));
    if (config.empty()) return std::optional<std::string>();
    return template_of(Json::parse(config).value());
  } catch (const Error& e) {
    return e.within(path_.string());
  }
}

Result<Json> Checkpoint::generation_config() const {
  if (gguf_) return Json::object();
  JEVONS_TRY(const std::string text, sibling("generation_config.json"));
  if (text.empty()) return Json::object();
  Result<Json> out = Json::parse(text);
  if (!out.ok()) return out.error().within((path_ / "generation_config.json").string());
  return out;
}

}  // namespace jevons
