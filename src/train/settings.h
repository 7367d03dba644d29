// What a training run does, as data: one visitor names every setting for the command line's defaults and the state
// file.
#pragma once
#include <string>

#include "base/json.h"

namespace jevons {

struct TrainSettings {
  std::string tokens, mask;
  int64_t batch = 8, seq = 256, steps = 100;
  int64_t ramp_from = 0, ramp_steps = 0;  // rows of the first step, steps until there are `batch`
  std::string order = "sequential", dtype = "f32", optimizer = "adamw";
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.95, eps = 1e-8, weight_decay = 0.1, clip = 1.0;
  std::string schedule = "constant";  // constant, cosine, wsd
  int64_t warmup = 0;                 // steps of linear rise
  int64_t decay = 0;                  // wsd: steps of the linear fall at the end
  double min_lr = 0;                  // where cosine and wsd end
  double balance_rate = 1e-3, aux_loss = 1e-4, mtp_weight = 0;
  int64_t document_start = -1;  // -1: every row is one document
  uint64_t seed = 0;

  template <class V>
  void fields(V&& v) {
    v("tokens", tokens), v("mask", mask), v("batch", batch), v("seq", seq), v("steps", steps), v("order", order);
    v("ramp_from", ramp_from), v("ramp_steps", ramp_steps);
    v("dtype", dtype), v("optimizer", optimizer), v("lr", lr), v("beta1", beta1), v("beta2", beta2), v("eps", eps);
    v("weight_decay", weight_decay), v("clip", clip), v("schedule", schedule), v("warmup", warmup), v("decay", decay);
    v("min_lr", min_lr), v("balance_rate", balance_rate), v("aux_loss", aux_loss), v("mtp_weight", mtp_weight);
    v("document_start", document_start), v("seed", seed);
  }

  // Learning rate of step k: a rise over `warmup` steps to lr; then constant, a cosine to min_lr at `steps`, or
  // constant with a linear fall to min_lr over the last `decay` steps.
  double rate(int64_t step) const;
  Json to_json() const;
  static Result<TrainSettings> from_json(const Json& json);
  Status check() const;  // contradictions, named
};

}  // namespace jevons
