// Reading tokenizer.json + tokenizer_config.json, and the vocabulary of a GGUF file, into TokenizerParts.
#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "base/json.h"
#include "base/strings.h"
#include "text/patterns.h"
#include "text/tokenizer.h"
#include "text/tokenizer_parts.h"

namespace jevons {
namespace {

constexpr int64_t kMaxVocab = int64_t{1} << 24;

bool present(const Json* json) { return json && !json->is_null(); }

Error unsupported(const std::string& what) { return {Code::unsupported, what}; }

Result<int32_t> id_of(const Json& json, std::string_view where) {
  const int64_t id = json.as_int();
  if (id < 0 || id >= kMaxVocab)
    return Error(Code::invalid, cat(where, ": the token id ", id, " lies outside 0..", kMaxVocab - 1));
  return static_cast<int32_t>(id);
}

Result<std::pair<std::string, std::string>> split_merge(const std::string& text, size_t index) {
  const size_t space = text.find(' ');
  if (space == std::string::npos || space == 0 || space + 1 == text.size() ||
      text.find(' ', space + 1) != std::string::npos)
    return Error(Code::invalid,
                 cat("merges: entry ", index, " is ", quote(text), "; expected two tokens with one space between"));
  return std::pair{text.substr(0, space), text.substr(space + 1)};
}

Status read_merges(const Json& json, TokenizerParts& parts) {
  const Json::Array& merges = json.as_array();
  parts.merges.reserve(merges.size());
  for (const Json& merge : merges) {
    if (merge.is_array()) {
      if (merge.size() != 2) return Error(Code::invalid, cat("merges: entry ", parts.merges.size(), " is not a pair"));
      parts.merges.emplace_back(merge.as_array()[0].as_string(), merge.as_array()[1].as_string());
    } else {
      JEVONS_TRY(auto pair, split_merge(merge.as_string(), parts.merges.size()));
      parts.merges.push_back(std::move(pair));
    }
  }
  return {};
}

Status read_vocab(const Json& json, TokenizerParts& parts) {
  for (const auto& [token, number] : json.as_object()) {
    JEVONS_TRY(const int32_t id, id_of(number, cat("vocab: ", quote(token))));
    const auto at = static_cast<size_t>(id);
    if (at >= parts.tokens.size()) parts.tokens.resize(at + 1);
    if (token.empty()) return Error(Code::invalid, cat("vocab: the token with id ", id, " is empty"));
    if (!parts.tokens[at].empty())
      return Error(Code::invalid, cat("vocab: ", quote(parts.tokens[at]), " and ", quote(token), " share the id ", id));
    parts.tokens[at] = token;
  }
  return {};
}

// Fields of the model that change what it does and that no byte-level tokenizer sets.
Status refuse_model_fields(const Json& model) {
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (const Json* found = model.find(key); present(found) && !found->as_string().empty())
      return unsupported(
          cat("model: ", key, " ", quote(found->as_string()), " is not supported; byte-level BPE has none"));
  if (const Json* found = model.find("byte_fallback"); present(found) && found->as_bool())
    return unsupported("model: byte_fallback is not supported; byte-level BPE has a token for every byte");
  if (const Json* found = model.find("dropout"); present(found) && found->as_double() != 0)
    return unsupported(cat("model: dropout ", found->as_double(), " makes the ids random; set it to null"));
  if (const Json* fuse = model.find("fuse_unk"); present(fuse) && fuse->as_bool() && present(model.find("unk_token")))
    return unsupported("model: fuse_unk with an unk_token is not supported; expected false");
  return {};
}

Status read_model(const Json& model, TokenizerParts& parts) {
  if (const Json* type = model.find("type"); present(type) && type->as_string() != "BPE")
    return unsupported(cat("model: type ", quote(type->as_string()), " is not supported; expected BPE"));
  JEVONS_TRY_STATUS(refuse_model_fields(model));
  if (const Json* unk = model.find("unk_token"); present(unk)) parts.unk = unk->as_string();
  if (const Json* ignore = model.find("ignore_merges"); present(ignore)) parts.ignore_merges = ignore->as_bool();
  JEVONS_TRY_STATUS(read_vocab(model.at("vocab"), parts));
  return read_merges(model.at("merges"), parts);
}

Status read_normalizer(const Json& json, TokenizerParts& parts) {
  const std::string& type = json.at("type").as_string();
  if (type == "Sequence") {
    for (const Json& step : json.at("normalizers").as_array()) JEVONS_TRY_STATUS(read_normalizer(step, parts));
  } else if (type == "NFC") {
    parts.normalizers.push_back(TokenizerParts::Normal::nfc);
  } else if (type == "NFD") {
    parts.normalizers.push_back(TokenizerParts::Normal::nfd);
  } else {
    return unsupported(cat("normalizer: type ", quote(type), " is not supported; expected Sequence, NFC or NFD"));
  }
  return {};
}

Status read_decoder(const Json& json) {
  const std::string& type = json.at("type").as_string();
  if (type == "Sequence") {
    for (const Json& step : json.at("decoders").as_array()) JEVONS_TRY_STATUS(read_decoder(step));
    return {};
  }
  if (type != "ByteLevel")
    return unsupported(cat("decoder: type ", quote(type), " is not supported; expected ByteLevel"));
  return {};
}

// TemplateProcessing may put one token in front of the text; that token is BOS.
Status read_template(const Json& json, TokenizerParts& parts) {
  bool sequence = false;
  for (const Json& item : json.at("single").as_array()) {
    const Json* special = item.find("SpecialToken");
    if (!special) {
      if (!item.find("Sequence") || sequence)
        return unsupported("post_processor: single must hold the Sequence A once");
      sequence = true;
      continue;
    }
    const std::string& name = special->at("id").as_string();
    if (sequence || parts.adds_bos)
      return unsupported(cat("post_processor: ", quote(name),
                             " is a second added token or stands behind the text; only one in front is supported"));
    const Json::Array& ids = json.at("special_tokens").at(name).at("ids").as_array();
    if (ids.size() != 1)
      return unsupported(cat("post_processor: ", quote(name), " stands for ", ids.size(), " ids; expected one"));
    JEVONS_TRY(const int32_t id, id_of(ids[0], "post_processor"));
    parts.bos = id;
    parts.adds_bos = true;
  }
  if (!sequence) return unsupported("post_processor: single lacks the Sequence A");
  return {};
}

Status read_post_processor(const Json& json, TokenizerParts& parts) {
  const std::string& type = json.at("type").as_string();
  if (type == "Sequence") {
    for (const Json& step : json.at("processors").as_array()) JEVONS_TRY_STATUS(read_post_processor(step, parts));
    return {};
  }
  if (type == "TemplateProcessing") return read_template(json, parts);
  if (type == "ByteLevel") return {};  // moves offsets only
  return unsupported(cat("post_processor: type ", quote(type),
                         " is not supported; expected Sequence, ByteLevel or TemplateProcessing"));
}

bool flag(const Json& json, std::string_view key) {
  const Json* found = json.find(key);
  return present(found) && found->as_bool();
}

Result<AddedToken> read_added(const Json& json, int32_t id) {
  AddedToken t{id,
               json.at("content").as_string(),
               flag(json, "special"),
               flag(json, "lstrip"),
               flag(json, "rstrip"),
               flag(json, "single_word"),
               flag(json, "normalized")};
  if (t.content.empty()) return Error(Code::invalid, cat("added_tokens: the token with id ", id, " is empty"));
  return t;
}

// Collects added tokens; a content may come twice only with the same id.
class AddedReader {
 public:
  explicit AddedReader(TokenizerParts& parts) : parts_(parts) {
    for (size_t id = 0; id < parts.tokens.size(); ++id)
      if (!parts.tokens[id].empty()) vocab_.emplace(parts.tokens[id], static_cast<int32_t>(id));
  }

