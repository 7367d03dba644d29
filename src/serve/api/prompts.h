// Texts for a model without a conversation: what /completions continues and /embeddings turns into vectors.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "serve/api/fields.h"

namespace jevons {

struct Prompts {
  std::vector<std::string> texts;
  std::vector<std::vector<int32_t>> ids;  // instead of texts
};

// One text, or a list of at most `most`; one list of token ids, or a list of such lists.
Prompts read_prompts(const Fields& f, const char* name, const Json& value, size_t most);

}  // namespace jevons
