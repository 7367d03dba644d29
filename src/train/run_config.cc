#include "train/run_config.h"

#include <algorithm>
#include <cmath>

#include "base/file.h"
#include "base/strings.h"
#include "models/config.h"
#include "train/presets.h"

namespace jevons {
namespace {

const std::vector<std::string> kTopKeys = {"out", "seed"};

struct Source {
  std::string name;  // of the file
  Json values;
  std::map<std::string, std::string> places;  // of a path, when it is not the file's line: "--set"
  std::map<std::string, int> lines;

  std::string where(const std::string& path) const {
    if (const auto set = places.find(path); set != places.end()) return set->second;
    const auto line = lines.find(path);
    return line == lines.end() ? name : cat(name, " line ", line->second);
  }
  bool given(const std::string& section, const std::string& key) const {
    const Json* table = values.find(section);
    return table && table->find(key);
  }
  std::string where(const std::string& section, const std::string& key) const { return where(section + "." + key); }
};

[[noreturn]] void refuse(const std::string& where, const std::string& what) {
  throw Error(Code::invalid, cat(where, ": ", what));
}

std::string suggestion(const std::string& wanted, const std::vector<std::string>& names) {
  const std::string near = nearest(wanted, names);
  if (!near.empty()) return cat("did you mean ", near, "?");
  std::string list;
  for (const std::string& name : names) list += cat(list.empty() ? "" : ", ", name);
  return "known are " + list;
}

template <class T>
void read_value(const Source& source, const std::string& path, const Json& from, T& to) {
  try {
    if constexpr (std::is_same_v<T, std::string>) {
      to = from.as_string();
    } else if constexpr (std::is_same_v<T, double>) {
      to = from.as_double();
    } else if constexpr (std::is_same_v<T, bool>) {
      to = from.as_bool();
    } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
      to.clear();
      for (const Json& element : from.as_array()) to.push_back(element.as_string());
    } else {
      to = from.as_int();
    }
  } catch (const Error& e) {
    refuse(source.where(path), cat(path, ": ", e.message()));
  }
  if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>)
    if (to < 0) refuse(source.where(path), cat(path, " is ", from.dump(), "; expected a number of 0 or more"));
}

template <class Section>
void read_section(const Source& source, const std::string& name, const Json& table, Section& section) {
  if (!table.is_object())
    refuse(source.where(name), cat(quote(name), " is ", table.type_name(), "; expected a section [", name, "]"));
  std::vector<std::string> known;
  section.keys([&](const char* key, auto& value) {
    known.push_back(key);
    if (const Json* found = table.find(key)) read_value(source, cat(name, ".", key), *found, value);
  });
  for (const auto& [key, value] : table.as_object()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    if constexpr (std::is_same_v<Section, RunConfig::Model>)
      section.fields[key] = value;  // of config.json; what it does not know is refused with the rest of that file
    else
      refuse(source.where(name, key), cat("unknown key ", quote(key), " in [", name, "]; ", suggestion(key, known)));
  }
}

void check_choice(const Source& source, const std::string& path, const std::string& value,
                  std::initializer_list<const char*> all) {
  std::vector<std::string> names(all.begin(), all.end());
  if (std::find(names.begin(), names.end(), value) == names.end())
    refuse(source.where(path), cat(path, " is ", quote(value), "; ", suggestion(value, names)));
}

void check_model(const Source& s, const RunConfig& c) {
  const RunConfig::Model& m = c.model;
  const int origins = !m.init.empty() + !m.preset.empty() + !m.shape.empty();
  if (origins > 1)
    refuse(s.where("model"), "[model] takes one of init (a folder to go on from), preset and shape (a config.json)");
  if (origins == 0 && !m.fields.find("model_type"))
    refuse(s.where("model"),
           cat("[model] says no shape; give preset (", suggestion("", preset_names()),
               "), shape (a config.json), init (a checkpoint folder), or model_type and the fields of a config.json"));
  if (!m.preset.empty() && !find_preset(m.preset))
    refuse(s.where("model.preset"),
           cat("there is no preset ", quote(m.preset), "; ", suggestion(m.preset, preset_names())));
  if (!m.init.empty() && m.fields.size() > 0)
    refuse(
        s.where("model", m.fields.as_object()[0].first),
        cat("model.", m.fields.as_object()[0].first, " changes the shape of the checkpoint in model.init; take shape ",
            "instead of init to begin with random weights"));
}

