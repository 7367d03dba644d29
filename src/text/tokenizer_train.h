// Making a tokenizer from texts: byte-level BPE with the pre-tokeniser of DeepSeek V3.
//
//   texts -> without document ends and special tokens -> words (the pre-tokeniser's own code) -> counts -> merges
//
// Numbers are counted digit by digit, so no token holds two digits: a number is as many tokens as it has digits, also
// in programs that know this pre-tokeniser by DeepSeek's name (it keeps up to three digits together, but no merge
// joins them). Ids: the special tokens in their order, the 256 bytes in the order of their letters, one a merge.
// The result does not depend on the number of threads. cost: one pass over the texts, memory for distinct words.
#pragma once
#include <string>
#include <vector>

#include "base/error.h"
#include "base/thread_pool.h"
#include "text/learn_merges.h"

namespace jevons {

struct TokenizerRecipe {
  int64_t vocab = 0;                           // tokens in all
  std::vector<std::string> special{};          // besides kUsualTokens
  std::string document_end = "<|endoftext|>";  // left out wherever the texts have it; empty: nothing is
  uint64_t min_count = 2;                      // pairs that occur less often are not merged

  Status check() const;  // contradictions, named
};

// Beginning, end and padding; roles of a conversation; thought tags. DeepSeek's names.
extern const char* const kUsualTokens[7];

struct TrainedTokenizer {
  TokenizerRecipe recipe;
  LearnedMerges learned;
  uint64_t bytes = 0, words = 0, distinct = 0;  // of the texts, as counted
  int64_t vocab() const;
  double bytes_per_token() const { return static_cast<double>(bytes) / static_cast<double>(learned.tokens); }
  std::string tokenizer_json() const;         // tokenizer.json
  std::string tokenizer_config_json() const;  // tokenizer_config.json, with a chat template
};

// Shows progress; throws Error{interrupted} on Ctrl-C. Errors name the file.
Result<TrainedTokenizer> train_tokenizer(const TokenizerRecipe& recipe, const std::vector<std::string>& texts,
                                         Exec& exec);

}  // namespace jevons
