// What a tokenizer is made of, before it is put together. Internal to text/: tokenizer_load.cc fills it.
#pragma once
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/pretokenize.h"
#include "text/tokenizer.h"

namespace jevons {

struct TokenizerParts {
  std::vector<std::string> tokens;  // by id, in the byte alphabet; empty: no such id
  std::vector<std::pair<std::string, std::string>> merges;
  std::vector<AddedToken> added;
  PreTokenizer pre;
  enum class Normal { none, nfc, nfd };
  std::vector<Normal> normalizers;
  bool ignore_merges = false;
  std::optional<std::string> unk;
  std::optional<int32_t> bos, pad;
  std::vector<int32_t> eos;
  bool adds_bos = false;
};

// Checks the parts against each other and builds the tables.
Result<Tokenizer> assemble(TokenizerParts parts);

}  // namespace jevons
