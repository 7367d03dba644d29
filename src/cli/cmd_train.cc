// jevons train: pre-training and fine-tuning, from a configuration or by flags. docs/train.md defines every number.
#include <sys/ioctl.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>

#include "base/progress.h"
#include "base/strings.h"
#include "cli/bench_text.h"
#include "cli/output.h"
#include "engine/model.h"
#include "train/corpus.h"
#include "train/prepare.h"
#include "train/run_page.h"

namespace jevons {
namespace {

// Everything given on the command line; what is not given is the default, or, with --resume, what the run had.
struct Options {
  std::string config, plot;
  std::vector<std::string> sets;
  std::string init, resume, out, log;
  std::optional<std::string> tokens, mask, order, dtype, optimizer, schedule, betas;
  std::optional<int> batch, seq, steps, warmup, decay, document_start;
  std::optional<double> lr, eps, weight_decay, clip, min_lr, balance_rate, aux_loss, mtp_weight;
  int64_t save_every = 0, piece_rows = 0;
  bool tensor_norms = false, recompute = false;
};

template <class From, class To>
void set(const std::optional<From>& from, To& to) {
  if (from) to = *from;
}

void set_betas(const std::string& text, TrainSettings& s) {
  const size_t comma = text.find(',');
  const char* end = text.data() + text.size();
  const auto read = [&](const char* from, const char* to, double& value) {
    const auto [stop, failed] = std::from_chars(from, to, value);
    return failed == std::errc() && stop == to && value >= 0 && value < 1;
  };
  if (comma == std::string::npos || !read(text.data(), text.data() + comma, s.beta1) ||
      !read(text.data() + comma + 1, end, s.beta2))
    throw Error(Code::usage, cat("--betas ", quote(text), ": expected two numbers from 0 to below 1, as in 0.9,0.95"));
}

TrainRun plan(const Options& o, const Common& common) {
  TrainRun run;
  if (!o.resume.empty() && !o.init.empty())
    throw Error(Code::usage, "--init starts a run and --resume continues one; give one of them");
  if (!o.resume.empty()) run.settings = read_saved_run(o.resume).value().settings;
  TrainSettings& s = run.settings;
  set(o.tokens, s.tokens), set(o.mask, s.mask), set(o.order, s.order), set(o.dtype, s.dtype);
  set(o.optimizer, s.optimizer), set(o.schedule, s.schedule), set(o.batch, s.batch), set(o.seq, s.seq);
  set(o.steps, s.steps), set(o.warmup, s.warmup), set(o.decay, s.decay), set(o.document_start, s.document_start);
  set(o.lr, s.lr), set(o.eps, s.eps), set(o.weight_decay, s.weight_decay), set(o.clip, s.clip);
  set(o.min_lr, s.min_lr), set(o.balance_rate, s.balance_rate), set(o.aux_loss, s.aux_loss);
  set(o.mtp_weight, s.mtp_weight), set(common.seed, s.seed);
  if (o.betas) set_betas(*o.betas, s);
  run.init = o.init, run.resume = o.resume, run.log = o.log;
  run.out = o.out.empty() ? o.resume : o.out;
  run.save_every = o.save_every, run.piece_rows = o.piece_rows, run.log_tensor_norms = o.tensor_norms;
  run.recompute = o.recompute;
  return run;
}

int by_flags(const Options& o, const Common& common) {
  Exec exec(thread_count(common));
  const TrainHooks hooks{.available_memory = available_memory()};
  const TrainSummary done = train(plan(o, common), exec, hooks);
  const double speed = done.seconds > 0 ? static_cast<double>(done.tokens) / done.seconds : 0;
  const std::string out = o.out.empty() ? o.resume : o.out;
  if (common.json)
    print_json(Json::Object{{"out", out},
                            {"first_step", done.first},
                            {"steps", done.steps},
                            {"loss", done.last.loss},
                            {"tokens", done.tokens},
                            {"seconds", done.seconds},
                            {"tokens_per_s", speed}});
  else
    print(cat(out, ": ", done.steps, " steps from ", done.first, " on, loss ", fixed(done.last.loss, 4), ", ",
              fixed(speed, 0), " tokens/s\n"));
  return 0;
}

// ---------------------------------------------------------------------------------------------- from a configuration

// The folder that a resumed state belongs to: OUT of OUT/checkpoints/step-N.
std::filesystem::path run_folder(const std::filesystem::path& state) {
  const std::filesystem::path whole = std::filesystem::absolute(state / "x").parent_path().lexically_normal();
  if (whole.parent_path().filename() != "checkpoints") return state;
  return state.lexically_normal().has_parent_path() ? (state / "../..").lexically_normal()
                                                    : whole.parent_path().parent_path();
}

RunConfig read_configuration(const Options& o, const Common& common) {
  std::vector<std::string> sets = o.sets;
  if (common.seed) sets.push_back(cat("seed=", *common.seed));
  if (!o.config.empty()) {
    if (!o.out.empty()) sets.push_back(cat("out=", o.out));
    return read_run_config(o.config, read_file(o.config).value(), sets).value();
  }
  RunConfig config = run_config_from_json(*saved_run_config(o.resume), sets).value();
  config.out = run_folder(o.resume).string();
  return config;
}

// The flags that say what a configuration says too.
void refuse_flags(const Options& o) {
  const bool mixed = !o.init.empty() || !o.log.empty() || o.tokens || o.mask || o.order || o.dtype || o.optimizer ||
                     o.schedule || o.betas || o.batch || o.seq || o.steps || o.warmup || o.decay || o.document_start ||
                     o.lr || o.eps || o.weight_decay || o.clip || o.min_lr || o.balance_rate || o.aux_loss ||
                     o.mtp_weight || o.save_every > 0 || o.piece_rows > 0 || o.tensor_norms || o.recompute;
  if (mixed)
    throw Error(Code::usage,
                "this run is described by a configuration; change it with --set, as in --set schedule.steps=2000");
  if (!o.config.empty() && !o.resume.empty())
    throw Error(Code::usage,
                cat("--resume continues with the configuration that the run has; leave out ", quote(o.config)));
}

std::vector<Sample> draw_samples(const RunConfig& config, const std::filesystem::path& folder, int threads) {
  const ModelOptions options{.threads = threads, .speculation = Speculation::off};
  const std::unique_ptr<Model> model = Model::load(folder, options).value();
  const DocumentMarks marks = document_marks(model->tokenizer(), config.tokenizer.document_start).value();
  std::vector<Sample> out;
  for (const std::string& prompt : config.samples.prompts) {
    std::vector<int32_t> ids = model->tokenizer().encode(prompt, {.parse_special = false});
    if (marks.start >= 0) ids.insert(ids.begin(), marks.start);
    Sampling sampling;
    sampling.temperature = config.samples.temperature, sampling.top_p = config.samples.top_p;
    sampling.seed = static_cast<uint64_t>(config.seed);
    GenerateOptions generated{
        .max_tokens = config.samples.tokens, .stop_ids = model->stop_ids(), .split_thought = false};
    out.push_back({prompt, generate(model->engine(), model->tokenizer(), ids, sampling, generated).value().text});
    note(cat(prompt, out.back().text));
  }
  return out;
}

int by_configuration(const Options& o, const Common& common) {
  refuse_flags(o);
  const RunConfig config = read_configuration(o, common);
  const int threads = thread_count(common);
  Exec exec(threads);
  TrainHooks hooks{.available_memory = available_memory()};
  if (common.json) hooks.event = [](const Json& event) { print_json(event); };
  if (!config.samples.prompts.empty())
    hooks.sample = [&](const std::filesystem::path& model) { return draw_samples(config, model, threads); };
  const TrainSummary done = train(prepare_run(config, o.resume, exec), exec, hooks);
  if (common.json || done.steps == 0) return 0;  // each event was printed; there was nothing left to do
  print(cat(config.out, ": ", done.steps, " steps from ", done.first, " on in ", human_seconds(done.seconds), ", loss ",
            fixed(done.last.loss, 4),
            done.held_out_bits > 0 ? cat(", held-out ", fixed(done.held_out_bits, 4), " bits per byte") : "", "\n",
            "look at ", (std::filesystem::path(config.out) / "run.html").string(), ", try: jevons run ", config.out,
            " --raw \"...\"\n"));
  return 0;
}

int plot(const std::string& folder) {
  winsize size{};
  const int columns = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 100;
  const std::filesystem::path path = folder;
  print(plot_run(std::filesystem::is_directory(path) ? path / "log.jsonl" : path, columns).value());
  return 0;
}

int run(const Options& o, const Common& common) {
  if (!o.plot.empty()) return plot(o.plot);
  if (!o.config.empty() || (!o.resume.empty() && saved_run_config(o.resume))) return by_configuration(o, common);
  if (!o.sets.empty())
    throw Error(Code::usage, "--set changes a configuration; give CONFIG.toml, or use the flags alone");
  return by_flags(o, common);
}

}  // namespace

Command train_command() {
  auto o = std::make_shared<Options>();
  const OptionRules positive{.min = 1, .max = 1 << 30}, number{.min = 0};
  return {
      .name = "train",
      .summary = "train a model on text or a token stream",
      .details =
          "With CONFIG.toml: reads text, trains, evaluates, samples and writes run.html. By flags alone: every step "
          "is defined to the number, for comparison with other trainers. Both start from a Hugging Face folder, or "
          "from random numbers, and write such a folder with the training state beside it. The same settings and "
          "seed give the same bytes for any number of threads and any point of resuming. Ctrl-C saves.",
      .options = {{"CONFIG", &o->config, "what to train on what, and how (docs/train.md)", {.value = "CONFIG.toml"}},
                  {"--set", &o->sets, "a key of the configuration, as in schedule.steps=100", {.value = "KEY=VALUE"}},
                  {"--plot", &o->plot, "show the curves of a run in the terminal", {.value = "RUNDIR"}},
                  {"--init", &o->init, "checkpoint folder, or random:CONFIG.json", {.value = "HFDIR"}},
                  {"--resume", &o->resume, "the --out folder of a run to continue", {.value = "DIR"}},
                  {"--tokens", &o->tokens, "little-endian uint32 token ids", {.value = "FILE.u32"}},
                  {"--mask", &o->mask, "one byte a token: 1 counts as a target", {.value = "FILE.u8"}},
                  {"--document-start", &o->document_start, "id that begins a document; attention stays inside it",
                   number},
                  {"--batch", &o->batch, "rows of a step (8)", positive},
                  {"--seq", &o->seq, "tokens of a row (256)", positive},
                  {"--steps", &o->steps, "steps in all, those before --resume included (100)", positive},
                  {"--order", &o->order, "how rows are taken from the stream: sequential"},
                  {"--dtype", &o->dtype, "number type: f32"},
                  {"--optimizer", &o->optimizer, "adamw or muon (adamw)"},
                  {"--lr", &o->lr, "learning rate (0.001)", number},
                  {"--betas", &o->betas, "AdamW's two decay rates (0.9,0.95)", {.value = "B1,B2"}},
                  {"--eps", &o->eps, "AdamW's epsilon (1e-8)", number},
                  {"--weight-decay", &o->weight_decay, "for matrices except the embedding (0.1)", number},
                  {"--clip", &o->clip, "largest gradient norm; 0: no limit (1)", number},
                  {"--schedule", &o->schedule, "constant, cosine or wsd (constant)"},
                  {"--warmup", &o->warmup, "steps of linear rise (0)", number},
                  {"--decay", &o->decay, "wsd: steps of linear fall at the end (0)", number},
                  {"--min-lr", &o->min_lr, "where cosine and wsd end (0)", number},
                  {"--balance-rate", &o->balance_rate, "loss-free balance: step of the biases (0.001)", number},
                  {"--aux-loss", &o->aux_loss, "weight of the sequence-wise balance loss (0.0001)", number},
                  {"--mtp-weight", &o->mtp_weight, "weight of multi-token prediction (0)", number},
                  {"--log", &o->log, "one JSON object a step", {.value = "LOG.jsonl"}},
                  {"--log-tensor-norms", &o->tensor_norms, "also every tensor's gradient norm"},
                  {"--save-every", &o->save_every, "steps between saves; 0: at the end", number},
                  {"--piece-rows", &o->piece_rows, "rows computed at a time; 0: 4096 tokens", number},
                  {"--recompute", &o->recompute, "compute layers twice and keep less; the same bits"},
                  {"--out", &o->out, "folder for the trained model", {.value = "DIR"}}},
      .examples = {"jevons train configs/micro.toml --set schedule.steps=300", "jevons train --resume runs/micro",
                   "jevons train --plot runs/micro",
                   "jevons train --init random:config.json --tokens books.u32 --steps 1000 --out run1",
                   "jevons train --resume run1 --steps 2000 --log run1.jsonl"},
      .run = [o](const Common& common) { return run(*o, common); }};
}

}  // namespace jevons
