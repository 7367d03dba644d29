#include "train/run.h"
#include "train/memory.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "base/strings.h"
#include "kernels/bench.h"
#include "models/flops.h"
#include "models/loader.h"
#include "train/energy.h"
#include "train/keep.h"
#include "train/memory.h"
#include "train/run_checks.h"
#include "train/run_log.h"
#include "train/run_page.h"

namespace jevons {
namespace {

constexpr int64_t kLoadColumns = 200;  // of expert load over the whole run
constexpr int64_t kEvaluationRows = 16;

double bits_per_byte(double nll, int64_t bytes) { return nll / std::numbers::ln2 / static_cast<double>(bytes); }

class Session {
 public:
  Session(TrainRun run, RunBasis basis, Exec& exec, const TrainHooks& hooks)
      : run_(std::move(run)),
        basis_(std::move(basis)),
        hooks_(hooks),
        exec_(exec),
        trainer_(basis_.config, run_.settings, exec) {
    if (run_.piece_rows > 0) trainer_.set_piece_rows(run_.piece_rows);
    trainer_.set_recompute(run_.recompute);
    predicted_ = plan_training(basis_.config, run_.settings, {run_.piece_rows, run_.recompute}).step;
    (run_.resume.empty() ? load_start(basis_.start, trainer_.parameters(), run_.settings.seed)
                         : load_saved_run(run_.resume, trainer_))
        .value();
  }

  TrainSummary loop() {
    TrainSummary summary{.first = basis_.first};
    if (diary() && basis_.first == run_.settings.steps) {
      note(cat("all ", basis_.first, " steps are done; --set schedule.steps=N makes it more"));
      renew_page();
      return summary;
    }
    open_log();
    const double begun = now_seconds();
    Progress progress("training", static_cast<uint64_t>(run_.settings.steps - basis_.first), "steps");
    for (int64_t step = basis_.first; step < run_.settings.steps; ++step) {
      summary.last = one_step(step);
      ++summary.steps;
      summary.tokens += basis_.plan.batch(step) * run_.settings.seq;
      progress.set(static_cast<uint64_t>(step + 1 - basis_.first), detail_);
      if (interrupted()) stop(step + 1, "interrupted", Error(Code::interrupted, cat("stopped after step ", step)));
      if (step + 1 < run_.settings.steps) pause(step + 1);
    }
    save(run_.settings.steps);
    evaluate(run_.settings.steps);
    finish(run_.settings.steps, "finished");
    summary.seconds = now_seconds() - begun;
    summary.held_out_bits = bits_;
    return summary;
  }

 private:
  bool diary() const { return !run_.described.is_null(); }

  void open_log() {
    if (!diary()) {
      log_.emplace(run_.log, run_.resume.empty() ? -1 : basis_.first);
      return;
    }
    std::filesystem::create_directories(run_.out);
    if (run_.resume.empty()) write_file(run_.out / "train.json", run_.described.dump(2) + "\n").value();
    log_.emplace(run_.log, run_.resume.empty() ? -1 : basis_.first);
    if (std::filesystem::exists(run_.log) && basis_.first > 0)
      read_run_log(run_.log, [&](const Json& line) {
        if (const Json* bits = line.find("held_out_bits_per_byte")) best_ = std::min(best_, bits->as_double());
      }).value();
    peak_ = f32_peak(exec_);
    flops_ = training_flops_per_token(basis_.config, run_.settings.seq);
    const ParameterCount count = count_parameters(basis_.config);
    event(Json::Object{
        {"event", "start"},
        {"step", basis_.first},
        {"steps", run_.settings.steps},
        {"parameters", count.total + count.prediction},
        {"active_parameters", count.active},
        {"flops_per_token", flops_},
        {"peak_flops", peak_},
        {"threads", exec_.threads()},
        {"rows", run_.settings.batch},
        {"tokens_per_row", run_.settings.seq},
        {"memory_bytes", 4 * trainer_.parameters().size() * 4 + std::max(predicted_, trainer_.step_bytes())},
        {"experts", basis_.config.n_routed_experts},
        {"model", basis_.start.config},
        {"run", run_.described}});
  }

  void event(const Json& line) {
    log_->write(line);
    if (hooks_.event) hooks_.event(line);
  }

  StepReport one_step(int64_t step) {
    const double before = now_seconds();
    const StepRows rows{basis_.data, basis_.plan.firsts(step)};
    const StepReport report = trainer_.gradient(rows, step);
    if (!report.finite())
      stop(
          step, "not finite",
          Error(Code::invalid, cat("step ", step, ": the loss or the gradient is not a finite number (loss ",
                                   report.loss, ", grad_norm ", report.grad_norm, "); take a smaller learning rate or ",
                                   "a clip; the state before this step is saved")));
    trainer_.update(step);
    const double seconds = now_seconds() - before;
    const int64_t tokens = static_cast<int64_t>(rows.firsts.size()) * run_.settings.seq;
    event(log_line(report, rows, tokens, seconds));
    if (hooks_.step) hooks_.step(report, seconds);
    count_load(step);
    describe(report, static_cast<double>(tokens) / seconds);
    return report;
  }

