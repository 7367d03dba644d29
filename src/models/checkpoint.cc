#include "models/checkpoint.h"

#include "base/file.h"
#include "base/strings.h"
#include "formats/gguf_config.h"
#include "formats/gguf_names.h"

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

std::vector<std::string> owned(const std::vector<std::string_view>& views) { return {views.begin(), views.end()}; }

std::optional<int32_t> token_id(const Gguf& gguf, const char* key) {
  const auto id = gguf.integer(key);
  if (!id) return std::nullopt;
  if (*id < 0 || *id > INT32_MAX) throw Error(Code::invalid, cat("the metadata ", key, " is ", *id, ", no token id"));
  return static_cast<int32_t>(*id);
}

GgufVocab vocabulary(const Gguf& gguf) {
  const auto need = [&](const char* key) {
    const Gguf::Array* array = gguf.array(key);
    if (!array) throw Error(Code::invalid, cat("the metadata ", key, " is missing"));
    return array;
  };
  GgufVocab vocab;
  vocab.model = gguf.text("tokenizer.ggml.model").value_or("");
  vocab.pre = gguf.text("tokenizer.ggml.pre").value_or("default");
  vocab.tokens = owned(need("tokenizer.ggml.tokens")->strings());
  vocab.merges = owned(need("tokenizer.ggml.merges")->strings());
  if (const Gguf::Array* types = gguf.array("tokenizer.ggml.token_type"))
    for (const double type : types->numbers<double>()) {
      if (!(type >= 0 && type < 256))
        throw Error(Code::invalid, cat("the metadata tokenizer.ggml.token_type holds ", type, ", no type of a token"));
      vocab.types.push_back(static_cast<int32_t>(type));
    }
  vocab.bos = token_id(gguf, "tokenizer.ggml.bos_token_id");
  vocab.eos = token_id(gguf, "tokenizer.ggml.eos_token_id");
  vocab.eot = token_id(gguf, "tokenizer.ggml.eot_token_id");
  vocab.pad = token_id(gguf, "tokenizer.ggml.padding_token_id");
  vocab.add_bos = gguf.boolean("tokenizer.ggml.add_bos_token");
  return vocab;
}

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

Result<Tokenizer> Checkpoint::tokenizer() const {
  try {
    if (gguf_) {
      Result<Tokenizer> out = Tokenizer::from_gguf_parts(vocabulary(*gguf_));
      if (!out.ok()) return out.error().within(path_.string());
      return out;
    }
    JEVONS_TRY(const std::string text, read_file(path_ / "tokenizer.json"));
    JEVONS_TRY(const std::string config, sibling("tokenizer_config.json"));
    Result<Tokenizer> out = Tokenizer::from_json(text, config);
    if (!out.ok()) return out.error().within((path_ / "tokenizer.json").string());
    return out;
  } catch (const Error& e) {
    return e.within(path_.string());
  }
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
