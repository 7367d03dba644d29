// jevons show: a stored model's files, and whether they are still the bytes that were pulled.
#include <memory>

#include "base/file.h"
#include "base/strings.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/partial_file.h"
#include "cli/store.h"

namespace jevons {
namespace {

struct Options {
  std::string name{kDefaultModel};
  bool verify = false;
};

// The notes that pull has left, or those of a folder that was put there by hand: its files without hashes.
Json notes_of(const StoredModel& model) {
  const std::filesystem::path notes = model.folder / "jevons.json";
  if (std::filesystem::exists(notes)) return Json::parse(read_file(notes).value()).value();
  Json files = Json::array();
  for (const auto& entry : std::filesystem::directory_iterator(model.folder)) {
    if (!entry.is_regular_file()) continue;
    files.push_back(Json::Object{{"name", entry.path().filename().string()}, {"bytes", entry.file_size()}});
  }
  return Json::Object{{"files", std::move(files)}};
}

// Adds "intact" to each file with a known hash; false if one differs.
bool verify(const StoredModel& model, Json& notes) {
  bool all = true;
  for (Json& file : notes["files"].as_array()) {
    if (!file.find("sha256")) continue;
    const auto hash = file_sha256(model.folder / file.at("name").as_string());
    const bool intact = hash.ok() && *hash == file.at("sha256").as_string();
    file["intact"] = intact;
    all = all && intact;
  }
  return all;
}

int run(const Options& o, const Common& common) {
  const StoredModel model = find_model(o.name).value();
  Json notes = notes_of(model);
  const bool intact = !o.verify || verify(model, notes);
  const Json* const source = notes.find("source");
  if (common.json) {
    print_json(Json::Object{{"name", model.name},
                            {"format", model.format},
                            {"bytes", model.bytes},
                            {"path", model.path.string()},
                            {"source", source ? *source : Json()},
                            {"files", notes["files"]}});
  } else {
    std::string out = cat("name    ", model.name, "\nformat  ", model.format, "\nsize    ",
                          human_bytes(static_cast<double>(model.bytes)), "\npath    ", model.path.string(), "\n");
    if (source) out += cat("source  ", source->as_string(), "\n");
    for (const Json& file : notes["files"].as_array()) {
      out += cat("file    ", file.at("name").as_string(), "  ", file.at("bytes").as_int(), " bytes");
      if (const Json* const hash = file.find("sha256")) out += "  sha256 " + hash->as_string();
      if (const Json* const state = file.find("intact")) out += state->as_bool() ? "  intact" : "  DAMAGED";
      out += "\n";
    }
    print(out);
  }
  if (intact) return 0;
  throw Error(Code::invalid, cat(model.folder.string(), ": files differ from what was pulled; 'jevons rm ", model.name,
                                 "' and pull it again"));
}

}  // namespace

Command show_command() {
  auto o = std::make_shared<Options>();
  return {.name = "show",
          .summary = "a stored model: its files, hashes and source",
          .details = "What is inside a model tells 'jevons inspect'.",
          .options = {{"NAME", &o->name, "a name as 'jevons list' shows it"},
                      {"--verify", &o->verify, "read all files and compare their hashes with those of the pull"}},
          .examples = {"jevons show", "jevons show smollm2-135m-instruct --verify", "jevons show --json"},
          .run = [o](const Common& common) { return run(*o, common); }};
}

}  // namespace jevons
