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

std::optional<int32_t> id(const Gguf& gguf, std::string_view key) {
  const auto value = gguf.integer(key);
  if (!value) return std::nullopt;
  if (*value < 0 || *value > INT32_MAX) throw Error(Code::invalid, cat(key, " is ", *value, "; expected a token id"));
  return static_cast<int32_t>(*value);
}

Result<Tokenizer> load(const std::filesystem::path& model) {
  if (!std::filesystem::is_directory(model)) {
    JEVONS_TRY(const Gguf gguf, Gguf::open(model));
    return Tokenizer::from_gguf_parts(gguf_vocab(gguf));
  }
  JEVONS_TRY(const std::string tokenizer, read_file(model / "tokenizer.json"));
  std::string config;
  if (const auto path = model / "tokenizer_config.json"; std::filesystem::exists(path)) {
    JEVONS_TRY(config, read_file(path));
  }
  return Tokenizer::from_json(tokenizer, config);
}

}  // namespace

GgufVocab gguf_vocab(const Gguf& gguf) {
  GgufVocab out;
  out.model = gguf.text("tokenizer.ggml.model").value_or("");
  out.pre = gguf.text("tokenizer.ggml.pre").value_or("default");
  out.tokens = strings(gguf, "tokenizer.ggml.tokens");
  out.merges = strings(gguf, "tokenizer.ggml.merges");
  const Gguf::Array* types = gguf.array("tokenizer.ggml.token_type");
  out.types = types ? types->numbers<int32_t>() : std::vector<int32_t>(out.tokens.size(), 1);
  out.bos = id(gguf, "tokenizer.ggml.bos_token_id");
  out.eos = id(gguf, "tokenizer.ggml.eos_token_id");
  out.eot = id(gguf, "tokenizer.ggml.eot_token_id");
  out.pad = id(gguf, "tokenizer.ggml.padding_token_id");
  out.add_bos = gguf.boolean("tokenizer.ggml.add_bos_token");
  return out;
}

Result<Tokenizer> load_tokenizer(const std::filesystem::path& model) {
  try {
    Result<Tokenizer> result = load(model);
    return result.ok() ? std::move(result) : result.error().within(model.string());
  } catch (const Error& error) {
    return error.within(model.string());
  }
}

}  // namespace jevons
