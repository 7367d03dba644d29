// jevons perplexity: how well a model predicts a text.
//   nll = -sum ln p(token | tokens before it in its window);  perplexity = exp(nll / tokens);  bits per byte = nll /
//   (ln 2 * bytes)
// The text is cut into windows of --ctx tokens. Only the second half of a window counts (its first half is context), as
// llama-perplexity does, so that figures can be compared; bits per byte counts the bytes of the counted tokens.
#include <cmath>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "base/strings.h"
#include "cli/model_flags.h"
#include "cli/output.h"

namespace jevons {
namespace {

struct Options {
  ModelFlags model;
  std::string file;
  int64_t window = 512, limit = 0;
};

struct Score {
  double nll = 0, squares = 0;
  int64_t tokens = 0, bytes = 0;
};

double negative_log_probability(std::span<const float> logits, int32_t id) {
  float top = logits[0];
  for (float l : logits) top = std::max(top, l);
  double sum = 0;
  for (float l : logits) sum += std::exp(static_cast<double>(l - top));
  return std::log(sum) - static_cast<double>(logits[static_cast<size_t>(id)] - top);
}

int run(const Options& o, const Common& common) {
  const std::string text = read_file(o.file).value();
  std::unique_ptr<Model> model = open_model(o.model, common);
  const Tokenizer& tokenizer = model->tokenizer();
  const std::vector<int32_t> ids = tokenizer.encode(text, {.parse_special = false, .add_bos = false});
  const int64_t window = o.window, half = window / 2;
  int64_t windows = static_cast<int64_t>(ids.size()) / window;
  if (o.limit > 0) windows = std::min(windows, o.limit);
  if (windows == 0)
    throw Error(Code::invalid,
                cat(o.file, " has ", ids.size(), " tokens; at least ", window, " are needed, or a smaller --window"));
  const int64_t V = model->config().vocab_size;
  Score score;
  Progress progress("perplexity", static_cast<uint64_t>(windows), "windows");
  for (int64_t w = 0; w < windows; ++w) {
    check_interrupt();
    std::vector<int32_t> part(ids.begin() + w * window, ids.begin() + (w + 1) * window);
    if (tokenizer.adds_bos() && tokenizer.bos()) part[0] = *tokenizer.bos();
    model->engine().score(part, Engine::Score::all, [&](int64_t first, const Tensor& logits) {
      const int64_t rows = logits.shape()[0];
      std::vector<double> nll(static_cast<size_t>(rows), 0);
      std::vector<float> narrow;
      if (logits.dtype() == DType::f64) narrow.assign(logits.as<double>().begin(), logits.as<double>().end());
      const std::span<const float> all =
          narrow.empty() ? std::span<const float>(logits.as<float>()) : std::span<const float>(narrow);
      model->exec().parallel_for(rows, [&](int64_t r) {
        const int64_t p = first + r;
        if (p < half || p + 1 >= window) return;
        nll[static_cast<size_t>(r)] = negative_log_probability(
            all.subspan(static_cast<size_t>(r * V), static_cast<size_t>(V)), part[static_cast<size_t>(p + 1)]);
      });
      for (int64_t r = 0; r < rows; ++r) {
        const int64_t p = first + r;
        if (p < half || p + 1 >= window) continue;
        score.nll += nll[static_cast<size_t>(r)];
        score.squares += nll[static_cast<size_t>(r)] * nll[static_cast<size_t>(r)];
        ++score.tokens;
        score.bytes += static_cast<int64_t>(tokenizer.token_bytes(part[static_cast<size_t>(p + 1)]).size());
      }
    });
    progress.set(static_cast<uint64_t>(w + 1));
  }
  const double n = static_cast<double>(score.tokens), mean = score.nll / n;
  const double deviation = std::sqrt(std::max(0.0, score.squares / n - mean * mean) / n);
  const double perplexity = std::exp(mean), bits = score.nll / std::log(2.0) / static_cast<double>(score.bytes);
  if (common.json) {
    print_json(Json::Object{{"perplexity", perplexity},
                            {"standard_error", perplexity * deviation},
                            {"bits_per_byte", bits},
                            {"nll_per_token", mean},
                            {"tokens", score.tokens},
                            {"bytes", score.bytes},
                            {"windows", windows},
                            {"window", window}});
  } else {
    print(cat("perplexity ", fixed(perplexity, 4), " +- ", fixed(perplexity * deviation, 4), ", ", fixed(bits, 4),
              " bits per byte, over ", score.tokens, " tokens in ", windows, " windows of ", window, "\n"));
  }
  return 0;
}

}  // namespace

Command perplexity_command() {
  auto o = std::make_shared<Options>();
  std::vector<Option> options = {
      {"MODEL", &o->model.model, "a name, folder or file", {.required = true}},
      {"FILE", &o->file, "a text file", {.required = true}},
      {"--window", &o->window, "tokens of a window; the second half of each is counted", {.min = 4, .max = 1 << 20}},
      {"--windows", &o->limit, "stop after this many windows; 0: the whole text", {.min = 0}}};
  for (Option& option : model_options(o->model)) options.push_back(std::move(option));
  return {.name = "perplexity",
          .summary = "how well a model predicts a text",
          .options = std::move(options),
          .examples = {"jevons perplexity smollm2-135m-instruct book.txt",
                       "jevons perplexity model.gguf book.txt --windows 20 --json"},
          .run = [o](const Common& common) { return run(*o, common); }};
}

}  // namespace jevons
