// jevons detokenize: token ids on stdin, their text on stdout.
#include <iostream>
#include <iterator>
#include <memory>

#include "base/strings.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/store.h"
#include "cli/token_ids.h"
#include "text/tokenizer_file.h"

namespace jevons {
namespace {

struct Options {
  std::string model;
  bool jsonl = false, no_special = false;
};

std::string text_of_line(const Tokenizer& tokenizer, const std::string& line, int64_t number, bool no_special) {
  try {
    const Json parsed = Json::parse(line).value();
    std::vector<int32_t> ids;
    for (const Json& id : parsed.as_array()) {
      if (id.as_int() < 0 || id.as_int() > INT32_MAX)
        throw Error(Code::invalid, cat(id.as_int(), " is not a token id"));
      ids.push_back(static_cast<int32_t>(id.as_int()));
    }
    return tokenizer.decode(ids, no_special);
  } catch (const Error& error) {
    throw error.within(cat("stdin line ", number));
  }
}

int run(const Options& o, const Common& common) {
  const Tokenizer tokenizer = load_tokenizer(resolve_tokenizer(o.model).value()).value();
  if (o.jsonl) {
    int64_t number = 0;
    for (std::string line; std::getline(std::cin, line);)
      print_json(Json(text_of_line(tokenizer, line, ++number, o.no_special)));
    return 0;
  }
  const std::string text{std::istreambuf_iterator<char>(std::cin), {}};
  const std::string out = tokenizer.decode(parse_token_ids(text, "stdin"), o.no_special);
  common.json ? print_json(Json::Object{{"text", out}}) : print(out);
  return 0;
}

}  // namespace

Command detokenize_command() {
  auto o = std::make_shared<Options>();
  return {
      .name = "detokenize",
      .summary = "token ids on stdin to text on stdout",
      .details =
          "Prints exactly the bytes of the tokens. JSON holds no broken UTF-8: with --json or --jsonl such "
          "bytes become U+FFFD.",
      .options = {{"MODEL", &o->model, "a stored model, checkpoint folder or .gguf file"},
                  {"--jsonl", &o->jsonl, "one JSON array of ids a line in, one JSON string a line out"},
                  {"--no-special", &o->no_special, "leave special tokens out of the text"}},
      .examples = {"echo '19556 905' | jevons detokenize", "jevons tokenize < a.txt | jevons detokenize | cmp - a.txt"},
      .run = [o](const Common& common) { return run(*o, common); }};
}

}  // namespace jevons
