#include "train/settings.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/strings.h"

namespace jevons {

double TrainSettings::rate(int64_t step) const {
  const double k = static_cast<double>(step), end = static_cast<double>(steps), rise = static_cast<double>(warmup);
  if (step < warmup) return lr * (k + 1) / rise;
  if (schedule == "cosine") {
    const double part = std::min(1.0, (k - rise) / std::max(1.0, end - rise));
    return min_lr + (lr - min_lr) * 0.5 * (1 + std::cos(std::numbers::pi * part));
  }
  if (schedule == "wsd" && step >= steps - decay)
    return min_lr + (lr - min_lr) * (end - k) / (static_cast<double>(decay) + 1);
  return lr;
}

Json TrainSettings::to_json() const {
  Json out = Json::object();
  TrainSettings copy = *this;
  copy.fields([&](const char* name, auto& value) { out[name] = Json(value); });
  return out;
}

Result<TrainSettings> TrainSettings::from_json(const Json& json) {
  TrainSettings out;
  try {
    out.fields([&](const char* name, auto& value) {
      using Value = std::decay_t<decltype(value)>;
      const Json& from = json.at(name);
      if constexpr (std::is_same_v<Value, std::string>)
        value = from.as_string();
      else if constexpr (std::is_same_v<Value, double>)
        value = from.as_double();
      else
        value = static_cast<Value>(from.as_int());
    });
  } catch (const Error& e) {
    return e.within("settings of the training state");
  }
  return out;
}

Status TrainSettings::check() const {
  const auto known = [](const char* what, const std::string& value, std::initializer_list<const char*> all) -> Status {
    std::string list;
    for (const char* name : all) {
      if (value == name) return {};
      list += cat(list.empty() ? "" : ", ", name);
    }
    return Error(Code::usage, cat(what, " ", quote(value), " is not known; choose one of ", list));
  };
  JEVONS_TRY_STATUS(known("the order", order, {"sequential", "shuffled"}));
  JEVONS_TRY_STATUS(known("the dtype", dtype, {"f32"}));
  JEVONS_TRY_STATUS(known("the optimizer", optimizer, {"adamw", "muon"}));
  JEVONS_TRY_STATUS(known("the schedule", schedule, {"constant", "cosine", "wsd"}));
  if (tokens.empty()) return Error(Code::usage, "--tokens FILE.u32 is missing: the token stream to train on");
  if (batch < 1 || seq < 1 || steps < 1) return Error(Code::usage, "--batch, --seq and --steps must be at least 1");
  if (ramp_steps > 0 && (ramp_from < 1 || ramp_from > batch))
    return Error(Code::usage, cat("the batch grows from ", ramp_from, " rows; expected 1 to the ", batch,
                                  " rows of the whole batch"));
  if (warmup + decay > steps)
    return Error(Code::usage, cat("--warmup ", warmup, " and --decay ", decay, " are more than the ", steps, " steps"));
  if (mtp_weight > 0 && seq < 2) return Error(Code::usage, "--mtp-weight needs sequences of 2 tokens or more");
  return {};
}

}  // namespace jevons
