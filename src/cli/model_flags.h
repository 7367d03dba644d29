// Flags that the commands which run a model share.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "cli/command.h"
#include "engine/model.h"

namespace jevons {

struct ModelFlags {
  std::string model;
  int64_t context = 0;
  std::string compute = "auto";  // f32: float32 activations and dequantised weights; ref: float64 reference
  std::string cache = "f16";
  std::string mla = "absorbed";
  std::string speculate = "auto", draft;
};

// --ctx, --compute, --cache-type, --mla
std::vector<Option> model_options(ModelFlags& flags);
ModelOptions options_from(const ModelFlags& flags, const Common& common);
std::unique_ptr<Model> open_model(const ModelFlags& flags, const Common& common, Text text = Text::needed);

struct SamplingFlags {
  std::optional<double> temperature, top_p, min_p, repetition_penalty, presence_penalty, frequency_penalty;
  std::optional<int> top_k;
  std::vector<std::string> stop;
  std::string think = "on";
};

// --temp, --top-p, --top-k, --min-p, the penalties, --stop, --think
std::vector<Option> sampling_options(SamplingFlags& flags);
Sampling sampling_from(const SamplingFlags& flags, const Model& model, const Common& common);

// --think on|off|N
struct Thinking {
  bool on = true;
  std::optional<int64_t> budget;
};
Thinking parse_think(const std::string& text);

}  // namespace jevons
