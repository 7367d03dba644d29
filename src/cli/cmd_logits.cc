// jevons logits: what the model computes, number by number.
#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/strings.h"
#include "cli/model_flags.h"
#include "cli/output.h"
#include "cli/store.h"
#include "cli/token_ids.h"

namespace jevons {
namespace {

struct Options {
  ModelFlags model;
  std::string tokens, tokens_file, out, trace;
  bool last = false, mtp = false;
};

std::vector<int32_t> read_ids(const Options& o) {
  if (o.tokens.empty() == o.tokens_file.empty()) throw Error(Code::usage, "give --tokens 1,2,3 or --tokens-file FILE");
  const std::string text = o.tokens.empty() ? read_file(o.tokens_file).value() : o.tokens;
  return o.tokens.empty() ? parse_token_ids(text, o.tokens_file) : parse_token_ids(text, "--tokens");
}

std::string npy_header(int64_t rows, int64_t cols) {
  std::string dict = cat("{'descr': '<f4', 'fortran_order': False, 'shape': (", rows, ", ", cols, "), }");
  dict.append((64 - (dict.size() + 11) % 64) % 64, ' ');
  dict += '\n';
  std::string out("\x93NUMPY\x01\x00", 8);
  out += static_cast<char>(dict.size() & 255);
  out += static_cast<char>(dict.size() >> 8);
  return out + dict;
}

std::vector<float> as_floats(const Tensor& t) {
  if (t.dtype() == DType::f32) return {t.as<float>().begin(), t.as<float>().end()};
  const auto wide = t.as<double>();
  return {wide.begin(), wide.end()};
}

int run(const Options& o, const Common& common) {
  const std::vector<int32_t> ids = read_ids(o);
  std::unique_ptr<Model> model = open_model(o.model, common, Text::none);
  if (!o.trace.empty()) {
    std::error_code failed;
    std::filesystem::create_directories(o.trace, failed);
    if (failed) throw Error(Code::io, cat(o.trace, ": cannot create the folder: ", failed.message()));
  }
  int traced = 0;  // files sort in the order of execution
  const auto listener = [&](std::string_view name, const Tensor& value) {
    const int64_t rows = value.shape()[0], cols = rows ? value.numel() / rows : 0;
    const std::vector<float> values = as_floats(value);
    const std::string number = cat(10000 + traced++).substr(1);
    write_file(std::filesystem::path(o.trace) / cat(number, ".", name, ".npy"),
               npy_header(rows, cols) +
                   std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)))
        .value();
  };
  std::optional<AtomicFile> file;
  const int64_t V = model->config().vocab_size, N = o.last ? 1 : static_cast<int64_t>(ids.size()) - o.mtp;
  const auto what = o.mtp ? Engine::Score::prediction : o.last ? Engine::Score::last : Engine::Score::all;
  if (!o.out.empty()) {
    file.emplace(AtomicFile::create(o.out).value());
    file->write(npy_header(N, V)).value();
  }
  std::string head = "{\"tokens\":[";  // printed with the first row: the ids are known to be good then
  for (size_t i = 0; i < ids.size(); ++i) head += cat(i ? "," : "", ids[i]);
  head += "],\"logits\":[";
  bool first_row = true;
  model->engine().score(
      ids, what,
      [&](int64_t, const Tensor& logits) {
        check_interrupt();
        const std::vector<float> values = as_floats(logits);
        if (file) return file->write(values.data(), values.size() * sizeof(float)).value();
        std::string text = std::exchange(head, {});
        for (size_t i = 0; i < values.size(); ++i) {
          const bool begins = i % static_cast<size_t>(V) == 0;
          if (begins)
            text += std::exchange(first_row, false) ? "[" : "],[";
          else
            text += ',';
          append(text, values[i]);
        }
        print(text);
      },
      o.trace.empty() ? std::function<void(std::string_view, const Tensor&)>() : listener);
  if (file)
    file->commit().value();
  else
    print(head + (first_row ? "]}\n" : "]]}\n"));
  return 0;
}

}  // namespace

Command logits_command() {
  auto o = std::make_shared<Options>();
  std::vector<Option> options = {
      {"MODEL", &o->model.model, "a name, folder or file; the default model if not given"},
      {"--tokens", &o->tokens, "token ids", {.value = "1,2,3"}},
      {"--tokens-file", &o->tokens_file, "file of token ids, separated by commas or white space", {.value = "FILE"}},
      {"--last", &o->last, "only the last position"},
      {"--mtp", &o->mtp, "logits of the multi-token prediction layer: row i predicts token i + 2"},
      {"--out", &o->out, "write float32 [N, V] to this .npy file", {.value = "FILE.npy"}},
      {"--trace", &o->trace, "write every named intermediate result to this folder", {.value = "DIR"}}};
  for (Option& option : model_options(o->model)) options.push_back(std::move(option));
  return {.name = "logits",
          .summary = "the logits of a list of tokens",
          .options = std::move(options),
          .examples = {"jevons logits --tokens 504,3575,282 --last",
                       "jevons logits ./model --tokens-file ids.txt --out logits.npy --compute f32"},
          .run = [o](const Common& common) { return run(*o, common); }};
}

}  // namespace jevons
