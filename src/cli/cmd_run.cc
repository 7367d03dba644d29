// jevons run: one answer. The thought goes dimmed to stderr, the answer to stdout.
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <iostream>
#include <iterator>

#include "base/interrupt.h"
#include "base/progress.h"
#include "base/strings.h"
#include "cli/model_flags.h"
#include "cli/output.h"
#include "cli/store.h"
#include "cli/thought_view.h"
#include "cli/token_ids.h"

namespace jevons {
namespace {

struct Options {
  std::vector<std::string> words;  // [MODEL] [PROMPT|-]
  ModelFlags model;
  SamplingFlags sampling;
  int64_t max_tokens = 0;
  std::string system, tokens;
  bool raw = false, ignore_eos = false;
};

// One word is the prompt, unless it names a model; two are model and prompt. "-" or nothing reads the prompt from
// stdin.
std::string take_prompt(Options& o) {
  std::vector<std::string>& words = o.words;
  if (words.size() > 2) throw Error(Code::usage, "expected at most MODEL and PROMPT; put the prompt in quotes");
  if (words.size() == 2) {
    o.model.model = words[0];
    words.erase(words.begin());
  } else if (words.size() == 1 && words[0] != "-" && words[0].find(' ') == std::string::npos &&
             resolve_model(words[0]).ok()) {
    o.model.model = words[0];
    words.clear();
  }
  if (!o.tokens.empty()) {
    if (!words.empty() && !o.model.model.empty())
      throw Error(Code::usage, "give either --tokens or a prompt, not both");
    if (!words.empty()) o.model.model = words[0];
    return {};
  }
  if (!words.empty() && words[0] != "-") return words[0];
  if (words.empty() && ::isatty(STDIN_FILENO))
    throw Error(Code::usage, "there is no prompt; give one in quotes, or - to read it from stdin");
  return {std::istreambuf_iterator<char>(std::cin), {}};
}

// A model without a tokenizer has no text to give: its answer is ids.
Json as_json(const Generated& g, bool has_text) {
  Json ids = Json::array();
  for (int32_t id : g.tokens) ids.push_back(id);
  const int64_t n = static_cast<int64_t>(g.tokens.size()), computed = g.prompt_tokens - g.cached_tokens;
  const auto rate = [](double count, double seconds) { return seconds > 0 ? count / seconds : 0.0; };
  return Json::Object{
      {"tokens", ids},
      {"text", has_text ? Json(g.text) : Json()},
      {"reasoning_content", g.reasoning.empty() ? Json() : Json(g.reasoning)},
      {"finish_reason", finish_name(g.finish)},
      {"usage", Json::Object{{"prompt_tokens", g.prompt_tokens},
                             {"completion_tokens", n},
                             {"total_tokens", g.prompt_tokens + n},
                             {"completion_tokens_details", Json::Object{{"reasoning_tokens", g.thought_tokens}}}}},
      {"timings", Json::Object{{"cache_n", g.cached_tokens},
                               {"prompt_n", computed},
                               {"prompt_ms", g.prompt_seconds * 1000},
                               {"prompt_per_second", rate(static_cast<double>(computed), g.prompt_seconds)},
                               {"draft_n", g.guessed},
                               {"draft_n_accepted", g.guessed_right},
                               {"predicted_n", n},
                               {"predicted_ms", g.seconds * 1000},
                               {"predicted_per_second", rate(static_cast<double>(n - 1), g.seconds)}}}};
}

std::string join_ids(const std::vector<int32_t>& ids) {
  std::string out;
  for (int32_t id : ids) out += cat(out.empty() ? "" : ",", id);
  return out;
}

int run(Options o, const Common& common) {
  const std::string text = take_prompt(o);
  const Thinking think = parse_think(o.sampling.think);
  std::unique_ptr<Model> model = open_model(o.model, common, o.tokens.empty() ? Text::needed : Text::if_there);
  if (!model->has_text() && !o.sampling.stop.empty())
    throw Error(Code::usage, "--stop needs text, and the model has no tokenizer; --max-tokens ends the answer");
  GenerateOptions g;
  g.max_tokens = o.max_tokens;
  g.stop = o.sampling.stop;
  g.stop_ids = model->stop_ids();
  g.ignore_eos = o.ignore_eos;
  g.split_thought = !o.raw && o.tokens.empty();
  std::vector<int32_t> prompt;
  if (!o.tokens.empty()) {
    prompt = parse_token_ids(o.tokens, "--tokens", Code::usage);
  } else if (o.raw) {
    prompt = model->tokenizer().encode(text, {.parse_special = true, .add_bos = true});
  } else {
    Json messages = Json::array();
    if (!o.system.empty()) messages.push_back(Json::Object{{"role", "system"}, {"content", o.system}});
    messages.push_back(Json::Object{{"role", "user"}, {"content", text}});
    const std::string whole = model->prompt(messages, Json(), think.on).value();
    g.starts_in_thought = prompt_opens_thought(whole);
    g.thought_budget = think.budget;
    prompt = model->tokenizer().encode(whole, {.parse_special = true, .add_bos = false});
  }

  ThoughtView view(!common.quiet && !common.json);
  const auto on_piece = [&](const Piece& piece) {
    if (common.json) return;
    view.show(piece.reasoning);
    if (!piece.text.empty()) view.end(), print(piece.text);
  };
  std::optional<Progress> progress;
  const auto on_prefill = [&](int64_t done, int64_t total) {
    if (!progress && done < total) progress.emplace("reading the prompt", static_cast<uint64_t>(total), "tokens");
    if (progress) progress->set(static_cast<uint64_t>(done));
    if (done == total) progress.reset();
  };
  const auto interrupt = [] { return interrupted() ? Interrupt::end_all : Interrupt::none; };
  const Generated out = generate(model->engine(), model->tokenizer(), std::move(prompt),
                                 sampling_from(o.sampling, *model, common), g, on_piece, interrupt, on_prefill)
                            .value();
  view.end();
  if (common.json)
    print_json(as_json(out, model->has_text()));
  else if (!model->has_text())
    print(join_ids(out.tokens) + "\n");
  else if (!out.text.empty() && out.text.back() != '\n')
    print("\n");
  if (out.finish == Finish::length && !common.json)
    note(o.max_tokens > 0 ? cat("the answer was ended at ", o.max_tokens, " tokens; --max-tokens allows more")
                          : std::string("the answer ended because the context is full"));
  return out.finish == Finish::interrupted ? 130 : 0;
}

}  // namespace

Command run_command() {
  auto o = std::make_shared<Options>();
  std::vector<Option> options = {
      {"MODEL-OR-PROMPT",
       &o->words,
       "[MODEL] [PROMPT|-]: a model's name, folder or file, then the question",
       {.value = "MODEL] [PROMPT|-"}},
      {"-n,--max-tokens", &o->max_tokens, "tokens to generate at most; 0: to the end of the context", {.min = 0}},
      {"--system", &o->system, "system message"},
      {"--raw", &o->raw, "no chat template: continue the text as it is"},
      {"--tokens", &o->tokens, "the prompt as token ids", {.value = "1,2,3"}},
      {"--ignore-eos", &o->ignore_eos, "go on past the end-of-text token"}};
  for (Option& option : sampling_options(o->sampling)) options.push_back(std::move(option));
  for (Option& option : model_options(o->model)) options.push_back(std::move(option));
  return {.name = "run",
          .summary = "one answer to one question",
          .options = std::move(options),
          .examples = {"jevons run \"Why is the sky blue?\"", "echo 'Summarise: ...' | jevons run -n 200 --temp 0 -",
                       "jevons run ./DeepSeek-R1-Distill-Qwen-1.5B --think 500 \"What is 17 * 23?\"",
                       "jevons run --raw -n 20 --json \"Once upon a time\""},
          .run = [o](const Common& common) { return run(*o, common); }};
}

}  // namespace jevons