  Json log_line(const StepReport& r, const StepRows& rows, int64_t tokens, double seconds) {
    Json line = Json::Object{{"step", r.step}, {"loss", r.loss}, {"aux", r.aux}};
    if (run_.settings.mtp_weight > 0) line["mtp_loss"] = r.mtp_loss;
    line["grad_norm"] = r.grad_norm, line["lr"] = r.lr, line["tokens_per_s"] = static_cast<double>(tokens) / seconds;
    if (diary()) {
      if (const int64_t bytes = target_bytes(rows)) {
        train_bits_ = bits_per_byte(r.loss * static_cast<double>(tokens), bytes);
        line["bits_per_byte"] = train_bits_;
      }
      line["tokens"] = basis_.plan.rows_before(r.step + 1) * run_.settings.seq;
      line["seconds"] = seconds;
      if (const auto joules = meter_.joules()) line["joules"] = *joules;
    }
    if (!run_.log_tensor_norms) return line;
    Json norms = Json::object();
    for (size_t i = 0; i < trainer_.norms().size(); ++i)
      if (trainer_.trained()[i]) norms[trainer_.parameters().list()[i].name] = trainer_.norms()[i];
    line["tensor_grad_norm"] = std::move(norms);
    return line;
  }

  // Bytes of text that the targets of the rows stand for; 0: unknown.
  int64_t target_bytes(const StepRows& rows) const {
    int64_t bytes = 0;
    if (run_.token_bytes.empty()) return 0;
    for (int64_t first : rows.firsts)
      for (int64_t j = 1; j <= run_.settings.seq; ++j) {
        const size_t id = rows.data[first + j];
        bytes += id < run_.token_bytes.size() ? run_.token_bytes[id] : 0;
      }
    return bytes;
  }

  // Expert load is summed and logged about kLoadColumns times in a run.
  void count_load(int64_t step) {
    if (!diary() || basis_.config.n_routed_experts == 0) return;
    const std::vector<ExpertLoad> now = trainer_.load();
    if (load_.empty())
      load_ = now;
    else
      for (size_t l = 0; l < now.size(); ++l)
        for (size_t e = 0; e < now[l].slots.size(); ++e) load_[l].slots[e] += now[l].slots[e];
    worst_load_ = 0;
    for (const ExpertLoad& layer : now) {
      int64_t sum = 0, top = 0;
      for (int64_t slots : layer.slots) sum += slots, top = std::max(top, slots);
      worst_load_ = std::max(worst_load_, static_cast<double>(top) * static_cast<double>(layer.slots.size()) /
                                              static_cast<double>(std::max<int64_t>(sum, 1)));
    }
    const int64_t column = std::max<int64_t>(1, (run_.settings.steps + kLoadColumns - 1) / kLoadColumns);
    if ((step + 1) % column != 0 && step + 1 != run_.settings.steps) return;
    Json layers = Json::object();
    for (const ExpertLoad& layer : load_) {
      Json& slots = layers[layer.layer] = Json::array();
      for (int64_t n : layer.slots) slots.push_back(n);
    }
    event(Json::Object{{"event", "load"}, {"step", step + 1}, {"layers", std::move(layers)}});
    load_.clear();
  }

  void describe(const StepReport& report, double tokens_per_s) {
    detail_ = cat("loss ", fixed(report.loss, 3));
    if (!diary()) {
      detail_ += cat(", gradient ", fixed(report.grad_norm, 3));
      return;
    }
    if (train_bits_ > 0) detail_ += cat(" (", fixed(train_bits_, 3), " bits a byte)");
    if (bits_ > 0) detail_ += cat(", held out ", fixed(bits_, 3));
    detail_ +=
        cat(", ", fixed(tokens_per_s, 0), " tokens/s, MFU ", fixed(100 * flops_ * tokens_per_s / peak_, 0), " %");
    if (basis_.config.n_routed_experts > 0) detail_ += cat(", fullest expert ", fixed(worst_load_, 2), "x");
  }

  // Between two steps: what is due.
  void pause(int64_t done) {
    const auto due = [&](int64_t every) { return every > 0 && done % every == 0; };
    const bool evaluates = basis_.held_out && due(run_.evaluate_every);
    if (!due(run_.save_every) && !evaluates) return;
    save(done);  // first, so that nothing an evaluation does can cost it
    if (evaluates) evaluate(done);
    if (diary()) renew_page();
    (void)meter_.joules();  // belongs to no step
  }

