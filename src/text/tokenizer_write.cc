// The two files of a trained tokenizer, as Hugging Face `tokenizers` and transformers read them.
#include "base/json.h"
#include "text/byte_alphabet.h"
#include "text/patterns.h"
#include "text/tokenizer_train.h"

namespace jevons {
namespace {

// Who speaks, in DeepSeek's form: the thought of an earlier answer is dropped.
constexpr const char* kChatTemplate =
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'system' %}{{ message['content'] }}"
    "{% elif message['role'] == 'user' %}{{ '<｜User｜>' + message['content'] }}"
    "{% elif message['role'] == 'assistant' %}"
    "{{ '<｜Assistant｜>' + message['content'].split('</think>')[-1] + eos_token }}"
    "{% else %}{{ raise_exception('the roles are system, user and assistant') }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<｜Assistant｜>' }}{% endif %}";

// Thought tags are text that a reader sees; the others are not.
bool is_hidden(std::string_view token) { return token != "<think>" && token != "</think>"; }

std::vector<std::string> special_tokens(const TokenizerRecipe& recipe) {
  std::vector<std::string> out(std::begin(kUsualTokens), std::end(kUsualTokens));
  out.insert(out.end(), recipe.special.begin(), recipe.special.end());
  return out;
}

Json byte_level() {
  return Json::Object{{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}};
}

// Puts the beginning token in front of every text.
Json bos_in_front() {
  const char* const bos = kUsualTokens[0];
  const auto text = [](const char* name, int type) {
    return Json(Json::Object{{"Sequence", Json::Object{{"id", name}, {"type_id", type}}}});
  };
  const Json front = Json::Object{{"SpecialToken", Json::Object{{"id", bos}, {"type_id", 0}}}};
  Json special = Json::object();
  special[bos] = Json::Object{{"id", bos}, {"ids", Json::Array{0}}, {"tokens", Json::Array{bos}}};
  return Json::Object{{"type", "TemplateProcessing"},
                      {"single", Json::Array{front, text("A", 0)}},
                      {"pair", Json::Array{front, text("A", 0), text("B", 1)}},
                      {"special_tokens", special}};
}

Json model_of(const std::vector<std::string>& special, const LearnedMerges& learned) {
  std::vector<std::string> symbols;
  for (int32_t s = 0; s < 256; ++s) {
    const auto byte = static_cast<char>(byte_of_symbol(s));
    append_letters(symbols.emplace_back(), std::string_view(&byte, 1));
  }
  Json::Array merges;
  for (const auto& [left, right] : learned.merges) {
    merges.emplace_back(symbols[left] + " " + symbols[right]);
    symbols.push_back(symbols[left] + symbols[right]);
  }
  Json::Object vocab;
  for (const std::string& token : special) vocab.emplace_back(token, vocab.size());
  for (std::string& token : symbols) vocab.emplace_back(std::move(token), vocab.size());
  return Json::Object{{"type", "BPE"},
                      {"dropout", nullptr},
                      {"unk_token", nullptr},
                      {"continuing_subword_prefix", nullptr},
                      {"end_of_word_suffix", nullptr},
                      {"fuse_unk", false},
                      {"byte_fallback", false},
                      {"ignore_merges", false},
                      {"vocab", std::move(vocab)},
                      {"merges", std::move(merges)}};
}

}  // namespace

std::string TrainedTokenizer::tokenizer_json() const {
  const std::vector<std::string> special = special_tokens(recipe);
  Json::Array added;
  for (const std::string& token : special)
    added.push_back(Json::Object{{"id", added.size()},
                                 {"content", token},
                                 {"single_word", false},
                                 {"lstrip", false},
                                 {"rstrip", false},
                                 {"normalized", false},
                                 {"special", is_hidden(token)}});
  const Json out = Json::Object{{"version", "1.0"},
                                {"truncation", nullptr},
                                {"padding", nullptr},
                                {"added_tokens", std::move(added)},
                                {"normalizer", nullptr},
                                {"pre_tokenizer", family("deepseek-v3").value().pre_tokenizer},
                                {"post_processor", bos_in_front()},
                                {"decoder", byte_level()},
                                {"model", model_of(special, learned)}};
  return out.dump(1) + "\n";
}

std::string TrainedTokenizer::tokenizer_config_json() const {
  const Json out = Json::Object{{"tokenizer_class", "PreTrainedTokenizerFast"},
                                {"bos_token", kUsualTokens[0]},
                                {"eos_token", kUsualTokens[1]},
                                {"pad_token", kUsualTokens[2]},
                                {"add_bos_token", true},
                                {"add_eos_token", false},
                                {"clean_up_tokenization_spaces", false},
                                {"chat_template", kChatTemplate}};
  return out.dump(2) + "\n";
}

}  // namespace jevons
