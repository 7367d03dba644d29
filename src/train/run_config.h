// RunConfig: what `jevons train CONFIG.toml` is told. One visitor per section names its keys, for reading and for the
// refusal of unknown ones. Every key is explained in docs/train.md.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "formats/toml.h"

namespace jevons {

struct RunConfig {
  std::string out;
  int64_t seed = 0;
  Json given = Json::object();  // all that was said, --set included, for the copy in the run's folder

  struct Model {
    std::string init, preset, shape;
    Json fields = Json::object();  // of config.json, over those of preset or shape
    template <class V>
    void keys(V&& v) {
      v("init", init), v("preset", preset), v("shape", shape);
    }
  } model;

  struct TokenizerPart {
    std::string path, document_start;
    int64_t vocab = 0;
    template <class V>
    void keys(V&& v) {
      v("path", path), v("vocab", vocab), v("document_start", document_start);
    }
  } tokenizer;

  struct Data {
    std::vector<std::string> train, held_out;
    double held_out_share = 0;
    std::string document_end = "<|endoftext|>", text_field = "text";
    bool shuffle = true;
    template <class V>
    void keys(V&& v) {
      v("train", train), v("held_out", held_out), v("held_out_share", held_out_share), v("shuffle", shuffle);
      v("document_end", document_end), v("text_field", text_field);
    }
  } data;

  struct Schedule {
    std::string kind = "wsd";
    double lr = 1e-3, min_lr = 0, warmup = 0.02, decay = 0.2, epochs = 0;
    int64_t steps = 0;
    template <class V>
    void keys(V&& v) {
      v("kind", kind), v("lr", lr), v("min_lr", min_lr), v("warmup", warmup), v("decay", decay), v("steps", steps);
      v("epochs", epochs);
    }
  } schedule;

  struct Optimizer {
    std::string kind = "adamw";
    double beta1 = 0.9, beta2 = 0.95, eps = 1e-8, weight_decay = 0.1, clip = 1.0;
    template <class V>
    void keys(V&& v) {
      v("kind", kind), v("beta1", beta1), v("beta2", beta2), v("eps", eps), v("weight_decay", weight_decay);
      v("clip", clip);
    }
  } optimizer;

  struct Objective {
    double balance_rate = 1e-3, aux_loss = 1e-4, mtp_weight = 0;
    template <class V>
    void keys(V&& v) {
      v("balance_rate", balance_rate), v("aux_loss", aux_loss), v("mtp_weight", mtp_weight);
    }
  } objective;

  struct Batch {
    int64_t rows = 16, tokens_per_row = 256, ramp_from = 0, ramp_steps = 0, piece_rows = 0;
    bool recompute = false;
    template <class V>
    void keys(V&& v) {
      v("rows", rows), v("tokens_per_row", tokens_per_row), v("ramp_from", ramp_from), v("ramp_steps", ramp_steps);
      v("piece_rows", piece_rows), v("recompute", recompute);
    }
  } batch;

  struct Output {
    int64_t every = 0, keep = 0;
    bool best = true, tensor_norms = false;
    template <class V>
    void keys(V&& v) {
      v("every", every), v("keep", keep), v("best", best), v("tensor_norms", tensor_norms);
    }
  } output;

  struct EvaluationPart {
    int64_t every = 0, tokens = 65536;
    template <class V>
    void keys(V&& v) {
      v("every", every), v("tokens", tokens);
    }
  } evaluation;

  struct Samples {
    std::vector<std::string> prompts;
    int64_t tokens = 48;
    double temperature = 0.8, top_p = 0.95;
    template <class V>
    void keys(V&& v) {
      v("prompts", prompts), v("tokens", tokens), v("temperature", temperature), v("top_p", top_p);
    }
  } samples;

  template <class V>
  void sections(V&& v) {
    v("model", model), v("tokenizer", tokenizer), v("data", data), v("schedule", schedule), v("optimizer", optimizer);
    v("objective", objective), v("batch", batch), v("output", output), v("evaluation", evaluation);
    v("samples", samples);
  }
};

// The file's text with `sets` ("schedule.steps=100", values in TOML or plain words) over it. Unknown keys, wrong types
// and contradictions are refused with file, line and the nearest valid key.
Result<RunConfig> read_run_config(const std::string& name, std::string_view text, const std::vector<std::string>& sets);
// The same from the copy that a run keeps in its folder.
Result<RunConfig> run_config_from_json(const Json& json, const std::vector<std::string>& sets);

// The object of config.json that [model] describes; `vocabulary` where it does not say vocab_size. Not for init.
Result<Json> described_model(const RunConfig::Model& model, int64_t vocabulary);

}  // namespace jevons