  Status add(AddedToken token, std::string_view where, bool again) {
    if (const auto known = added_.find(token.content); known != added_.end()) {
      if (again && known->second == token.id) return {};
      return conflict(token, where, known->second);
    }
    if (const auto known = vocab_.find(token.content); known != vocab_.end() && known->second != token.id)
      return conflict(token, where, known->second);
    added_.emplace(token.content, token.id);
    parts_.added.push_back(std::move(token));
    return {};
  }

  std::optional<int32_t> find(const std::string& content) const {
    if (const auto it = added_.find(content); it != added_.end()) return it->second;
    if (const auto it = vocab_.find(content); it != vocab_.end()) return it->second;
    return std::nullopt;
  }

 private:
  static Error conflict(const AddedToken& token, std::string_view where, int32_t other) {
    return {Code::invalid,
            cat(where, ": ", quote(token.content), " has the id ", token.id, " here and ", other, " elsewhere")};
  }
  TokenizerParts& parts_;
  std::unordered_map<std::string, int32_t> vocab_, added_;
};

// A token of tokenizer_config.json: a string, or an object with "content".
Result<std::optional<int32_t>> config_token(const Json& config, std::string_view key, const AddedReader& added) {
  const Json* found = config.find(key);
  if (!present(found)) return std::optional<int32_t>();
  const std::string& content = found->is_object() ? found->at("content").as_string() : found->as_string();
  if (content.empty()) return std::optional<int32_t>();
  const auto id = added.find(content);
  if (!id)
    return Error(Code::invalid, cat("tokenizer_config.json: ", key, " ", quote(content), " is not in the vocabulary"));
  return id;
}

Status read_config(const Json& config, TokenizerParts& parts, AddedReader& added) {
  if (const Json* decoder = config.find("added_tokens_decoder"); present(decoder))
    for (const auto& [key, value] : decoder->as_object()) {
      JEVONS_TRY(const Json number, Json::parse(key));
      JEVONS_TRY(const int32_t id, id_of(number, "tokenizer_config.json: added_tokens_decoder"));
      JEVONS_TRY(AddedToken token, read_added(value, id));
      JEVONS_TRY_STATUS(added.add(std::move(token), "tokenizer_config.json: added_tokens_decoder", true));
    }
  JEVONS_TRY(const auto bos, config_token(config, "bos_token", added));
  JEVONS_TRY(const auto eos, config_token(config, "eos_token", added));
  JEVONS_TRY(const auto pad, config_token(config, "pad_token", added));
  if (!parts.bos) parts.bos = bos;
  if (eos) parts.eos.push_back(*eos);
  parts.pad = pad;
  if (flag(config, "add_bos_token")) parts.adds_bos = parts.bos.has_value();
  return {};
}

Result<Tokenizer> load(std::string_view tokenizer_json, std::string_view config_json) {
  JEVONS_TRY(const Json json, Json::parse(tokenizer_json));
  TokenizerParts parts;
  for (const char* key : {"truncation", "padding"})
    if (present(json.find(key))) return unsupported(cat(key, " is set; ids would be cut or filled. Set it to null"));
  JEVONS_TRY_STATUS(read_model(json.at("model"), parts));
  if (const Json* found = json.find("normalizer"); present(found)) JEVONS_TRY_STATUS(read_normalizer(*found, parts));
  const Json* pre = json.find("pre_tokenizer");
  JEVONS_TRY(parts.pre, PreTokenizer::from_json(pre ? *pre : Json()));
  if (const Json* found = json.find("decoder"); present(found)) JEVONS_TRY_STATUS(read_decoder(*found));
  if (const Json* found = json.find("post_processor"); present(found))
    JEVONS_TRY_STATUS(read_post_processor(*found, parts));
  AddedReader added(parts);
  if (const Json* found = json.find("added_tokens"); present(found))
    for (const Json& item : found->as_array()) {
      JEVONS_TRY(const int32_t id, id_of(item.at("id"), "added_tokens"));
      JEVONS_TRY(AddedToken token, read_added(item, id));
      JEVONS_TRY_STATUS(added.add(std::move(token), "added_tokens", false));
    }
  if (!config_json.empty()) {
    JEVONS_TRY(const Json config, Json::parse(config_json));
    JEVONS_TRY_STATUS(read_config(config, parts, added));
  }
  return assemble(std::move(parts));
}

// Control and user-defined tokens are added tokens; the rest is the vocabulary.
Status read_gguf_tokens(GgufVocab& vocab, TokenizerParts& parts) {
  std::unordered_set<std::string_view> seen;
  for (size_t id = 0; id < vocab.tokens.size(); ++id) {
    const int32_t type = vocab.types[id];
    const std::string& text = vocab.tokens[id];
    if (type == 6)
      return unsupported(cat("tokenizer.ggml.token_type: token ", id, " is a byte token; byte-level BPE has none"));
    if (type < 1 || type > 5)
      return Error(Code::invalid,
                   cat("tokenizer.ggml.token_type: token ", id, " has type ", type, "; expected 1 to 5"));
    if (text.empty() && type != 5) return Error(Code::invalid, cat("tokenizer.ggml.tokens: token ", id, " is empty"));
    if ((type == 2 || type == 3 || type == 4) && seen.insert(text).second)
      parts.added.push_back({static_cast<int32_t>(id), text, type != 4, false, false, false, false});
  }
  parts.tokens = std::move(vocab.tokens);
  for (size_t id = 0; id < parts.tokens.size(); ++id)
    if (vocab.types[id] == 5) parts.tokens[id].clear();
  return {};
}

Result<Tokenizer> load_gguf(GgufVocab vocab) {
  if (vocab.model != "gpt2")
    return unsupported(
        cat("tokenizer.ggml.model: ", quote(vocab.model), " is not supported; expected gpt2, which is byte-level BPE"));
  if (vocab.types.size() != vocab.tokens.size())
    return Error(Code::invalid, cat("tokenizer.ggml.token_type has ", vocab.types.size(),
                                    " entries, tokenizer.ggml.tokens ", vocab.tokens.size()));
  if (vocab.tokens.size() >= kMaxVocab)
    return Error(Code::too_large, cat("tokenizer.ggml.tokens has ", vocab.tokens.size(), " entries; at most ",
                                      kMaxVocab - 1, " are accepted"));
  TokenizerParts parts;
  JEVONS_TRY(const GgufFamily known, family(vocab.pre));
  JEVONS_TRY(parts.pre, PreTokenizer::from_json(known.pre_tokenizer));
  if (known.nfc) parts.normalizers.push_back(TokenizerParts::Normal::nfc);
  parts.ignore_merges = known.ignore_merges;
  JEVONS_TRY_STATUS(read_gguf_tokens(vocab, parts));
  parts.merges.reserve(vocab.merges.size());
  for (const std::string& merge : vocab.merges) {
    JEVONS_TRY(auto pair, split_merge(merge, parts.merges.size()));
    parts.merges.push_back(std::move(pair));
  }
  parts.bos = vocab.bos, parts.pad = vocab.pad;
  for (const auto& id : {vocab.eos, vocab.eot})
    if (id) parts.eos.push_back(*id);
  parts.adds_bos = parts.bos && vocab.add_bos.value_or(known.ignore_merges);
  return assemble(std::move(parts));
}

}  // namespace

Result<Tokenizer> Tokenizer::from_json(std::string_view tokenizer_json, std::string_view tokenizer_config_json) {
  try {
    Result<Tokenizer> result = load(tokenizer_json, tokenizer_config_json);
    return result.ok() ? std::move(result) : result.error().within("tokenizer.json");
  } catch (const Error& error) {
    return error.within("tokenizer.json");
  }
}

Result<Tokenizer> Tokenizer::from_gguf_parts(GgufVocab vocab) {
  try {
    return load_gguf(std::move(vocab));
  } catch (const Error& error) {
    return error.within("tokenizer.ggml");
  }
}

}  // namespace jevons
