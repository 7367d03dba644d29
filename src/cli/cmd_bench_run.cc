// jevons bench run: prompt and generation speed of a model, beside another program in the same minute.
//
// Rounds alternate: this program, then the peer (a `llama-bench` of llama.cpp or ik_llama.cpp), so that both meet the
// same disturbances. Reported are medians, the median of the ratios of each round, and the share of what the machine
// can do: decode against the measured read bandwidth (bytes of weights and cache per token), prompts against the int8
// peak.
#include <algorithm>

#include "base/interrupt.h"
#include "base/progress.h"
#include "base/strings.h"
#include "cli/bench_peer.h"
#include "cli/bench_text.h"
#include "cli/model_flags.h"
#include "cli/output.h"
#include "cli/store.h"
#include "kernels/bench.h"

namespace jevons {
namespace {

struct Options {
  ModelFlags model;
  std::string peer, peer_flags = "-fa 1";
  int prompt = 512, generate = 64, rounds = 5, depth = 0;
};

struct Speeds {
  std::vector<double> prompt, generate;  // tokens/s, one a round
};

std::vector<int32_t> some_tokens(int64_t vocabulary, int64_t count, int64_t start) {
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < count; ++i) ids.push_back(static_cast<int32_t>((start + i * 7919) % vocabulary));
  return ids;
}

// Seconds for the prompt and for the tokens after the first. Every round has other tokens, so no prefix is shared.
std::pair<double, double> once(Model& model, int64_t prompt, int64_t generate_count, int64_t round) {
  GenerateOptions g;
  g.ignore_eos = true;
  g.split_thought = false;
  g.max_tokens = generate_count + 1;
  const Generated out = generate(model.engine(), model.tokenizer(),
                                 some_tokens(model.config().vocab_size, prompt, 1000 + 131 * round), {}, g)
                            .value();
  check_interrupt();
  return {out.prompt_seconds, out.seconds};
}

void measure_self(Model& model, const Options& o, int64_t round, Speeds& speeds) {
  if (o.prompt > 0) speeds.prompt.push_back(o.prompt / once(model, o.prompt, 0, 2 * round).first);
  if (o.generate > 0)
    speeds.generate.push_back(o.generate / once(model, std::max(1, o.depth), o.generate, 2 * round + 1).second);
}

// The average speeds of one run of llama-bench, from its JSON.
void measure_peer(const Options& o, const std::string& path, int threads, Speeds& speeds) {
  const std::string command =
      cat(shell_word(o.peer), " -m ", shell_word(path), " -p ", o.prompt, " -n ", o.generate, " -r 1 -t ", threads, " ",
          o.depth > 0 ? cat("-gp ", o.depth, ",", o.generate, " ") : "", o.peer_flags, " -o json 2>/dev/null");
  const Json rows = run_peer(command, '[');
  for (const Json& row : rows.as_array()) {
    const int64_t p = row.at("n_prompt").as_int(), n = row.at("n_gen").as_int();
    const double speed = row.at("avg_ts").as_double();
    if (n == 0 && p == o.prompt)
      speeds.prompt.push_back(speed);
    else if (n == o.generate && p == o.depth)
      speeds.generate.push_back(speed);
  }
}

int run(const Options& o, const Common& common) {
  const std::filesystem::path path = resolve_model(o.model.model).value();
  ModelFlags flags = o.model;
  flags.speculate = "off";  // the speed of steps is measured, not the luck of guesses
  if (flags.context == 0) flags.context = std::max(o.prompt, o.depth) + o.generate + 8;
  std::unique_ptr<Model> model = open_model(flags, common, Text::if_there);
  const MachineReport before = measure_machine(model->exec());
  Speeds own, peer;
  (void)once(*model, 16, 4, 100000);  // warm up
  Progress progress("measuring", static_cast<uint64_t>(o.rounds), "rounds");
  for (int round = 0; round < o.rounds; ++round) {
    measure_self(*model, o, round, own);
    if (!o.peer.empty()) measure_peer(o, path.string(), model->exec().threads(), peer);
    progress.set(static_cast<uint64_t>(round + 1));
  }
  const MachineReport after = measure_machine(model->exec());
  const double bandwidth = std::max(before.read_all, after.read_all), int8 = std::max(before.int8_all, after.int8_all);
  const double lost = std::max(before.lost, after.lost);

  const LoadOptions load{};
  const WeightMemory weights = plan_weights(model->checkpoint(), model->config(), load).value();
  const double cache = static_cast<double>(KvStore::bytes_per_token(model->config(), model->decoder().cache_layers(),
                                                                    model->engine().options().cache_type)) *
                       (o.depth + o.generate / 2.0);
  const double bytes = static_cast<double>(weights.read_per_token) + cache;
  const double head = static_cast<double>(model->config().vocab_size * model->config().hidden_size);
  const double operations = 2 * (static_cast<double>(weights.active) - head);  // the head runs once a prompt
  const double prompt = median(own.prompt), generation = median(own.generate);
  if (common.json) {
    const auto list = [](const std::vector<double>& v) {
      Json out = Json::array();
      for (double x : v) out.push_back(x);
      return out;
    };
    print_json(Json::Object{{"model", path.string()},
                            {"threads", model->exec().threads()},
                            {"rounds", o.rounds},
                            {"lost", lost},
                            {"disturbed", lost > MachineReport::kLimit},
                            {"read_bytes_per_second", bandwidth},
                            {"int8_per_second", int8},
                            {"prompt", Json::Object{{"tokens", o.prompt},
                                                    {"per_second", list(own.prompt)},
                                                    {"median", prompt},
                                                    {"peer_per_second", list(peer.prompt)},
                                                    {"ratio", median_ratio(own.prompt, peer.prompt)},
                                                    {"operations_per_token", operations},
                                                    {"share_of_int8_peak", prompt * operations / int8}}},
                            {"generation", Json::Object{{"tokens", o.generate},
                                                        {"depth", o.depth},
                                                        {"per_second", list(own.generate)},
                                                        {"median", generation},
                                                        {"peer_per_second", list(peer.generate)},
                                                        {"ratio", median_ratio(own.generate, peer.generate)},
                                                        {"bytes_per_token", bytes},
                                                        {"share_of_bandwidth", generation * bytes / bandwidth}}}});
    return 0;
  }
  const auto line = [&](const std::string& what, double speed, const std::vector<double>& theirs, double ratio,
                        const std::string& share) {
    return cat(
        pad_right(what, 16), pad_left(fixed(speed, 1), 9), " tokens/s",
        theirs.empty() ? "" : cat("   peer ", pad_left(fixed(median(theirs), 1), 8), "   ratio ", fixed(ratio, 2)),
        "   ", share, "\n");
  };
  std::string out;
  if (o.prompt > 0)
    out += line(
        cat("prompt ", o.prompt), prompt, peer.prompt, median_ratio(own.prompt, peer.prompt),
        cat(giga(prompt * operations), " Gop/s, ", fixed(100 * prompt * operations / int8, 0), " % of the int8 peak"));
  if (o.generate > 0)
    out += line(cat("generate ", o.generate, o.depth ? cat(" at ", o.depth) : ""), generation, peer.generate,
                median_ratio(own.generate, peer.generate),
                cat(giga(generation * bytes), " GB/s, ", fixed(100 * generation * bytes / bandwidth, 0),
                    " % of the read bandwidth"));
  print(out);
  if (lost > MachineReport::kLimit)
    note(cat("the machine was disturbed: a thread lost ", fixed(100 * lost, 0),
             " % of a second to other work; ratios of interleaved rounds still count, absolute figures do not"));
  return 0;
}

}  // namespace

Command bench_run_command() {
  auto o = std::make_shared<Options>();
  std::vector<Option> options = {
      {"MODEL", &o->model.model, "a name, folder or file; the default model if not given"},
      {"--peer", &o->peer, "a llama-bench to alternate with (GGUF models)", {.value = "PATH"}},
      {"--peer-flags", &o->peer_flags, "its further flags"},
      {"-p,--prompt", &o->prompt, "tokens of the prompt; 0: leave out", {.min = 0}},
      {"-n,--generate", &o->generate, "tokens to generate; 0: leave out", {.min = 0}},
      {"--depth", &o->depth, "context before the generated tokens", {.min = 0}},
      {"-r,--rounds", &o->rounds, "rounds of which the median counts", {.min = 1, .max = 1000}}};
  for (Option& option : model_options(o->model)) options.push_back(std::move(option));
  return {.name = "bench run",
          .summary = "prompt and generation speed of a model, beside a peer",
          .options = std::move(options),
          .examples = {"jevons bench run",
                       "jevons bench run model.gguf --peer ./llama-bench --peer-flags '-fa 1 -rtr 1' -r 7"},
          .run = [o](const Common& common) { return run(*o, common); }};
}

}  // namespace jevons