void check_fields(const Source& s, const RunConfig::Model& m) {
  const Json* vocabulary = m.fields.find("vocab_size");
  Result<Json> json = described_model(m, 1);
  if (!json.ok()) refuse(s.where("model.shape"), json.error().message());
  if (vocabulary && !vocabulary->is_int()) refuse(s.where("model.vocab_size"), "model.vocab_size is no whole number");
  std::vector<std::string> unknown;
  const Result<Config> config = parse_config(*json, &unknown);
  for (const std::string& key : unknown)
    if (m.fields.find(key))
      refuse(s.where("model", key), cat("unknown key ", quote(key), " in [model]; ", suggestion(key, model_fields())));
  if (!config.ok()) refuse(s.where("model"), cat("[model]: ", config.error().message()));
}

void check_tokenizer(const Source& s, const RunConfig& c) {
  if (c.tokenizer.vocab == 0) return;
  if (!c.tokenizer.path.empty())
    refuse(s.where("tokenizer.vocab"), "tokenizer.path and tokenizer.vocab contradict each other; give one");
  if (!c.model.init.empty())
    refuse(s.where("tokenizer.vocab"),
           "a model that training goes on from (model.init) has its tokenizer; leave out vocab");
}

void check_data(const Source& s, const RunConfig& c) {
  if (c.data.train.empty()) refuse(s.where("data"), "data.train is missing: the files to learn from");
  if (!c.data.held_out.empty() && c.data.held_out_share > 0)
    refuse(s.where("data.held_out_share"), "data.held_out and data.held_out_share contradict each other; give one");
  if (c.data.held_out_share >= 1) refuse(s.where("data.held_out_share"), "data.held_out_share must be below 1");
  const bool held_out = !c.data.held_out.empty() || c.data.held_out_share > 0;
  if (c.evaluation.every > 0 && !held_out)
    refuse(s.where("evaluation.every"), "[evaluation] needs text: data.held_out (files) or data.held_out_share");
  if (held_out && c.evaluation.tokens < c.batch.tokens_per_row)
    refuse(s.where("evaluation.tokens"),
           cat("evaluation.tokens must be at least one row (", c.batch.tokens_per_row, ")"));
  if (s.given("samples", "prompts") && c.samples.tokens < 1)
    refuse(s.where("samples.tokens"), "samples.tokens must be at least 1");
}

void check_schedule(const Source& s, const RunConfig& c) {
  check_choice(s, "schedule.kind", c.schedule.kind, {"constant", "cosine", "wsd"});
  check_choice(s, "optimizer.kind", c.optimizer.kind, {"adamw", "muon"});
  if (c.schedule.steps > 0 && c.schedule.epochs > 0)
    refuse(s.where("schedule.epochs"), "schedule.steps and schedule.epochs contradict each other; give one");
  if (c.schedule.steps == 0 && c.schedule.epochs == 0)
    refuse(s.where("schedule"), "[schedule] says no length; give steps, or epochs (passes over the text)");
  if (c.schedule.kind != "wsd" && s.given("schedule", "decay"))
    refuse(s.where("schedule.decay"), cat("schedule.decay belongs to kind = \"wsd\"; this one is ", c.schedule.kind));
  if (c.schedule.kind == "constant" && s.given("schedule", "min_lr"))
    refuse(s.where("schedule.min_lr"), "schedule.min_lr has no effect with kind = \"constant\"");
  if (c.schedule.min_lr > c.schedule.lr) refuse(s.where("schedule.min_lr"), "schedule.min_lr is above schedule.lr");
  if (c.batch.rows < 1 || c.batch.tokens_per_row < 1)
    refuse(s.where("batch"), "batch.rows and batch.tokens_per_row must be at least 1");
  if ((c.batch.ramp_from > 0) != (c.batch.ramp_steps > 0))
    refuse(s.where("batch"), "batch.ramp_from and batch.ramp_steps belong together");
  if (c.batch.ramp_from > c.batch.rows)
    refuse(s.where("batch.ramp_from"), cat("batch.ramp_from is above the ", c.batch.rows, " of batch.rows"));
  for (const char* key : {"beta1", "beta2"})
    if ((key[4] == '1' ? c.optimizer.beta1 : c.optimizer.beta2) >= 1)
      refuse(s.where("optimizer", key), cat("optimizer.", key, " must be below 1"));
}

