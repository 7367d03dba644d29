// Cost of the masks: grammar_bench TOKENIZER.json prints, for a JSON Schema and a text that fits it, the time of
// apply() on a row of logits and accept() per token on the first pass (cold) and on later ones, with a new matcher each
// (warm). Times are the thread's processor time, so that other programs do not count.
#include <algorithm>
#include <cstdio>
#include <ctime>

#include "base/file.h"
#include "text/grammar/matcher.h"

namespace {

using namespace jevons;

double cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

void measure(const char* name, const GrammarPtr& grammar, const std::shared_ptr<const GrammarVocab>& vocab,
             const std::vector<int32_t>& ids) {
  const auto masks = std::make_shared<TokenMasks>(grammar, vocab);
  std::vector<float> logits(static_cast<size_t>(vocab->size()));
  for (int pass = 0; pass < 4; ++pass) {
    GrammarMatcher matcher(masks);
    std::vector<double> times;
    for (const int32_t id : ids) {
      std::fill(logits.begin(), logits.end(), 1.0F);
      const double begin = cpu_seconds();
      matcher.apply(logits);
      const bool ok = matcher.accept(id);
      times.push_back(1e6 * (cpu_seconds() - begin));
      if (!ok) throw Error(Code::invalid, "the text does not fit the grammar");
    }
    double sum = 0;
    for (const double t : times) sum += t;
    std::sort(times.begin(), times.end());
    std::printf("%-12s pass %d: %4zu tokens, mean %8.1f us, median %6.1f, p99 %8.1f, largest %8.1f; masks %.1f MB\n",
                name, pass, ids.size(), sum / static_cast<double>(times.size()), times[times.size() / 2],
                times[times.size() * 99 / 100], times.back(), 1e-6 * static_cast<double>(masks->bytes()));
  }
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 2) return std::fputs("usage: grammar_bench TOKENIZER.json\n", stderr), 2;
  const Tokenizer tokenizer = Tokenizer::from_json(read_file(argv[1]).value()).value();
  double begin = cpu_seconds();
  const auto vocab = std::make_shared<GrammarVocab>(tokenizer);
  std::printf("vocabulary of %d tokens, trie of %zu nodes in %.0f ms\n", vocab->size(), vocab->nodes().size(),
              1e3 * (cpu_seconds() - begin));
  const Json schema = Json::parse(R"({"type":"object","properties":{"title":{"type":"string"},
    "year":{"type":"integer","minimum":1900,"maximum":2100},"tags":{"type":"array","items":{"enum":["new","old","rare"]}},
    "people":{"type":"array","items":{"type":"object","properties":{"name":{"type":"string","maxLength":40},
    "age":{"type":"integer"},"mail":{"type":"string","format":"email"}},"required":["name","age","mail"],
    "additionalProperties":false}}},"required":["title","year","tags","people"],"additionalProperties":false})")
                          .value();
  std::string text =
      R"({"title": "The sea, the sky and the long road home", "year": 1978, "tags": ["old", "rare"], "people": [)";
  for (int i = 0; i < 12; ++i)
    text += std::string(i ? ", " : "") + R"({"name": "Iris Murdoch the )" + std::to_string(i) +
            R"(th", "age": 59, "mail": "iris@example.com"})";
  text += "]}";
  begin = cpu_seconds();
  const auto grammar = Grammar::from_json_schema(schema).value();
  std::printf("schema compiled in %.1f ms\n", 1e3 * (cpu_seconds() - begin));
  const auto ids = tokenizer.encode(text);
  measure("schema", grammar, vocab, ids);
  measure("json_object", Grammar::json_object(), vocab, ids);
  const std::string thought = "Let me think about what the sea means. It is blue, and so on.</think>" + text;
  measure("thought", Grammar::after("</think>", grammar).value(), vocab,
          tokenizer.encode(thought, {.parse_special = false}));
  return 0;
} catch (const jevons::Error& error) {
  return std::fprintf(stderr, "grammar_bench: %s\n", error.what()), 1;
}
