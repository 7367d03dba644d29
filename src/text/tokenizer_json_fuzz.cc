// tokenizer.json and, behind the first zero byte, a text: a file that loads must encode the text without a fault, and
// what its tokens decode to must be stable.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "text/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace jevons;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t zero = input.find('\0');
  const auto loaded = Tokenizer::from_json(input.substr(0, zero));
  if (!loaded.ok()) return loaded.error().message().empty() ? std::abort(), 0 : 0;
  const Tokenizer& tokenizer = *loaded;
  const std::string_view text = zero == std::string_view::npos ? "a b" : input.substr(zero + 1);
  try {
    for (const bool special : {true, false}) {
      const auto ids = tokenizer.encode(text, {.parse_special = special});
      if (ids != tokenizer.encode(text, {.parse_special = special})) std::abort();  // the second time from the cache
      const std::string whole = tokenizer.decode(ids);
      StreamDecoder stream(tokenizer);
      std::string joined;
      for (const int32_t id : ids) joined += stream.push(id);
      if (joined + stream.flush() != whole) std::abort();
    }
  } catch (const Error&) {  // a pattern that gave up
  }
  return 0;
}
