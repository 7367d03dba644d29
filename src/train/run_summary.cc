#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "base/strings.h"
#include "train/run_log.h"
#include "train/run_page.h"

namespace jevons {
namespace {

constexpr size_t kMostPoints = 1500, kMostSamples = 200;

const char* const kCurves[] = {"loss", "bits_per_byte", "aux", "mtp_loss", "grad_norm", "lr", "tokens_per_s"};

double number(const Json& line, const char* key) {
  const Json* found = line.find(key);
  return found && found->is_number() ? found->as_double() : NAN;
}

// Columns of numbers that belong to steps, averaged in groups so that at most kMostPoints are left.
class Curves {
 public:
  void add(const Json& line) {
    steps_.push_back(number(line, "step"));
    for (const char* key : kCurves) columns_[key].push_back(number(line, key));
    tokens_ = std::max(tokens_, line.find("tokens") ? number(line, "tokens") : 0);
    seconds_ += line.find("seconds") ? number(line, "seconds") : 0;
    if (const double joules = number(line, "joules"); !std::isnan(joules)) joules_ += joules, metered_ = true;
  }
  double tokens() const { return tokens_; }
  double seconds() const { return seconds_; }
  bool metered() const { return metered_; }
  double joules() const { return joules_; }

  Json json() const {
    const size_t group = (steps_.size() + kMostPoints - 1) / kMostPoints;
    Json out = Json::Object{{"step", grouped(steps_, group)}};
    for (const auto& [key, values] : columns_)
      if (std::any_of(values.begin(), values.end(), [](double v) { return !std::isnan(v); }))
        out[key] = grouped(values, group);
    return out;
  }

 private:
  static Json grouped(const std::vector<double>& values, size_t group) {
    Json out = Json::array();
    for (size_t i = 0; i < values.size(); i += group) {
      double sum = 0;
      const size_t end = std::min(values.size(), i + group);
      for (size_t j = i; j < end; ++j) sum += values[j];
      const double mean = sum / static_cast<double>(end - i);
      out.push_back(std::isfinite(mean) ? Json(mean) : Json());
    }
    return out;
  }
  std::vector<double> steps_;
  std::map<std::string, std::vector<double>> columns_;
  double tokens_ = 0, seconds_ = 0, joules_ = 0;
  bool metered_ = false;
};

// Slots of each expert, by layer: {"layers": [names], "steps": [...], "load": [layer][step][expert as a share]}
class Loads {
 public:
  void add(const Json& line) {
    steps_.push_back(line.at("step"));
    for (const auto& [layer, slots] : line.at("layers").as_object()) {
      double sum = 0;
      for (const Json& n : slots.as_array()) sum += n.as_double();
      Json shares = Json::array();
      for (const Json& n : slots.as_array())
        shares.push_back(std::round(1e4 * n.as_double() / std::max(sum, 1.0)) / 1e4);
      layers_[layer].push_back(std::move(shares));
    }
  }
  Json json() const {
    Json names = Json::array(), load = Json::array();
    for (const std::string& name : order()) names.push_back(name), load.push_back(layers_.at(name));
    return Json::Object{{"layers", names}, {"steps", Json(steps_)}, {"load", load}};
  }

 private:
  std::vector<std::string> order() const {  // "model.layers.10.mlp" after "model.layers.2.mlp"
    std::vector<std::string> names;
    for (const auto& [name, columns] : layers_) names.push_back(name);
    std::stable_sort(names.begin(), names.end(),
                     [](const std::string& a, const std::string& b) { return a.size() < b.size(); });
    return names;
  }
  Json::Array steps_;
  std::map<std::string, Json> layers_;
};

}  // namespace

double h800_dollars(double flops) { return flops * (2664000.0 * 2) / (14.8e12 * 250e9); }

Result<Json> summarise_run(const std::filesystem::path& log) {
  Curves curves;
  Loads loads;
  Json facts = Json::object(), evaluations = Json::array(), samples = Json::array(), end;
  double peak = 0;
  JEVONS_TRY_STATUS(read_run_log(log, [&](const Json& line) {
    const Json* event = line.find("event");
    if (!event) return curves.add(line);
    if (const Json* measured = line.find("peak_flops")) peak = std::max(peak, measured->as_double());
    const std::string& name = event->as_string();
    if (name == "start") facts = line, end = Json();
    if (name == "load") loads.add(line);
    if (name == "evaluation") evaluations.push_back(line);
    if (name == "sample") samples.push_back(line);
    if (name == "end") end = line;
  }));
  if (samples.size() > kMostSamples)
    samples.as_array().erase(samples.as_array().begin(),
                             samples.as_array().begin() + static_cast<std::ptrdiff_t>(samples.size() - kMostSamples));
  if (peak > 0) facts["peak_flops"] = peak;
  const double per_token = facts.find("flops_per_token") ? facts.at("flops_per_token").as_double() : 0;
  const double flops = per_token * curves.tokens();
  Json bill = Json::Object{{"tokens", curves.tokens()},
                           {"seconds", curves.seconds()},
                           {"flops", flops},
                           {"h800_dollars", h800_dollars(flops)}};
  if (curves.metered()) bill["joules"] = curves.joules();
  return Json(Json::Object{{"facts", facts},
                           {"steps", curves.json()},
                           {"evaluations", evaluations},
                           {"load", loads.json()},
                           {"samples", samples},
                           {"bill", bill},
                           {"end", end}});
}

}  // namespace jevons
