// jevons tokenize: text on stdin, token ids on stdout.
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
  bool jsonl = false, no_special = false, bos = false;
};

Json array_of(const std::vector<int32_t>& ids) { return Json::Array(ids.begin(), ids.end()); }

std::string text_of(const std::string& line, int64_t number) {
  const auto parsed = Json::parse(line);
  if (!parsed.ok()) throw parsed.error().within(cat("stdin line ", number));
  if (parsed->is_string()) return parsed->as_string();
  throw Error(Code::invalid, cat("stdin line ", number, ": expected a JSON string, found an ", parsed->type_name()));
}

int run(const Options& o, const Common& common) {
  const Tokenizer tokenizer = load_tokenizer(resolve_tokenizer(o.model).value()).value();
  if (o.bos && !tokenizer.bos()) throw Error(Code::invalid, "--bos: this tokenizer has no token for the beginning");
  const EncodeOptions options{.parse_special = !o.no_special, .add_bos = o.bos};
  if (o.jsonl) {
    int64_t number = 0;
    for (std::string line; std::getline(std::cin, line);)
      print_json(array_of(tokenizer.encode(text_of(line, ++number), options)));
    return 0;
  }
  const std::string text{std::istreambuf_iterator<char>(std::cin), {}};
  const std::vector<int32_t> ids = tokenizer.encode(text, options);
  if (common.json) return print_json(Json::Object{{"tokens", array_of(ids)}}), 0;
  std::string out;
  for (const int32_t id : ids) out += cat(out.empty() ? "" : " ", id);
  print(out + "\n");
  return 0;
}

}  // namespace

Command tokenize_command() {
  auto o = std::make_shared<Options>();
  return {.name = "tokenize",
          .summary = "text on stdin to token ids on stdout",
          .details =
              "Special tokens in the text are recognised unless --no-special is given. Bytes that are not UTF-8 "
              "keep their values.",
          .options = {{"MODEL", &o->model, "a stored model, checkpoint folder or .gguf file"},
                      {"--jsonl", &o->jsonl, "one JSON string a line in, one JSON array of ids a line out"},
                      {"--no-special", &o->no_special, "treat special tokens in the text as text"},
                      {"--bos", &o->bos, "put the beginning-of-text token in front"}},
          .examples = {"echo -n 'Hello world' | jevons tokenize", "jevons tokenize model.gguf --jsonl < texts.jsonl"},
          .run = [o](const Common& common) { return run(*o, common); }};
}

}  // namespace jevons
