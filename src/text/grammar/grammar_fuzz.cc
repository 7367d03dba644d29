// Grammars as foreign bytes. The first byte says what the rest is: a regex, an EBNF text or a JSON Schema. One that
// compiles is walked a few steps: whatever its mask allows must be accepted, and some token must be allowed.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "text/grammar/matcher.h"

namespace {

using namespace jevons;

Result<GrammarPtr> compile(std::string_view input) {
  const GrammarLimits limits{.input_bytes = 1 << 14, .states = 1 << 13, .steps = 200'000, .depth = 100};
  const std::string_view text = input.substr(1);
  if (input[0] % 3 == 0) return Grammar::from_regex(text, limits);
  if (input[0] % 3 == 1) return Grammar::from_ebnf(text, limits);
  JEVONS_TRY(const Json schema, Json::parse(text));
  return Grammar::from_json_schema(schema, {.one_of_as_any_of = (input[0] & 64) != 0, .limits = limits});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto grammar = compile(input);
  if (!grammar.ok()) return grammar.error().message().empty() ? std::abort(), 0 : 0;
  static const auto vocab = [] {
    std::vector<std::string> tokens(257);
    for (int b = 0; b < 256; ++b) tokens[b] = std::string(1, static_cast<char>(b));
    return std::make_shared<const GrammarVocab>(tokens, std::vector<int32_t>{256});
  }();
  GrammarMatcher matcher(std::make_shared<TokenMasks>(*grammar, vocab));
  std::vector<uint64_t> bits(vocab->words());
  uint32_t seed = static_cast<uint32_t>(size);
  for (int step = 0; step < 24 && !matcher.ended(); ++step) {
    if (matcher.mask(bits) == 0) std::abort();
    const std::string forced = matcher.forced(16);
    seed = seed * 1664525 + 1013904223;
    int32_t token = forced.empty() ? static_cast<int32_t>((seed >> 8) % 257) : static_cast<uint8_t>(forced[0]);
    while (!(bits[token >> 6] >> (token & 63) & 1)) token = (token + 1) % 257;
    if (!matcher.accept(token)) std::abort();
  }
  return 0;
}
