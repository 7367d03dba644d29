#include "train/checkpoint.h"

#include <cstring>

#include "base/strings.h"
#include "formats/safetensors_write.h"
#include "models/loader.h"

namespace jevons {
namespace {

constexpr const char* kRandom = "random:";
constexpr const char* kKept[] = {"tokenizer.json", "tokenizer_config.json", "generation_config.json",
                                 "special_tokens_map.json", "chat_template.jinja"};
constexpr uint64_t kOneFile = uint64_t{1} << 60;

bool is_random(const std::string& init) { return init.starts_with(kRandom); }

bool has_weights(const std::filesystem::path& folder) {
  return std::filesystem::exists(folder / "model.safetensors") ||
         std::filesystem::exists(folder / "model.safetensors.index.json");
}

Status write_model(const std::filesystem::path& out, Trainer& trainer, bool prediction_layers) {
  const Parameters& parameters = trainer.parameters();
  SafetensorsWriter writer;
  std::vector<const Parameter*> source;
  const auto add = [&](const std::string& name, const Parameter* p) {
    writer.add_tensor(name, parameters.dtype() == DType::f64 ? "F64" : "F32", p->shape);
    source.push_back(p);
  };
  const Parameter* embedding = parameters.find("model.embed_tokens.weight");
  const Parameter* head = parameters.find("lm_head.weight");
  for (const Parameter& p : parameters.list()) {
    add(p.name, &p);
    if (!prediction_layers || !p.name.ends_with(".enorm.weight")) continue;
    const std::string prefix = p.name.substr(0, p.name.size() - std::string("enorm.weight").size());
    add(prefix + "embed_tokens.weight", embedding);
    add(prefix + "shared_head.head.weight", head ? head : embedding);
  }
  const int64_t unit = dtype_size(parameters.dtype());
  JEVONS_TRY_STATUS(writer.create(out, kOneFile));
  for (const auto& item : writer.items())
    JEVONS_TRY_STATUS(writer.write(parameters.bytes().data() + source[item.added]->first * unit, item.bytes));
  return writer.finish();
}

Status write_state(const std::filesystem::path& out, Trainer& trainer, const TrainSettings& settings, int64_t done) {
  const Parameters& parameters = trainer.parameters();
  SafetensorsWriter writer;
  writer.put_metadata("settings", settings.to_json().dump());
  writer.put_metadata("steps_done", cat(done));
  for (const char* name : {"weights", "first_moment", "second_moment"})
    writer.add_tensor(name, parameters.dtype() == DType::f64 ? "F64" : "F32", {parameters.size()});
  JEVONS_TRY_STATUS(writer.create(out / "training_state", kOneFile));
  for (const std::byte* data : {static_cast<const std::byte*>(parameters.bytes().data()),
                                static_cast<const std::byte*>(trainer.state().first.get()),
                                static_cast<const std::byte*>(trainer.state().second.get())})
    JEVONS_TRY_STATUS(writer.write(data, parameters.bytes().size()));
  return writer.finish();
}

}  // namespace

Result<TrainStart> open_start(const std::string& init) {
  const std::filesystem::path path = is_random(init) ? init.substr(std::strlen(kRandom)) : init;
  const std::filesystem::path config = std::filesystem::is_directory(path) ? path / "config.json" : path;
  if (!is_random(init) && !std::filesystem::is_directory(path))
    return Error(Code::invalid, cat("--init ", quote(init), " is no folder; give a Hugging Face checkpoint folder, or ",
                                    "random:CONFIG.json for a model that knows nothing yet"));
  JEVONS_TRY(std::string text, read_file(config));
  Result<Json> json = Json::parse(text);
  if (!json.ok()) return json.error().within(config.string());
  TrainStart start{std::move(json).value(), config.parent_path()};
  if (!is_random(init) && has_weights(path)) start.weights = path;
  return start;
}

Status load_start(const TrainStart& start, Parameters& parameters, uint64_t seed) {
  if (start.weights.empty()) {
    const Json* deviation = start.config.find("initializer_range");
    parameters.randomize(seed, deviation && deviation->is_number() ? deviation->as_double() : 0.02);
    return {};
  }
  JEVONS_TRY(Checkpoint checkpoint, Checkpoint::open(start.weights));
  return parameters.load(checkpoint);
}

Status save_run(const std::filesystem::path& out, const TrainStart& start, Trainer& trainer,
                const TrainSettings& settings, int64_t done, bool prediction_layers) {
  JEVONS_TRY_STATUS(write_state(out, trainer, settings, done));
  JEVONS_TRY_STATUS(write_model(out, trainer, prediction_layers));
  Json config = Json::object();
  for (const auto& [key, value] : start.config.as_object())
    if (key != "quantization_config" && key != "torch_dtype" && key != "dtype") config[key] = value;
  config["torch_dtype"] = "float32";
  for (const char* name : kKept) {
    const std::filesystem::path from = start.tokenizer / name;
    const bool own = start.generation && std::string_view(name) == "generation_config.json";
    if (own || start.tokenizer.empty() || !std::filesystem::exists(from)) continue;
    if (std::filesystem::exists(out / name) && std::filesystem::equivalent(from, out / name)) continue;
    JEVONS_TRY(std::string text, read_file(from));
    JEVONS_TRY_STATUS(write_file(out / name, text));
  }
  if (start.generation) JEVONS_TRY_STATUS(write_file(out / "generation_config.json", start.generation->dump(2) + "\n"));
  return write_file(out / "config.json", config.dump(2) + "\n");
}

namespace {

Result<Safetensors> open_state(const std::filesystem::path& out) {
  const std::filesystem::path file = out / "training_state" / "model.safetensors";
  if (!std::filesystem::exists(file))
    return Error(Code::not_found, cat(out.string(), " holds no training state (training_state/model.safetensors); ",
                                      "--resume takes the --out folder of an earlier run"));
  return Safetensors::open(file);
}

}  // namespace

Result<SavedRun> read_saved_run(const std::filesystem::path& out) {
  JEVONS_TRY(Safetensors state, open_state(out));
  const Json *settings = state.metadata().find("settings"), *done = state.metadata().find("steps_done");
  if (!settings || !done || !settings->is_string() || !done->is_string())
    return Error(Code::invalid, cat(out.string(), ": the training state does not say how it was made"));
  JEVONS_TRY(Json json, Json::parse(settings->as_string()));
  JEVONS_TRY(TrainSettings read, TrainSettings::from_json(json));
  JEVONS_TRY(Json count, Json::parse(done->as_string()));
  if (!count.is_int() || count.as_int() < 0)
    return Error(Code::invalid, cat(out.string(), ": steps_done is no number of steps"));
  return SavedRun{read, count.as_int()};
}

Status load_saved_run(const std::filesystem::path& out, Trainer& trainer) {
  JEVONS_TRY(Safetensors state, open_state(out));
  const size_t bytes = trainer.parameters().bytes().size();
  const std::pair<const char*, std::byte*> parts[] = {{"weights", trainer.parameters().bytes().data()},
                                                      {"first_moment", trainer.state().first.get()},
                                                      {"second_moment", trainer.state().second.get()}};
  for (const auto& [name, to] : parts) {
    const TensorEntry* entry = state.find(name);
    if (!entry || entry->bytes.size() != bytes)
      return Error(Code::invalid, cat(out.string(), ": the training state's ", name,
                                      " does not fit the model of config.json beside it"));
    std::memcpy(to, entry->bytes.data(), bytes);
  }
  return {};
}

}  // namespace jevons