  void save(int64_t done) {
    try {
      save_run(run_.out, basis_.start, trainer_, run_.settings, done, basis_.config.num_nextn_predict_layers > 0)
          .value();
      if (run_.keep > 0) keep_state(run_.out, done, run_.keep).value();
    } catch (const Error& e) {
      throw Error(e.code(),
                  cat("the state after ", done, " steps could not be saved: ", e.message(),
                      saved_ > 0 ? cat("; that of step ", saved_, " is whole: make room and go on with jevons ",
                                       "train --resume ", run_.out.string())
                                 : std::string("; make room and begin again")));
    }
    saved_ = done;
    if (diary()) event(Json::Object{{"event", "save"}, {"step", done}});
  }

  void evaluate(int64_t done) {
    if (basis_.held_out) {
      const double before = now_seconds();
      HeldOutSums sums;
      const int64_t S = run_.settings.seq;
      const int64_t rows = std::min(run_.held_out_tokens / S, (basis_.held_out->size() - 1) / S);
      for (int64_t row = 0; row < rows; row += kEvaluationRows) {
        StepRows part{*basis_.held_out, {}};
        for (int64_t r = row; r < std::min(rows, row + kEvaluationRows); ++r) part.firsts.push_back(r * S);
        trainer_.evaluate(part, sums);
        sums.bytes += target_bytes(part);
      }
      log_evaluation(done, sums, now_seconds() - before);
    }
    if (!hooks_.sample) return;
    for (const Sample& sample : hooks_.sample(run_.out))
      event(Json::Object{{"event", "sample"}, {"step", done}, {"prompt", sample.prompt}, {"text", sample.text}});
  }

  void log_evaluation(int64_t done, const HeldOutSums& sums, double seconds) {
    const double loss = sums.nll / static_cast<double>(sums.tokens);
    Json line = Json::Object{{"event", "evaluation"}, {"step", done}, {"held_out_loss", loss}};
    if (sums.bytes > 0) line["held_out_bits_per_byte"] = bits_ = bits_per_byte(sums.nll, sums.bytes);
    if (sums.ahead_tokens > 0) {
      line["held_out_mtp_loss"] = sums.ahead_nll / static_cast<double>(sums.ahead_tokens);
      line["mtp_acceptance"] = static_cast<double>(sums.accepted) / static_cast<double>(sums.ahead_tokens);
    }
    line["tokens"] = sums.tokens, line["evaluation_seconds"] = seconds;
    const double score = sums.bytes > 0 ? bits_ : loss;
    if (diary()) line["peak_flops"] = peak_ = std::max(peak_, f32_peak(exec_));  // other programs only ever lower it
    const bool best = score < best_;
    line["best"] = best;
    if (best) best_ = score;
    if (best && run_.keep_best) keep_best(run_.out).value();
    event(line);
    if (diary())
      note(cat("step ", done, ": held-out ",
               sums.bytes > 0 ? cat(fixed(bits_, 4), " bits per byte") : cat("loss ", fixed(loss, 4)),
               best ? ", the best so far" : ""));
  }

  void finish(int64_t done, const char* why) {
    if (!diary()) return;
    event(Json::Object{{"event", "end"}, {"step", done}, {"why", why}});
    renew_page();
  }

  void renew_page() { write_run_page(run_.log, run_.out / "run.html").value(); }

  [[noreturn]] void stop(int64_t done, const char* why, const Error& error) {
    save(done);
    finish(done, why);
    const Error full(error.code(), cat(error.message(), "; go on with: jevons train --resume ", run_.out.string()));
    if (error.code() == Code::interrupted) note(full.message());  // of an interrupt the program says nothing more
    throw full;
  }

  TrainRun run_;
  RunBasis basis_;
  const TrainHooks& hooks_;
  Exec& exec_;
  Trainer trainer_;
  std::optional<RunLog> log_;
  EnergyMeter meter_;
  std::vector<ExpertLoad> load_;
  std::string detail_;
  int64_t saved_ = 0, predicted_ = 0;
  double peak_ = 0, flops_ = 0, train_bits_ = 0, bits_ = 0, best_ = INFINITY, worst_load_ = 0;
};

}  // namespace

void refuse_overwriting(const std::filesystem::path& out) {
  if (out.empty()) throw Error(Code::usage, "--out DIR is missing: the folder for the trained model");
  if (std::filesystem::exists(out / "config.json"))
    throw Error(Code::invalid, cat(out.string(), " holds a model already; continue it with --resume ", out.string(),
                                   " or choose another folder"));
}

TrainSummary train(TrainRun run, Exec& exec, const TrainHooks& hooks) {
  RunBasis basis = open_run(run, hooks.available_memory);
  return Session(std::move(run), std::move(basis), exec, hooks).loop();
}

}  // namespace jevons
