// Corpus: text files become one stream of token ids on disk, from which a run reads at random.
//   document -> [start] ids [end]
// `start` begins a document (attention stays inside it). If the tokenizer has one token for both ends, that token
// stands once, between two documents.
#pragma once
#include <filesystem>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "text/tokenizer.h"
#include "train/documents.h"

namespace jevons {

struct DocumentMarks {
  int32_t start = -1, end = -1;  // -1: none
};
// `wanted`: the text of the start token; empty: <|endoftext|>, else the tokenizer's own beginning or end of a text.
Result<DocumentMarks> document_marks(const Tokenizer& tokenizer, const std::string& wanted);

struct CorpusSize {
  int64_t documents = 0, tokens = 0, bytes = 0;  // bytes of text
};
// Writes `out` (little-endian uint32), which appears whole or not at all. Streams of ids (.u32) among the files are
// copied as they are. Text is encoded on all threads; the result does not depend on them. Throws Error{interrupted}.
Result<CorpusSize> encode_corpus(const Tokenizer& tokenizer, DocumentMarks marks, const std::vector<std::string>& files,
                                 const DocumentRules& rules, const std::filesystem::path& out, Exec& exec);

}  // namespace jevons
