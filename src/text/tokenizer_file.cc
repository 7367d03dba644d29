#include "text/tokenizer_file.h"

#include "base/file.h"
#include "base/strings.h"

namespace jevons {
namespace {

std::vector<std::string> strings(const Gguf& gguf, std::string_view key) {
  const Gguf::Array* array = gguf.array(key);
  if (!array) throw Error(Code::invalid, cat(key, " is missing; the file holds no tokenizer"));
  const auto views = array->strings();
  return {views.begin(), views.end()};
}

std::vector<int32_t> types(const Gguf& gguf, size_t tokens) {
  const Gguf::Array* array = gguf.array("tokenizer.ggml.token_type");
  if (!array) return std::vector<int32_t>(tokens, 1);
  std::vector<int32_t> out;
  for (const double type : array->numbers<double>()) {
    if (!(type >= 0 && type < 256))
      throw Error(Code::invalid, cat("tokenizer.ggml.token_type holds ", type, ", no type of a token"));
    out.push_back(static_cast<int32_t>(type));
  }
  return out;
}

std::optional<int32_t> id(const Gguf& gguf, std::string_view key) {
  const auto value = gguf.integer(key);
  if (!value) return std::nullopt;
  if (*value < 0 || *value > INT32_MAX) throw Error(Code::invalid, cat(key, " is ", *value, "; expected a token id"));
  return static_cast<int32_t>(*value);
}

Result<Tokenizer> from_folder(const std::filesystem::path& folder) {
  JEVONS_TRY(const std::string tokenizer, read_file(folder / "tokenizer.json"));
  std::string config;
  if (const auto path = folder / "tokenizer_config.json"; std::filesystem::exists(path)) {
    JEVONS_TRY(config, read_file(path));
  }
  Result<Tokenizer> out = Tokenizer::from_json(tokenizer, config);
  return out.ok() ? std::move(out) : out.error().within((folder / "tokenizer.json").string());
}

}  // namespace

GgufVocab gguf_vocab(const Gguf& gguf) {
  GgufVocab out;
  out.model = gguf.text("tokenizer.ggml.model").value_or("");
  out.pre = gguf.text("tokenizer.ggml.pre").value_or("default");
  out.tokens = strings(gguf, "tokenizer.ggml.tokens");
  out.merges = strings(gguf, "tokenizer.ggml.merges");
  out.types = types(gguf, out.tokens.size());
  out.bos = id(gguf, "tokenizer.ggml.bos_token_id");
  out.eos = id(gguf, "tokenizer.ggml.eos_token_id");
  out.eot = id(gguf, "tokenizer.ggml.eot_token_id");
  out.pad = id(gguf, "tokenizer.ggml.padding_token_id");
  out.add_bos = gguf.boolean("tokenizer.ggml.add_bos_token");
  return out;
}

Result<Tokenizer> load_tokenizer(const Gguf& gguf, const std::filesystem::path& path) {
  try {
    Result<Tokenizer> out = Tokenizer::from_gguf_parts(gguf_vocab(gguf));
    return out.ok() ? std::move(out) : out.error().within(path.string());
  } catch (const Error& error) {
    return error.within(path.string());
  }
}

Result<Tokenizer> load_tokenizer(const std::filesystem::path& model) {
  std::error_code ignored;
  if (std::filesystem::is_directory(model, ignored)) return from_folder(model);
  JEVONS_TRY(const Gguf gguf, Gguf::open(model));
  return load_tokenizer(gguf, model);
}

}  // namespace jevons
