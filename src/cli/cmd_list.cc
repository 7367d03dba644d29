// jevons list: the models in the local store.
#include <memory>

#include "base/progress.h"
#include "base/strings.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/store.h"

namespace jevons {
namespace {

struct Options {
  bool paths = false, names = false;
};

int run(const Options& o, const Common& common) {
  const std::vector<StoredModel> models = stored_models();
  if (common.json) {
    Json list = Json::array();
    for (const StoredModel& model : models) {
      list.push_back(Json::Object{{"name", model.name},
                                  {"format", model.format},
                                  {"bytes", model.bytes},
                                  {"path", model.path.string()},
                                  {"default", model.name == kDefaultModel}});
    }
    print_json(Json::Object{{"store", models_folder().string()}, {"models", std::move(list)}});
    return 0;
  }
  size_t width = 0;
  for (const StoredModel& model : models) width = std::max(width, model.name.size());
  std::string out;
  for (const StoredModel& model : models) {
    if (o.paths || o.names) {
      out += (o.paths ? model.path.string() : model.name) + "\n";
      continue;
    }
    const std::string size = human_bytes(static_cast<double>(model.bytes));
    out += cat(model.name, std::string(width - model.name.size() + 2, ' '),
               std::string(8 - std::min<size_t>(8, size.size()), ' '), size, "  ", model.format,
               model.name == kDefaultModel ? "  (default)" : "", "\n");
  }
  if (models.empty()) note(cat("no models in ", models_folder().string(), "; 'jevons pull' adds one"));
  print(out);
  return 0;
}

}  // namespace

Command list_command() {
  auto o = std::make_shared<Options>();
  return {.name = "list",
          .summary = "the models in the local store",
          .options = {{"--paths", &o->paths, "only the path of each model, one a line"},
                      {"--names", &o->names, "only the names"}},
          .examples = {"jevons list", "jevons list --json", "jevons list --paths"},
          .run = [o](const Common& common) { return run(*o, common); }};
}

}  // namespace jevons
