#include "cli/inspect_training.h"

#include "cli/bench_text.h"
#include "cli/store.h"
#include "engine/model.h"
#include "train/checkpoint.h"

namespace jevons {
namespace {

Config config_of(const std::string& model) {
  if (!model.starts_with("random:")) return read_config(Checkpoint::open(resolve_model(model).value()).value()).value();
  const Result<Config> config = parse_config(open_start(model).value().config);
  return config.ok() ? *config : throw config.error().within(model);
}

}  // namespace

int inspect_training(const std::string& model, const TrainSettings& settings, const TrainMemoryOptions& options,
                     bool json) {
  const Config config = config_of(model);
  if (settings.mtp_weight > 0 && config.num_nextn_predict_layers != 1)
    throw Error(Code::unsupported, cat("--mtp-weight needs a model with one prediction layer; this one has ",
                                       config.num_nextn_predict_layers));
  const TrainMemory plan = plan_training(config, settings, options);
  const int64_t rows = options.piece_rows > 0 ? options.piece_rows : usual_piece_rows(settings.seq);
  const int64_t available = available_memory();
  if (json) {
    print_json(Json::Object{{"model", model},
                            {"parameters", plan.parameters},
                            {"batch", settings.batch},
                            {"seq", settings.seq},
                            {"piece_rows", std::min(rows, settings.batch)},
                            {"optimizer", settings.optimizer},
                            {"recompute", options.recompute},
                            {"training_memory", Json::Object{{"weights", plan.weights},
                                                             {"gradients", plan.gradients},
                                                             {"moments", plan.moments},
                                                             {"step", plan.step},
                                                             {"base", plan.base},
                                                             {"total", plan.total()},
                                                             {"available", available}}}});
    return 0;
  }
  const auto line = [](const char* what, int64_t bytes, const std::string& why) {
    return cat(pad_right(what, 15), pad_left(human_bytes(static_cast<double>(bytes)), 9), "   ", why, "\n");
  };
  print(cat("training ", model, " in f32, ", settings.optimizer, ", ", settings.batch, " rows of ", settings.seq,
            " tokens, ", std::min(rows, settings.batch), " at a time", options.recompute ? ", recomputed" : "", "\n",
            line("weights", plan.weights, cat(plan.parameters, " parameters")), line("gradients", plan.gradients, ""),
            line("moments", plan.moments, "two a parameter"),
            line("step", plan.step, "activations, their gradients, scratch"), line("program", plan.base, ""),
            line("total", plan.total(), ""),
            line("available", available,
                 plan.total() > available ? "does NOT fit; compute fewer rows at a time (--piece-rows), or --recompute"
                                          : "")));
  return 0;
}

}  // namespace jevons