RunConfig read(const Source& source) {
  RunConfig config;
  config.given = source.values;
  std::vector<std::string> known = kTopKeys;
  for (const char* key : {"out", "seed"})
    if (const Json* found = source.values.find(key)) {
      if (key[0] == 'o')
        read_value(source, key, *found, config.out);
      else
        read_value(source, key, *found, config.seed);
    }
  config.sections([&](const char* name, auto& section) {
    known.push_back(name);
    if (const Json* found = source.values.find(name)) read_section(source, name, *found, section);
  });
  for (const auto& [key, value] : source.values.as_object())
    if (std::find(known.begin(), known.end(), key) == known.end())
      refuse(source.where(key),
             cat("unknown ", value.is_object() ? "section " : "key ", quote(key), "; ", suggestion(key, known)));
  if (config.out.empty()) refuse(source.name, "the key out is missing: the folder for the trained model");
  check_model(source, config);
  if (config.model.init.empty()) check_fields(source, config.model);
  check_tokenizer(source, config);
  check_data(source, config);
  check_schedule(source, config);
  return config;
}

void apply(Source& source, const std::string& text) {
  const size_t equals = text.find('=');
  const std::string path = text.substr(0, equals);
  if (equals == std::string::npos || path.empty())
    throw Error(Code::usage, cat("--set ", quote(text), ": expected KEY=VALUE, as in schedule.steps=100"));
  const std::string value = text.substr(equals + 1);
  Result<Toml> parsed = parse_toml(cat("v = ", value));
  Json json = parsed.ok() && parsed->values.size() == 1 ? parsed->values.at("v") : Json(value);
  const size_t dot = path.find('.');
  if (dot == std::string::npos)
    source.values[path] = std::move(json);
  else
    source.values[path.substr(0, dot)][path.substr(dot + 1)] = std::move(json);
  source.places[path] = cat("--set ", text);
}

Result<RunConfig> finish(Source source, const std::vector<std::string>& sets) {
  try {
    for (const std::string& set : sets) apply(source, set);
    return read(source);
  } catch (const Error& e) {
    return e;
  }
}

}  // namespace

Result<RunConfig> read_run_config(const std::string& name, std::string_view text,
                                  const std::vector<std::string>& sets) {
  Result<Toml> toml = parse_toml(text);
  if (!toml.ok()) return Error(toml.error().code(), cat(name, " ", toml.error().message()));
  return finish({name, std::move(toml->values), {}, std::move(toml->lines)}, sets);
}

Result<RunConfig> run_config_from_json(const Json& json, const std::vector<std::string>& sets) {
  if (!json.is_object()) return Error(Code::invalid, "the run's train.json holds no settings");
  return finish({"train.json", json, {}, {}}, sets);
}

Result<Json> described_model(const RunConfig::Model& model, int64_t vocabulary) {
  Json out = Json::object();
  if (const Json* preset = find_preset(model.preset)) {
    out = *preset;
    if (vocabulary > 0) out["vocab_size"] = vocabulary;
  }
  if (!model.shape.empty()) {
    JEVONS_TRY(const std::string text, read_file(model.shape));
    Result<Json> json = Json::parse(text);
    if (!json.ok()) return json.error().within(model.shape);
    if (!json->is_object()) return Error(Code::invalid, cat(model.shape, " holds no object; expected a config.json"));
    out = std::move(json).value();
    if (vocabulary > 0) out["vocab_size"] = vocabulary;
  }
  for (const auto& [key, value] : model.fields.as_object()) out[key] = value;
  if (!out.find("vocab_size")) out["vocab_size"] = vocabulary;
  return out;
}

}  // namespace jevons
