// Lists of token ids as people and programs write them.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace jevons {

// Numbers between commas, white space or brackets: "1,2,3", "[1, 2]", "1\n2\n". Anything else, a NUL byte too, throws
// Error(code) that names `where` and the byte. Whether an id exists is for the model to say.
std::vector<int32_t> parse_token_ids(std::string_view text, std::string_view where, Code code = Code::invalid);

}  // namespace jevons
