// The published pre-tokenisation patterns, and the pre_tokenizer blocks of the model families that GGUF files name.
#pragma once
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/json.h"

namespace jevons {

extern const char* const kGpt2Pattern;
extern const char* const kLlama3Pattern;
extern const char* const kQwen2Pattern;
extern const char* const kDeepseek3Patterns[3];

// \r and \n written as such: the files write some patterns with the characters themselves, some with the escapes.
std::string escaped_newlines(std::string_view pattern);

struct GgufFamily {
  Json pre_tokenizer;
  bool nfc;            // texts are brought to normalisation form C
  bool ignore_merges;  // a word that is itself a token is taken whole
};

// By the value of `tokenizer.ggml.pre`. An unknown name is an error that lists the known ones.
Result<GgufFamily> family(std::string_view pre);

}  // namespace jevons
