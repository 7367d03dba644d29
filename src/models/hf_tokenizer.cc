// hf_tokenizer: see hf_from_gguf.h.
#include "base/strings.h"
#include "models/hf_from_gguf.h"
#include "text/patterns.h"

namespace jevons {
namespace {

constexpr int32_t kControl = 3, kUserDefined = 4, kUnused = 5;

struct Vocab {
  std::vector<std::string_view> tokens, merges;
  std::vector<int32_t> types;
};

const Gguf::Array& need(const Gguf& gguf, const char* key) {
  if (const Gguf::Array* array = gguf.array(key)) return *array;
  throw Error(Code::invalid, cat("the metadata ", key, " is missing"));
}

Vocab read_vocab(const Gguf& gguf) {
  if (gguf.text("tokenizer.ggml.model") != "gpt2")
    throw Error(Code::unsupported,
                cat("tokenizer.ggml.model is ", quote(gguf.text("tokenizer.ggml.model").value_or("")),
                    "; only gpt2 (byte-level BPE) is implemented"));
  Vocab vocab{need(gguf, "tokenizer.ggml.tokens").strings(), need(gguf, "tokenizer.ggml.merges").strings(), {}};
  vocab.types.assign(vocab.tokens.size(), 1);
  if (const Gguf::Array* types = gguf.array("tokenizer.ggml.token_type")) vocab.types = types->numbers<int32_t>();
  if (vocab.types.size() != vocab.tokens.size())
    throw Error(Code::invalid, cat("tokenizer.ggml.token_type has ", vocab.types.size(), " entries for ",
                                   vocab.tokens.size(), " tokens"));
  return vocab;
}

Json byte_level() {
  return Json::Object{{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
}

// Puts the beginning-of-text token in front of every text.
Json bos_in_front(std::string_view token, int64_t id) {
  const Json bos = Json::Object{{"SpecialToken", Json::Object{{"id", token}, {"type_id", 0}}}};
  const auto text = [](const char* name, int type) {
    return Json(Json::Object{{"Sequence", Json::Object{{"id", name}, {"type_id", type}}}});
  };
  Json special = Json::object();
  special[token] = Json::Object{{"id", token}, {"ids", Json::Array{id}}, {"tokens", Json::Array{token}}};
  return Json::Object{{"type", "TemplateProcessing"},
                      {"single", Json::Array{bos, text("A", 0)}},
                      {"pair", Json::Array{bos, text("A", 0), text("B", 1)}},
                      {"special_tokens", special}};
}

bool is_added(const Vocab& vocab, size_t id) { return vocab.types[id] == kControl || vocab.types[id] == kUserDefined; }

// Does every added token come after the vocabulary, without a gap? The library numbers added tokens that the vocabulary
// lacks in this way, whatever id the file gives them; others must be part of the vocabulary.
bool added_follow(const Vocab& vocab) {
  size_t next = 0;
  while (next < vocab.types.size() && !is_added(vocab, next) && vocab.types[next] != kUnused) ++next;
  while (next < vocab.types.size() && is_added(vocab, next)) ++next;
  while (next < vocab.types.size() && vocab.types[next] == kUnused) ++next;
  return next == vocab.types.size();
}

Json model_of(const Vocab& vocab, bool ignore_merges) {
  const bool follow = added_follow(vocab);
  Json::Object ids;
  for (size_t i = 0; i < vocab.tokens.size(); ++i)
    if (vocab.types[i] != kUnused && !(follow && is_added(vocab, i))) ids.emplace_back(std::string(vocab.tokens[i]), i);
  Json::Array merges;
  for (const std::string_view merge : vocab.merges) merges.emplace_back(merge);
  return Json::Object{{"type", "BPE"},
                      {"dropout", nullptr},
                      {"unk_token", nullptr},
                      {"continuing_subword_prefix", nullptr},
                      {"end_of_word_suffix", nullptr},
                      {"fuse_unk", false},
                      {"byte_fallback", false},
                      {"ignore_merges", ignore_merges},
                      {"vocab", std::move(ids)},
                      {"merges", std::move(merges)}};
}

Json added_tokens(const Vocab& vocab) {
  Json added = Json::array();
  for (size_t i = 0; i < vocab.tokens.size(); ++i)
    if (is_added(vocab, i))
      added.push_back(Json::Object{{"id", i},
                                   {"content", vocab.tokens[i]},
                                   {"single_word", false},
                                   {"lstrip", false},
                                   {"rstrip", false},
                                   {"normalized", vocab.types[i] == kUserDefined},
                                   {"special", vocab.types[i] == kControl}});
  return added;
}

HfTokenizer build(const Gguf& gguf) {
  const Vocab vocab = read_vocab(gguf);
  const auto kind = family(gguf.text("tokenizer.ggml.pre").value_or("default")).value();
  const bool add_bos = gguf.boolean("tokenizer.ggml.add_bos_token").value_or(false);
  HfTokenizer out;
  out.tokenizer_config = Json::Object{{"tokenizer_class", "PreTrainedTokenizerFast"}, {"add_bos_token", add_bos}};
  out.generation_config = Json::object();
  Json post = byte_level();
  constexpr const char* roles[][2] = {{"bos", "bos"}, {"eos", "eos"}, {"unk", "unknown"}, {"pad", "padding"}};
  for (const auto& [hf, ggml] : roles) {
    const auto id = gguf.integer(cat("tokenizer.ggml.", ggml, "_token_id"));
    if (!id || *id < 0 || *id >= static_cast<int64_t>(vocab.tokens.size())) continue;
    const std::string_view token = vocab.tokens[static_cast<size_t>(*id)];
    out.tokenizer_config[cat(hf, "_token")] = token;
    if (hf != std::string_view("unk")) out.generation_config[cat(hf, "_token_id")] = *id;
    if (hf == std::string_view("bos") && add_bos) post = bos_in_front(token, *id);
  }
  if (const auto text = gguf.text("tokenizer.chat_template")) out.tokenizer_config["chat_template"] = *text;
  out.tokenizer = Json::Object{{"version", "1.0"},
                               {"truncation", nullptr},
                               {"padding", nullptr},
                               {"added_tokens", added_tokens(vocab)},
                               {"normalizer", kind.nfc ? Json(Json::Object{{"type", "NFC"}}) : Json()},
                               {"pre_tokenizer", kind.pre_tokenizer},
                               {"post_processor", post},
                               {"decoder", byte_level()},
                               {"model", model_of(vocab, kind.ignore_merges)}};
  return out;
}

}  // namespace

Result<HfTokenizer> hf_tokenizer(const Gguf& gguf) {
  try {
    return build(gguf);
  } catch (const Error& e) {
    return e;
  }
}

}  // namespace jevons
