// jevons inspect: what a model is and what it will cost, before anything is loaded.
#include <algorithm>
#include <map>

#include "base/strings.h"
#include "cli/bench_text.h"
#include "cli/inspect_training.h"
#include "cli/model_flags.h"
#include "cli/output.h"
#include "cli/store.h"
#include "cli/trace_diff.h"

namespace jevons {
namespace {

struct Options {
  ModelFlags model;
  std::string second;
  bool tensors = false, diff = false, train = false;
  TrainSettings training;
  TrainMemoryOptions training_options;
};

std::string shape_text(const TensorEntry& t) {
  std::string out;
  for (int64_t d : t.shape) out += cat(out.empty() ? "" : " x ", d);
  return out;
}

Json tensor_json(const TensorEntry& t) {
  Json shape = Json::array();
  for (int64_t d : t.shape) shape.push_back(d);
  return Json::Object{{"name", t.name}, {"type", t.stored_type}, {"shape", shape}, {"bytes", t.bytes.size()}};
}

Json types_json(const Checkpoint& checkpoint) {
  std::map<std::string, std::pair<int64_t, int64_t>> types;
  for (const TensorEntry& t : checkpoint.tensors()) {
    auto& [numbers, bytes] = types[t.stored_type];
    numbers += t.numel(), bytes += static_cast<int64_t>(t.bytes.size());
  }
  Json out = Json::object();
  for (const auto& [type, sum] : types) out[type] = Json::Object{{"numbers", sum.first}, {"bytes", sum.second}};
  return out;
}

int run(const Options& o, const Common& common) {
  if (o.diff) return diff_traces(o.model.model, o.second, common.json);
  if (!o.second.empty())
    throw Error(Code::usage, cat("unexpected argument ", quote(o.second), "; two folders need --diff"));
  const bool asked = o.training.to_json() != TrainSettings{}.to_json() || o.training_options.piece_rows > 0 ||
                     o.training_options.recompute;
  if (asked && !o.train) throw Error(Code::usage, "--batch, --seq and the like describe training; add --train");
  if (o.train) return inspect_training(o.model.model, o.training, o.training_options, common.json);
  const std::filesystem::path path = resolve_model(o.model.model).value();
  const Checkpoint checkpoint = Checkpoint::open(path).value();
  const Config config = read_config(checkpoint).value();
  const ModelOptions options = options_from(o.model, common);
  const int64_t context = options.context ? options.context : config.max_position_embeddings;
  const MemoryPlan plan = plan_memory(checkpoint, config, options, context).value();
  const ParameterCount count = count_parameters(config);
  const int64_t available = available_memory();

  if (common.json) {
    Json out = Json::Object{
        {"path", path.string()},
        {"format", checkpoint.is_gguf() ? "gguf" : "safetensors"},
        {"model_type", config.model_type},
        {"parameters",
         Json::Object{{"total", count.total}, {"active", count.active}, {"prediction_layers", count.prediction}}},
        {"layers", config.num_hidden_layers},
        {"hidden_size", config.hidden_size},
        {"vocab_size", config.vocab_size},
        {"max_context", config.max_position_embeddings},
        {"types", types_json(checkpoint)},
        {"memory", Json::Object{{"context", context},
                                {"weights_owned", plan.weights.owned},
                                {"weights_mapped", plan.weights.mapped},
                                {"cache", plan.cache},
                                {"step", plan.step},
                                {"base", plan.base},
                                {"total", plan.total()},
                                {"available", available}}},
        {"bytes_read_per_token", plan.weights.read_per_token},
        {"config", checkpoint.config()}};
    if (o.tensors) {
      Json list = Json::array();
      for (const TensorEntry& t : checkpoint.tensors()) list.push_back(tensor_json(t));
      out["tensors"] = list;
    }
    print_json(out);
    return 0;
  }
  const auto bytes = [](int64_t n) { return human_bytes(static_cast<double>(n)); };
  std::string text = cat(path.string(), "\n", "architecture   ", config.model_type, ", ", config.num_hidden_layers,
                         " layers of width ", config.hidden_size, config.latent() ? ", latent attention" : "", "\n",
                         "parameters     ", fixed(static_cast<double>(count.total) / 1e9, 3), " B, ",
                         fixed(static_cast<double>(count.active) / 1e9, 3), " B active per token", "\n");
  if (count.prediction > 0)
    text += cat("prediction     ", fixed(static_cast<double>(count.prediction) / 1e9, 3),
                " B in multi-token prediction layers\n");
  if (config.n_routed_experts > 0)
    text += cat("experts        ", config.num_experts_per_tok, " of ", config.n_routed_experts, " per token, ",
                config.n_shared_experts, " shared\n");
  text += cat("vocabulary     ", config.vocab_size, " tokens\ncontext        up to ", config.max_position_embeddings,
              " tokens\nstored as      ");
  bool first = true;
  const Json types = types_json(checkpoint);
  for (const auto& [type, sum] : types.as_object()) {
    text += cat(first ? "" : ", ", type, " ", bytes(sum.at("bytes").as_int()));
    first = false;
  }
  text += cat("\nmemory         ", bytes(plan.total()), " at a context of ", context, ": weights ",
              bytes(plan.weights.owned + plan.weights.mapped), ", cache ", bytes(plan.cache), ", step ",
              bytes(plan.step), ", program ", bytes(plan.base), "\navailable      ", bytes(available),
              plan.total() > available ? ": does NOT fit\n" : "\n", "per token      reads ",
              bytes(plan.weights.read_per_token), " of weights; at 10 GB/s that is ",
              fixed(10e9 / static_cast<double>(plan.weights.read_per_token), 1),
              " tokens/s at most ('jevons doctor' measures this machine)\n");
  if (o.tensors)
    for (const TensorEntry& t : checkpoint.tensors())
      text += cat(pad_right(t.name, 56), " ", pad_right(t.stored_type, 8), " ", shape_text(t), "\n");
  print(text);
  return 0;
}

}  // namespace

Command inspect_command() {
  auto o = std::make_shared<Options>();
  std::vector<Option> options = {{"MODEL", &o->model.model, "a name, folder or file; the default model if not given"},
                                 {"OTHER", &o->second, "with --diff: the second trace"},
                                 {"--tensors", &o->tensors, "list every tensor"},
                                 {"--diff", &o->diff, "compare two folders written by 'jevons logits --trace'"}};
  const OptionRules positive{.min = 1, .max = 1 << 30};
  for (Option& option : std::vector<Option>{
           {"--train", &o->train, "the memory that training takes; MODEL may be random:CONFIG.json"},
           {"--batch", &o->training.batch, "--train: rows of a step", positive},
           {"--seq", &o->training.seq, "--train: tokens of a row", positive},
           {"--optimizer", &o->training.optimizer, "--train", {.choices = {"adamw", "muon"}}},
           {"--dtype", &o->training.dtype, "--train: number type", {.choices = {"f32"}}},
           {"--mtp-weight", &o->training.mtp_weight, "--train: weight of multi-token prediction", {.min = 0}},
           {"--piece-rows",
            &o->training_options.piece_rows,
            "--train: rows computed at a time; 0: 4096 tokens",
            {.min = 0, .max = 1 << 30}},
           {"--recompute", &o->training_options.recompute, "--train: layers are computed twice, for less memory"}})
    options.push_back(std::move(option));
  for (Option& option : model_options(o->model)) options.push_back(std::move(option));
  return {.name = "inspect",
          .summary = "what a model is, and the memory it will take",
          .options = std::move(options),
          .examples = {"jevons inspect", "jevons inspect ./DeepSeek-V2-Lite --ctx 4096 --tensors",
                       "jevons inspect --diff trace-a trace-b",
                       "jevons inspect random:config.json --train --batch 16 --seq 256"},
          .run = [o](const Common& common) { return run(*o, common); }};
}

}  // namespace jevons
