// put_gguf_tokenizer: see gguf_from_hf.h.
#include <algorithm>

#include "base/file.h"
#include "base/progress.h"
#include "base/strings.h"
#include "models/gguf_from_hf.h"
#include "text/patterns.h"
#include "text/tokenizer.h"

namespace jevons {
namespace {

// GGUF's token types.
constexpr int32_t kNormal = 1, kControl = 3, kUserDefined = 4, kUnused = 5;

// The values of tokenizer.ggml.pre that the text layer knows, most specific first.
constexpr std::string_view kFamilies[] = {"smollm",      "llama-bpe",    "qwen2",          "qwen35",
                                          "deepseek-v3", "deepseek-llm", "deepseek-coder", "gpt-2"};

// Every place where the families' patterns differ: digits in runs and mixed with letters, contractions in both cases,
// runs of spaces and line ends, punctuation before letters, marks, letters of many scripts, symbols.
// clang-format has no stable opinion on the width of these letters.
// clang-format off
constexpr std::string_view kProbe =
    "Hello world's WE'LL we'll they'RE I'm 3.14159 12345678 007 a1b22c333 x=y+1; foo(bar) {baz} #tag @user $9.99\n\n"
    "  two  spaces   three\t\ttabs \n \n\n end \r\n\r\nnaïve café Ünïcödé ǅ cafe\u0301 क्षि हिन्दी ไทย עברית العربية ١٢٣ "
    "Привет МИР Ελληνικά 中文字符测试123 日本語テスト カタカナ ひらがな 한국어 시험 🙂👍🏽👨‍👩‍👧 ½ ² Ⅷ € "
    "← "
    "∑ "
    "“quotes” ‘single’ — – … "
    "！？，。（）／：～ _under_score_ CamelCaseWord ALLCAPS .dot ,comma !bang?huh \\back/slash `tick` <|tag|> a.b.c "
    "http://x.y/z?q=1&r=2 "
    "for(int i=0;i<10;++i){s+=i;}   \n    indented\n\tline\n\n\n'quoted' \"double\" don't DON'T 1,000,000.00 "
    "2024-01-02T03:04:05Z ";
// clang-format on

// "<s>" or {"content": "<s>", ...}.
std::string token_text(const Json* value) {
  if (value && value->is_object()) value = value->find("content");
  return value && value->is_string() ? value->as_string() : std::string();
}

void place_token(GgufVocab& vocab, const Json& id, const std::string& text, int32_t type) {
  const int64_t at = id.as_int();
  if (at < 0 || at >= static_cast<int64_t>(vocab.tokens.size()))
    throw Error(Code::invalid, cat("tokenizer.json: the token ", quote(text), " has the id ", at, ", the model has ",
                                   vocab.tokens.size(), " rows of embeddings"));
  vocab.tokens[static_cast<size_t>(at)] = text;
  vocab.types[static_cast<size_t>(at)] = type;
}

GgufVocab read_vocab(const Json& tokenizer, int64_t size) {
  GgufVocab vocab;
  vocab.model = "gpt2";
  for (int64_t i = 0; i < size; ++i) vocab.tokens.push_back(cat("[PAD", i, "]"));
  vocab.types.assign(static_cast<size_t>(size), kUnused);
  const Json& model = tokenizer.at("model");
  if (const Json* type = model.find("type"); type && *type != Json("BPE"))
    throw Error(Code::unsupported,
                cat("tokenizer.json: model.type is ", type->dump(), "; only \"BPE\" is implemented"));
  for (const auto& [text, id] : model.at("vocab").as_object()) place_token(vocab, id, text, kNormal);
  for (const Json& merge : model.at("merges").as_array())
    vocab.merges.push_back(merge.is_string()
                               ? merge.as_string()
                               : cat(merge.as_array().at(0).as_string(), " ", merge.as_array().at(1).as_string()));
  if (const Json* added = tokenizer.find("added_tokens"))
    for (const Json& token : added->as_array()) {
      const Json* special = token.find("special");
      place_token(vocab, token.at("id"), token.at("content").as_string(),
                  special && special->as_bool() ? kControl : kUserDefined);
    }
  return vocab;
}

// The id of a special token: by its text in tokenizer_config.json, else by the number in config.json.
std::optional<int32_t> special_id(const std::string& role, const GgufVocab& vocab, const Json& tokenizer_config,
                                  const Json& config) {
  const std::string text = token_text(tokenizer_config.find(role + "_token"));
  for (size_t i = 0; i < vocab.tokens.size(); ++i)
    if (!text.empty() && vocab.tokens[i] == text) return static_cast<int32_t>(i);
  const Json* id = config.find(role + "_token_id");
  if (id && id->is_array() && id->size() > 0) id = &id->as_array()[0];
  if (!id || !id->is_int() || id->as_int() < 0 || id->as_int() >= static_cast<int64_t>(vocab.tokens.size()))
    return std::nullopt;
  return static_cast<int32_t>(id->as_int());
}

// The family with this very pre-tokenizer, else the first that gives the same ids on the probe.
Result<std::string> recognise_family(const Tokenizer& published, const Json* pre_tokenizer, GgufVocab vocab) {
  const std::vector<int32_t> expected = published.encode(kProbe);
  std::vector<std::string_view> families(std::begin(kFamilies), std::end(kFamilies));
  std::ranges::stable_partition(families, [&](std::string_view name) {
    return pre_tokenizer && family(name).value().pre_tokenizer == *pre_tokenizer;
  });
  for (const std::string_view name : families) {
    vocab.pre = name;
    const Result<Tokenizer> candidate = Tokenizer::from_gguf_parts(vocab);
    if (candidate.ok() && candidate->encode(kProbe) == expected) return std::string(name);
  }
  return Error(
      Code::unsupported,
      "tokenizer.json: its pre-tokenizer is none of the families that GGUF files name (smollm, llama-bpe, qwen2, "
      "deepseek-v3, deepseek-llm, deepseek-coder, gpt-2): no tokenizer.ggml.pre gives the same ids");
}

Result<Json> json_file(const std::filesystem::path& path) {
  JEVONS_TRY(std::string text, read_file(path));
  Result<Json> json = Json::parse(text);
  if (!json.ok()) return json.error().within(path.string());
  return json;
}

Status put(GgufWriter& w, const Checkpoint& checkpoint, int64_t vocab_size) {
  JEVONS_TRY(Json tokenizer, json_file(checkpoint.path() / "tokenizer.json"));
  Json tokenizer_config = Json::object();
  if (std::filesystem::exists(checkpoint.path() / "tokenizer_config.json")) {
    JEVONS_TRY(tokenizer_config, json_file(checkpoint.path() / "tokenizer_config.json"));
  }
  JEVONS_TRY(Tokenizer published, checkpoint.tokenizer());
  const GgufVocab vocab = read_vocab(tokenizer, vocab_size);
  JEVONS_TRY(std::string pre, recognise_family(published, tokenizer.find("pre_tokenizer"), vocab));
  JEVONS_TRY(std::optional<std::string> chat_template, checkpoint.chat_template());
  w.put_text("tokenizer.ggml.model", vocab.model);
  w.put_text("tokenizer.ggml.pre", pre);
  w.put_texts("tokenizer.ggml.tokens", vocab.tokens);
  w.put_i32s("tokenizer.ggml.token_type", vocab.types);
  w.put_texts("tokenizer.ggml.merges", vocab.merges);
  constexpr std::pair<const char*, const char*> roles[] = {
      {"bos", "bos_token_id"}, {"eos", "eos_token_id"}, {"unk", "unknown_token_id"}, {"pad", "padding_token_id"}};
  for (const auto& [role, key] : roles)
    if (const auto id = special_id(role, vocab, tokenizer_config, checkpoint.config()))
      w.put_u32(cat("tokenizer.ggml.", key), *id);
  w.put_bool("tokenizer.ggml.add_bos_token", published.adds_bos());
  w.put_bool("tokenizer.ggml.add_space_prefix", false);
  if (chat_template) w.put_text("tokenizer.chat_template", *chat_template);
  return {};
}

}  // namespace

Status put_gguf_tokenizer(GgufWriter& w, const Checkpoint& checkpoint, const Config& config) {
  if (!std::filesystem::exists(checkpoint.path() / "tokenizer.json")) {
    note("there is no tokenizer.json; the file gets no vocabulary (tokenizer.ggml.model = no_vocab)");
    w.put_text("tokenizer.ggml.model", "no_vocab");
    return {};
  }
  try {
    return put(w, checkpoint, config.vocab_size);
  } catch (const Error& e) {
    return e;
  }
}

}  // namespace jevons
