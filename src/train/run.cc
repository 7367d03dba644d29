#include "train/run.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "base/strings.h"
#include "models/loader.h"

namespace jevons {
namespace {

// One JSON object a line, on disk as it comes.
class Log {
 public:
  Log(const std::filesystem::path& path, bool append) : path_(path) {
    if (path.empty()) return;
    fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | (append ? O_APPEND : O_TRUNC), 0644);
    if (fd_ < 0) throw Error(Code::io, cat(path.string(), ": cannot write the log; check the folder"));
  }
  ~Log() {
    if (fd_ >= 0) ::close(fd_);
  }
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  void write(const Json& line) {
    if (fd_ < 0) return;
    const std::string text = line.dump() + "\n";
    if (::write(fd_, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
      throw Error(Code::io, cat(path_.string(), ": cannot write the log; is the disk full?"));
  }

 private:
  std::filesystem::path path_;
  int fd_ = -1;
};

Json log_line(const StepReport& r, const TrainRun& run, double tokens_per_s, Trainer& trainer) {
  Json line = Json::Object{{"step", r.step}, {"loss", r.loss}, {"aux", r.aux}};
  if (run.settings.mtp_weight > 0) line["mtp_loss"] = r.mtp_loss;
  line["grad_norm"] = r.grad_norm, line["lr"] = r.lr, line["tokens_per_s"] = tokens_per_s;
  if (!run.log_tensor_norms) return line;
  Json norms = Json::object();
  for (size_t i = 0; i < trainer.norms().size(); ++i)
    if (trainer.trained()[i]) norms[trainer.parameters().list()[i].name] = trainer.norms()[i];
  line["tensor_grad_norm"] = std::move(norms);
  return line;
}

Config config_of(const TrainStart& start, const std::filesystem::path& where, bool stored) {
  if (stored) return read_config(Checkpoint::open(where).value()).value();
  Result<Config> config = parse_config(start.config);
  if (!config.ok()) throw config.error().within(where.string());
  return *config;
}

void refuse_overwriting(const TrainRun& run) {
  if (run.out.empty()) throw Error(Code::usage, "--out DIR is missing: the folder for the trained model");
  if (run.resume.empty() && std::filesystem::exists(run.out / "config.json"))
    throw Error(Code::invalid, cat(run.out.string(), " holds a model already; continue it with --resume ",
                                   run.out.string(), " or choose another folder"));
}

}  // namespace

TrainSummary train(TrainRun run, Exec& exec, const std::function<void(const StepReport&, double)>& each) {
  const bool resumed = !run.resume.empty();
  const std::string source = resumed ? run.resume.string() : run.init;
  if (source.empty()) throw Error(Code::usage, "--init HFDIR is missing: the model to start from (or --resume DIR)");
  const TrainSettings& settings = run.settings;
  settings.check().value();
  refuse_overwriting(run);
  const TrainStart start = open_start(source).value();
  const bool stored = std::filesystem::exists(start.folder / "model.safetensors") ||
                      std::filesystem::exists(start.folder / "model.safetensors.index.json");
  const Config config = config_of(start, start.folder, stored && !source.starts_with("random:"));
  const TokenData data = TokenData::open(settings.tokens, settings.mask).value();
  const int64_t first = resumed ? read_saved_run(run.resume).value().done : 0;
  if (first > settings.steps)
    throw Error(Code::usage, cat("--steps ", settings.steps, " is the total; ", first, " steps are done already"));
  data.check(first, settings.steps, settings.batch, settings.seq, config.vocab_size).value();

  Trainer trainer(config, settings, exec);
  if (run.piece_rows > 0) trainer.set_piece_rows(run.piece_rows);
  (resumed ? load_saved_run(run.resume, trainer) : load_start(run.init, trainer.parameters(), settings.seed)).value();
  Log log(run.log, resumed);
  const auto save = [&](int64_t done) {
    save_run(run.out, start, trainer, settings, done, config.num_nextn_predict_layers > 0).value();
  };

  TrainSummary summary{.first = first};
  const double begun = now_seconds();
  Progress progress("training", static_cast<uint64_t>(settings.steps - first), "steps");
  for (int64_t step = first; step < settings.steps; ++step) {
    const double before = now_seconds();
    const StepReport report = trainer.gradient(data, step);
    if (!report.finite()) {
      save(step);
      throw Error(Code::invalid, cat("step ", step, ": the loss or the gradient is not a finite number (loss ",
                                     report.loss, ", grad_norm ", report.grad_norm, "); the state before this step is ",
                                     "saved in ", run.out.string(), "; resume it with a smaller --lr or a --clip"));
    }
    trainer.update(step);
    const double seconds = now_seconds() - before;
    log.write(log_line(report, run, static_cast<double>(settings.batch * settings.seq) / seconds, trainer));
    each(report, seconds);
    summary.last = report;
    ++summary.steps;
    progress.set(static_cast<uint64_t>(step + 1 - first));
    if (interrupted()) {
      save(step + 1);
      throw Error(Code::interrupted, cat("stopped after step ", step, "; continue with --resume ", run.out.string()));
    }
    if (run.save_every > 0 && (step + 1) % run.save_every == 0 && step + 1 < settings.steps) save(step + 1);
  }
  save(settings.steps);
  summary.tokens = summary.steps * settings.batch * settings.seq;
  summary.seconds = now_seconds() - begun;
  return summary;
}

}  // namespace jevons
