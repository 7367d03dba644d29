// Byte-level BPE tokenizers: text to token ids and back.
//
//   text -> added tokens -> normaliser -> pre-tokeniser -> BPE of each word -> ids
//
// Ids equal those of the Hugging Face `tokenizers` library on every valid UTF-8 text. Any bytes may be encoded: bytes
// that are not UTF-8 keep their values through the byte alphabet, and are seen by the pre-tokeniser as U+FFFD. So
// decode(encode(x)) == x, except that a normaliser (Qwen: NFC) acts first, that tokens with lstrip/rstrip take white
// space with them, and that bytes without a token in the vocabulary (`missing_bytes`; SmolLM2 lacks 21 that text does
// not use) are left out, as the library does.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace jevons {

// The tokenizer.ggml.* fields of a GGUF file.
struct GgufVocab {
  std::string model;                // "gpt2" is byte-level BPE; others are refused
  std::string pre;                  // names the pre-tokeniser
  std::vector<std::string> tokens;  // in the byte alphabet; control and user-defined ones as they are
  std::vector<int32_t> types;       // 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte
  std::vector<std::string> merges;  // "left right"
  std::optional<int32_t> bos, eos, eot, pad;
  std::optional<bool> add_bos;  // absent: what the family does
};

struct EncodeOptions {
  bool parse_special = true;  // special tokens in the text become their ids; otherwise they are text
  bool add_bos = false;       // puts bos() in front, where there is one
};

class Tokenizer {
 public:
  // Texts of tokenizer.json and tokenizer_config.json (may be empty). The error names the field.
  static Result<Tokenizer> from_json(std::string_view tokenizer_json, std::string_view tokenizer_config_json = {});
  static Result<Tokenizer> from_gguf_parts(GgufVocab vocab);

  // Of a model without one: `vocab_size` ids without text. encode gives nothing, decode the empty string.
  static Tokenizer without_text(int32_t vocab_size);

  // Safe to call from several threads. Throws Error only if a pattern from the file gives up on the text.
  std::vector<int32_t> encode(std::string_view text, EncodeOptions options = {}) const;
  // The bytes of the tokens, one after another. Throws Error on an id outside the vocabulary.
  std::string decode(std::span<const int32_t> ids, bool skip_special = false) const;
  std::string_view token_bytes(int32_t id) const;  // empty for an id that the vocabulary leaves out

  bool is_special(int32_t id) const;
  // The token with exactly these bytes; an added token goes before one of the vocabulary.
  std::optional<int32_t> find(std::string_view bytes) const;
  int32_t vocab_size() const;  // largest id + 1
  std::optional<int32_t> bos() const, pad() const;
  const std::vector<int32_t>& eos() const;  // ids that end a text or a turn; may be empty
  bool adds_bos() const;                    // does the file ask for bos() in front of every text?
  int missing_bytes() const;                // byte values without a token

  struct Impl;
  explicit Tokenizer(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

 private:
  std::shared_ptr<const Impl> impl_;
};

// Joins token bytes into whole UTF-8 characters: a character that is not complete yet waits. Bytes that cannot become
// valid any more come out as they are.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer, bool skip_special = false)
      : tokenizer_(tokenizer), skip_special_(skip_special) {}
  std::string push(int32_t id);
  std::string flush();  // what is left, at the end of the text

 private:
  Tokenizer tokenizer_;
  bool skip_special_;
  std::string held_;
};

}  // namespace jevons
