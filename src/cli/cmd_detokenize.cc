// jevons detokenize: token ids on stdin, their text on stdout.
#include <charconv>
#include <iostream>
#include <iterator>
#include <memory>

#include "base/strings.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/store.h"
#include "text/tokenizer_file.h"

namespace jevons {
namespace {

struct Options {
  std::string model;
  bool jsonl = false, no_special = false;
};

int32_t id_of(std::string_view word) {
  int32_t id = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), id);
  if (error != std::errc() || end != word.data() + word.size())
    throw Error(Code::invalid,
                cat("stdin: ", quote(word), " is not a token id; expected numbers between spaces or commas"));
  return id;
}

std::vector<int32_t> ids_of(std::string_view text) {
  constexpr std::string_view kBetween = " \t\r\n,[]";
  std::vector<int32_t> ids;
  for (size_t at = 0; (at = text.find_first_not_of(kBetween, at)) != std::string_view::npos;) {
    const size_t end = std::min(text.find_first_of(kBetween, at), text.size());
    ids.push_back(id_of(text.substr(at, end - at)));
    at = end;
  }
  return ids;
}

std::vector<int32_t> ids_of_line(const std::string& line, int64_t number) {
  try {
    std::vector<int32_t> ids;
    for (const Json& id : Json::parse(line).value().as_array()) {
      if (id.as_int() < 0 || id.as_int() > INT32_MAX)
        throw Error(Code::invalid, cat(id.as_int(), " is not a token id"));
      ids.push_back(static_cast<int32_t>(id.as_int()));
    }
    return ids;
  } catch (const Error& error) {
    throw error.within(cat("stdin line ", number));
  }
}

int run(const Options& o, const Common& common) {
  const Tokenizer tokenizer = load_tokenizer(resolve_model(o.model).value()).value();
  if (o.jsonl) {
    int64_t number = 0;
    for (std::string line; std::getline(std::cin, line);)
      print_json(Json(tokenizer.decode(ids_of_line(line, ++number), o.no_special)));
    return 0;
  }
  const std::string text{std::istreambuf_iterator<char>(std::cin), {}};
  const std::string out = tokenizer.decode(ids_of(text), o.no_special);
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
