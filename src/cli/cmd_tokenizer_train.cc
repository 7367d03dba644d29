// jevons tokenizer train: a tokenizer of one's own from texts.
#include <filesystem>
#include <memory>

#include "base/clock.h"
#include "base/file.h"
#include "base/progress.h"
#include "cli/bench_text.h"
#include "text/tokenizer_train.h"

namespace jevons {
namespace {

struct Options {
  TokenizerRecipe recipe;
  std::string out;
  std::vector<std::string> texts;
};

// Both files or neither: they are written beside their names first.
Status write_tokenizer(const std::filesystem::path& folder, const TrainedTokenizer& trained) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) return Error(Code::io, cat(folder.string(), ": cannot create the folder: ", failed.message()));
  JEVONS_TRY(AtomicFile config, AtomicFile::create(folder / "tokenizer_config.json"));
  JEVONS_TRY(AtomicFile tokenizer, AtomicFile::create(folder / "tokenizer.json"));
  JEVONS_TRY_STATUS(config.write(trained.tokenizer_config_json()));
  JEVONS_TRY_STATUS(tokenizer.write(trained.tokenizer_json()));
  JEVONS_TRY_STATUS(config.commit());
  return tokenizer.commit();
}

void refuse_existing(const std::filesystem::path& folder) {
  std::error_code ignored;
  for (const char* name : {"tokenizer.json", "tokenizer_config.json"})
    if (std::filesystem::exists(folder / name, ignored))
      throw Error(Code::invalid,
                  cat((folder / name).string(), " exists; a model may depend on it. Choose another --out"));
}

int run(const Options& o, const Common& common) {
  o.recipe.check().value();
  refuse_existing(o.out);
  const double start = now_seconds();
  Exec exec(thread_count(common));
  const TrainedTokenizer trained = train_tokenizer(o.recipe, o.texts, exec).value();
  write_tokenizer(o.out, trained).value();
  const double seconds = now_seconds() - start;
  if (trained.vocab() < o.recipe.vocab)
    note(cat("the texts give ", trained.vocab(), " tokens, not ", o.recipe.vocab, ": no other pair occurs ",
             o.recipe.min_count, " times; more text or a smaller --min-count gives more"));
  if (common.json)
    print_json(Json::Object{{"out", o.out},
                            {"vocab", trained.vocab()},
                            {"merges", trained.learned.merges.size()},
                            {"bytes", trained.bytes},
                            {"words", trained.words},
                            {"distinct_words", trained.distinct},
                            {"tokens", trained.learned.tokens},
                            {"bytes_per_token", trained.bytes_per_token()},
                            {"seconds", seconds}});
  else
    print(cat(o.out, ": ", trained.vocab(), " tokens from ", human_bytes(static_cast<double>(trained.bytes)), ", ",
              fixed(trained.bytes_per_token(), 3), " bytes per token, ", human_seconds(seconds), "\n"));
  return 0;
}

}  // namespace

Command tokenizer_train_command() {
  auto o = std::make_shared<Options>();
  return {
      .name = "tokenizer train",
      .summary = "make a tokenizer from texts",
      .details =
          "Byte-level BPE with the pre-tokenizer of DeepSeek V3; every digit is a token of its own. Texts are UTF-8 "
          "files, or .jsonl files whose lines are objects with \"text\"; both may be packed with zstd. Writes "
          "tokenizer.json and tokenizer_config.json, which Hugging Face libraries load. The same texts give the same "
          "bytes for any number of threads.",
      .options = {{"TEXT", &o->texts, "text files", {.required = true}},
                  {"--vocab", &o->recipe.vocab, "tokens in all: bytes, special tokens and merges", {.required = true}},
                  {"--out", &o->out, "folder for the two files", {.required = true, .value = "DIR"}},
                  {"--special", &o->recipe.special, "one more special token; may be repeated", {.value = "TOKEN"}},
                  {"--document-end", &o->recipe.document_end, "what separates documents; it is left out"},
                  {"--min-count",
                   &o->recipe.min_count,
                   "a pair that occurs less often is not merged",
                   {.min = 1, .max = 1e9}}},
      .examples = {"jevons tokenizer train --vocab 4096 --out ./start books.txt.zst",
                   "jevons tokenizer train --vocab 32768 --out ./start *.txt notes.jsonl --special '<|tool|>'"},
      .run = [o](const Common& common) { return run(*o, common); }};
}

}  // namespace jevons
