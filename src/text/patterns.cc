#include "text/patterns.h"

#include "base/strings.h"

namespace jevons {

const char* const kGpt2Pattern = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
const char* const kLlama3Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
const char* const kQwen2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
const char* const kDeepseek3Patterns[3] = {
    R"(\p{N}{1,3})", "[一-龥぀-ゟ゠-ヿ]+",
    (R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+)"
     R"(| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)")};

namespace {

// Qwen 3.5: Qwen 2's pattern with marks as parts of words.
const char* const kQwen35Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";

// DeepSeek LLM and V2: the cased letters of the Unicode version that the pattern was made with.
const char* const kDeepseekLetters =
    "\\s?[A-Za-z"
    "\\x{b5}\\x{c0}-\\x{d6}\\x{d8}-\\x{f6}\\x{f8}-\\x{1ba}\\x{1bc}-\\x{1bf}\\x{1c4}-\\x{293}\\x{295}-\\x{2af}"
    "\\x{370}-\\x{373}\\x{376}\\x{377}\\x{37b}-\\x{37d}\\x{37f}\\x{386}\\x{388}-\\x{38a}\\x{38c}"
    "\\x{38e}-\\x{3a1}\\x{3a3}-\\x{3f5}\\x{3f7}-\\x{481}\\x{48a}-\\x{52f}\\x{531}-\\x{556}\\x{10a0}-\\x{10c5}"
    "\\x{13a0}-\\x{13f5}\\x{13f8}-\\x{13fd}\\x{1c90}-\\x{1cba}\\x{1cbd}-\\x{1cbf}\\x{1d00}-\\x{1d2b}"
    "\\x{1d6b}-\\x{1d77}\\x{1d79}-\\x{1d9a}\\x{1e00}-\\x{1f15}\\x{1f18}-\\x{1f1d}\\x{1f20}-\\x{1f45}"
    "\\x{1f48}-\\x{1f4d}\\x{1f50}-\\x{1f57}\\x{1f59}\\x{1f5b}\\x{1f5d}\\x{1f5f}-\\x{1f7d}\\x{1f80}-\\x{1fb4}"
    "\\x{1fb6}-\\x{1fbc}\\x{1fbe}\\x{1fc2}-\\x{1fc4}\\x{1fc6}-\\x{1fcc}\\x{1fd0}-\\x{1fd3}\\x{1fd6}-\\x{1fdb}"
    "\\x{1fe0}-\\x{1fec}\\x{1ff2}-\\x{1ff4}\\x{1ff6}-\\x{1ffc}\\x{2102}\\x{2107}\\x{210a}-\\x{2113}\\x{2115}"
    "\\x{2119}-\\x{211d}\\x{2124}\\x{2126}\\x{2128}\\x{212a}-\\x{212d}\\x{212f}-\\x{2134}\\x{2139}"
    "\\x{213c}-\\x{213f}\\x{2145}-\\x{2149}\\x{214e}\\x{2183}\\x{2184}\\x{2c00}-\\x{2c7b}\\x{2c7e}-\\x{2ce4}"
    "\\x{2ceb}-\\x{2cee}\\x{2cf2}\\x{2cf3}\\x{a640}-\\x{a66d}\\x{a680}-\\x{a69b}\\x{a722}-\\x{a76f}"
    "\\x{a771}-\\x{a787}\\x{a78b}-\\x{a78e}\\x{ab70}-\\x{abbf}\\x{fb00}-\\x{fb06}\\x{fb13}-\\x{fb17}"
    "\\x{ff21}-\\x{ff3a}\\x{ff41}-\\x{ff5a}\\x{10400}-\\x{1044f}\\x{104b0}-\\x{104d3}\\x{104d8}-\\x{104fb}"
    "\\x{10c80}-\\x{10cb2}\\x{10cc0}-\\x{10cf2}\\x{118a0}-\\x{118df}\\x{1e900}-\\x{1e943}"
    "]+";
const char* const kDeepseekPunctuation = "\\s?[!-/:-~！-／：-～‘-‟　-。]+";
const char* const kEastAsian = "[一-龥ࠀ-一가-\\x{d7ff}]+";

Json split(const char* pattern) {
  return Json::Object{
      {"type", "Split"}, {"pattern", Json::Object{{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}};
}
Json digits() { return Json::Object{{"type", "Digits"}, {"individual_digits", true}}; }
Json byte_level(bool use_regex) {
  return Json::Object{
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", use_regex}};
}
Json sequence(Json::Array steps) { return Json::Object{{"type", "Sequence"}, {"pretokenizers", std::move(steps)}}; }
Json pattern_then_bytes(const char* pattern) { return sequence({split(pattern), byte_level(false)}); }

struct Entry {
  const char* names;  // separated by spaces
  Json (*pre_tokenizer)();
  bool nfc, ignore_merges;
};

const Entry kFamilies[] = {
    {"gpt-2 default", [] { return byte_level(true); }, false, false},
    {"smollm",
     [] {
       return sequence({digits(), byte_level(true)});
     },
     false, false},
    {"llama-bpe llama3 llama-v3", [] { return pattern_then_bytes(kLlama3Pattern); }, false, true},
    {"qwen2 deepseek-r1-qwen", [] { return pattern_then_bytes(kQwen2Pattern); }, true, false},
    {"qwen35", [] { return pattern_then_bytes(kQwen35Pattern); }, true, false},
    {"deepseek-v3",
     [] {
       return sequence({split(kDeepseek3Patterns[0]), split(kDeepseek3Patterns[1]), split(kDeepseek3Patterns[2]),
                        byte_level(false)});
     },
     false, false},
    {"deepseek-llm",
     [] {
       return sequence({split("[\r\n]"), split(kDeepseekLetters), split(kDeepseekPunctuation), split("\\s+$"),
                        split(kEastAsian), digits(), byte_level(false)});
     },
     false, false},
    {"deepseek-coder",
     [] {
       return sequence({split("[\r\n]"), split("\\s?\\p{L}+"), split("\\s?\\p{P}+"), split(kEastAsian), digits(),
                        byte_level(false)});
     },
     false, false},
};

}  // namespace

std::string escaped_newlines(std::string_view pattern) {
  std::string out;
  for (const char c : pattern) c == '\r' ? out += "\\r" : c == '\n' ? out += "\\n" : out += c;
  return out;
}

Result<GgufFamily> family(std::string_view pre) {
  std::string known;
  for (const Entry& entry : kFamilies) {
    if (!pre.empty() && pre.find(' ') == std::string_view::npos &&
        cat(" ", entry.names, " ").find(cat(" ", pre, " ")) != std::string::npos)
      return GgufFamily{entry.pre_tokenizer(), entry.nfc, entry.ignore_merges};
    known += cat(known.empty() ? "" : " ", entry.names);
  }
  return Error(Code::unsupported,
               cat("tokenizer.ggml.pre: ", quote(pre), " is not a known pre-tokenizer; known are ", known));
}

}  // namespace jevons
