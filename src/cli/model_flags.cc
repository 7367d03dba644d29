#include "cli/model_flags.h"

#include <random>

#include "base/strings.h"
#include "cli/store.h"

namespace jevons {

std::vector<Option> model_options(ModelFlags& f) {
  return {{"--ctx", &f.context, "positions of the context; 0: what the model and the memory allow", {.min = 0}},
          {"--compute",
           &f.compute,
           "auto: the fastest kernels; f32: float32 activations, dequantised weights; ref: float64 reference",
           {.choices = {"auto", "f32", "ref"}}},
          {"--cache-type", &f.cache, "type of cached keys and values", {.choices = {"f16", "bf16", "q8", "f32"}}},
          {"--speculate",
           &f.speculate,
           "guess tokens and check several in one step, where it pays; the answer stays the same. From the text before "
           "(lookup), the model's prediction layer (mtp), a model given with --draft (draft), or whatever is right "
           "most often; always: whether it pays or not",
           {.choices = {"off", "auto", "lookup", "mtp", "draft", "always"}}},
          {"--draft",
           &f.draft,
           "a small model of the same tokenizer that guesses: a name, folder or file",
           {.value = "MODEL"}},
          {"--mla", &f.mla, "evaluation of latent attention", {.choices = {"absorbed", "expanded"}}}};
}

ModelOptions options_from(const ModelFlags& f, const Common& common) {
  ModelOptions options;
  options.threads = common.threads > 0 ? common.threads : usable_cores();
  options.context = f.context;
  options.exact = f.compute != "auto";
  options.ref = f.compute == "ref";
  options.expanded = f.mla == "expanded";
  options.speculation = f.speculate == "off"      ? Speculation::off
                        : f.speculate == "always" ? Speculation::always
                                                  : Speculation::measured;
  const bool all = f.speculate == "auto" || f.speculate == "always";
  options.guess_by_lookup = all || f.speculate == "lookup";
  options.guess_by_prediction = all || f.speculate == "mtp";
  if (f.speculate == "draft" && f.draft.empty())
    throw Error(Code::usage, "--speculate draft needs a small model of the same tokenizer: --draft MODEL");
  if (!f.draft.empty() && !all && f.speculate != "draft")
    throw Error(Code::usage, cat("--draft is not used with --speculate ", f.speculate, "; leave one of them out"));
  if (!f.draft.empty()) options.draft = resolve_model(f.draft).value();
  options.cache_type = f.cache == "f32" || f.compute == "f32" ? DType::f32
                       : f.cache == "bf16"                    ? DType::bf16
                       : f.cache == "q8"                      ? DType::i8
                                                              : DType::f16;
  return options;
}

std::unique_ptr<Model> open_model(const ModelFlags& f, const Common& common, Text text) {
  ModelOptions options = options_from(f, common);
  options.text = text;
  return Model::load(resolve_model(f.model).value(), options).value();
}

std::vector<Option> sampling_options(SamplingFlags& f) {
  return {
      {"--temp",
       &f.temperature,
       "temperature; 0 takes the likeliest token. Default: the model's own",
       {.min = 0, .max = 100}},
      {"--top-p", &f.top_p, "draw from the likeliest tokens that hold this mass", {.min = 0, .max = 1}},
      {"--top-k", &f.top_k, "draw from this many likeliest tokens; 0: all", {.min = 0}},
      {"--min-p", &f.min_p, "drop tokens less likely than this part of the likeliest", {.min = 0, .max = 1}},
      {"--repetition-penalty", &f.repetition_penalty, "divide the logits of tokens seen", {.min = 0.01, .max = 100}},
      {"--presence-penalty", &f.presence_penalty, "lower tokens that were generated", {.min = -100, .max = 100}},
      {"--frequency-penalty",
       &f.frequency_penalty,
       "lower tokens by how often they were generated",
       {.min = -100, .max = 100}},
      {"--stop", &f.stop, "end the answer before this text; may be repeated"},
      {"--think", &f.think, "on, off, or the tokens that a thought may take", {.value = "on|off|N"}}};
}

Sampling sampling_from(const SamplingFlags& f, const Model& model, const Common& common) {
  Sampling s = model.default_sampling();
  if (f.temperature) s.temperature = *f.temperature;
  if (f.top_p) s.top_p = *f.top_p;
  if (f.top_k) s.top_k = *f.top_k;
  if (f.min_p) s.min_p = *f.min_p;
  if (f.repetition_penalty) s.repetition_penalty = *f.repetition_penalty;
  if (f.presence_penalty) s.presence_penalty = *f.presence_penalty;
  if (f.frequency_penalty) s.frequency_penalty = *f.frequency_penalty;
  s.seed = common.seed ? *common.seed : (uint64_t{std::random_device{}()} << 32 | std::random_device{}());
  return s;
}

Thinking parse_think(const std::string& text) {
  if (text == "on") return {};
  if (text == "off") return {false, std::nullopt};
  int64_t budget = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), budget);
  if (error != std::errc() || end != text.data() + text.size() || budget < 1)
    throw Error(Code::usage,
                cat("--think is ", quote(text), ", expected on, off or a number of tokens, for example --think 500"));
  return {true, budget};
}

}  // namespace jevons
