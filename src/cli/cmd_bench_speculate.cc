// jevons bench speculate: what guesses are worth on four kinds of work. All ways of guessing take turns, prompt by
// prompt, so that each meets the same disturbances. That they give the same text is checked on the way.
#include <algorithm>
#include <map>

#include "base/interrupt.h"
#include "base/progress.h"
#include "base/strings.h"
#include "cli/bench_peer.h"
#include "cli/bench_prompts.h"
#include "cli/bench_text.h"
#include "cli/model_flags.h"
#include "cli/output.h"
#include "cli/store.h"

namespace jevons {
namespace {

struct Options {
  ModelFlags model;
  double temperature = 0;
  int generate = 160, rounds = 3;
};

// One way of guessing, with an engine of its own.
struct Way {
  std::string name;
  std::unique_ptr<Engine> engine;
};

std::vector<Way> ways(Model& model) {
  std::vector<Way> out;
  const auto add = [&](const std::string& name, Speculation speculation, bool lookup, bool prediction, bool draft) {
    EngineOptions o = model.engine().options();
    o.speculation = speculation, o.guess_by_lookup = lookup, o.guess_by_prediction = prediction;
    if (!draft) o.draft = nullptr;
    o.share_prefixes = false;
    out.push_back({name, std::make_unique<Engine>(model.decoder(), model.exec(), o)});
  };
  add("off", Speculation::off, false, false, false);
  add("lookup", Speculation::always, true, false, false);
  if (model.config().num_nextn_predict_layers > 0) add("mtp", Speculation::always, false, true, false);
  if (model.engine().options().draft) add("draft", Speculation::always, false, false, true);
  add("auto", Speculation::measured, true, true, true);
  return out;
}

// What one way did with one kind of work.
struct Tally {
  std::vector<double> speeds;  // tokens/s, one an answer
  int64_t tokens = 0, guessed = 0, right = 0;
  double share_right() const { return guessed > 0 ? static_cast<double>(right) / static_cast<double>(guessed) : 0; }
  // A step gives one token and those that were guessed right.
  double tokens_per_step() const { return static_cast<double>(tokens) / static_cast<double>(tokens - right); }
};
using Tallies = std::map<std::pair<size_t, size_t>, Tally>;  // by kind and way

std::vector<int32_t> encode(const Model& model, const char* text) {
  if (!model.chat_template()) return model.tokenizer().encode(text, {.parse_special = false, .add_bos = true});
  Json messages = Json::array();
  messages.push_back(Json::Object{{"role", "user"}, {"content", text}});
  return model.tokenizer().encode(model.prompt(messages, Json(), false).value(), {.parse_special = true});
}

Generated answer(Way& way, const Model& model, const std::vector<int32_t>& prompt, const Options& o) {
  GenerateOptions g;
  g.ignore_eos = true, g.split_thought = false;
  g.max_tokens = o.generate;
  Sampling sampling;
  sampling.temperature = o.temperature;
  Generated out = generate(*way.engine, model.tokenizer(), prompt, sampling, g).value();
  check_interrupt();
  return out;
}

void add(Tally& tally, const Generated& g) {
  const auto n = static_cast<int64_t>(g.tokens.size());
  if (g.seconds > 0) tally.speeds.push_back(static_cast<double>(n - 1) / g.seconds);
  tally.tokens += n, tally.guessed += g.guessed, tally.right += g.guessed_right;
}

Tallies measure(const Model& model, std::vector<Way>& all, const Options& o) {
  Tallies out;
  Progress progress("measuring", static_cast<uint64_t>(o.rounds) * kBenchPrompts.size(), "parts");
  for (int round = 0; round < o.rounds; ++round)
    for (size_t kind = 0; kind < kBenchPrompts.size(); ++kind) {
      for (const char* text : kBenchPrompts[kind].prompts) {
        const std::vector<int32_t> prompt = encode(model, text);
        std::vector<int32_t> plain;
        for (size_t w = 0; w < all.size(); ++w) {
          const Generated g = answer(all[w], model, prompt, o);
          add(out[{kind, w}], g);
          if (w == 0) plain = g.tokens;
          JEVONS_CHECK(g.tokens == plain, "guesses changed a text");
        }
      }
      progress.set(static_cast<uint64_t>(round) * kBenchPrompts.size() + kind + 1);
    }
  return out;
}

Json as_json(const Tallies& tallies, const std::vector<Way>& all, const std::string& path) {
  Json kinds = Json::object();
  for (size_t kind = 0; kind < kBenchPrompts.size(); ++kind) {
    Json row = Json::object();
    for (size_t w = 0; w < all.size(); ++w) {
      const Tally& t = tallies.at({kind, w});
      row[all[w].name] = Json::Object{{"per_second", median(t.speeds)},
                                      {"ratio", median_ratio(t.speeds, tallies.at({kind, 0}).speeds)},
                                      {"draft_n", t.guessed},
                                      {"draft_n_accepted", t.right},
                                      {"tokens_per_step", t.tokens_per_step()}};
    }
    kinds[kBenchPrompts[kind].kind] = std::move(row);
  }
  return Json::Object{{"model", path}, {"kinds", std::move(kinds)}};
}

std::string as_text(const Tallies& tallies, const std::vector<Way>& all) {
  std::string out = "work         guesses   tokens/s   ratio   guesses right   tokens a step\n";
  for (size_t kind = 0; kind < kBenchPrompts.size(); ++kind)
    for (size_t w = 0; w < all.size(); ++w) {
      const Tally& t = tallies.at({kind, w});
      out += cat(pad_right(w == 0 ? kBenchPrompts[kind].kind : "", 13), pad_right(all[w].name, 8),
                 pad_left(fixed(median(t.speeds), 1), 10),
                 pad_left(fixed(median_ratio(t.speeds, tallies.at({kind, 0}).speeds), 2), 8),
                 pad_left(t.guessed > 0 ? cat(percent(t.share_right()), " of ", t.guessed) : "-", 16),
                 pad_left(fixed(t.tokens_per_step(), 2), 16), "\n");
    }
  return out;
}

int run(const Options& o, const Common& common) {
  ModelFlags flags = o.model;
  if (flags.context == 0) flags.context = 1024 + o.generate;
  std::unique_ptr<Model> model = open_model(flags, common);
  std::vector<Way> all = ways(*model);
  for (Way& way : all)  // warm up
    (void)answer(way, *model, encode(*model, "Hello"), {.model = {}, .temperature = 0, .generate = 8});
  const Tallies tallies = measure(*model, all, o);
  if (common.json)
    print_json(as_json(tallies, all, model->checkpoint().path().string()));
  else
    print(as_text(tallies, all));
  return 0;
}

}  // namespace

Command bench_speculate_command() {
  auto o = std::make_shared<Options>();
  std::vector<Option> options = {
      {"MODEL", &o->model.model, "a name, folder or file; the default model if not given"},
      {"-n,--generate", &o->generate, "tokens of an answer", {.min = 2}},
      {"--temp", &o->temperature, "temperature; 0 takes the likeliest token", {.min = 0, .max = 100}},
      {"-r,--rounds", &o->rounds, "rounds of which the median counts", {.min = 1, .max = 1000}}};
  for (Option& option : model_options(o->model)) options.push_back(std::move(option));
  return {.name = "bench speculate",
          .summary = "what guessed tokens are worth: editing, summarising, code, free text",
          .details =
              "Each answer is made in every way: without guesses, with all that each source gives, and with "
              "those that the engine thinks worth their time. The texts must be the same.",
          .options = std::move(options),
          .examples = {"jevons bench speculate", "jevons bench speculate big.gguf --draft small.gguf --temp 0.7"},
          .run = [o](const Common& common) { return run(*o, common); }};
}

}  // namespace jevons
