// jevons rm: removes models from the local store.
#include <memory>

#include "base/strings.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/pull.h"

namespace jevons {
namespace {

int run(const std::vector<std::string>& names, const Common& common) {
  for (const std::string& name : names) {
    const uint64_t freed = remove_model(name).value();
    if (common.json)
      print_json(Json::Object{{"removed", name}, {"bytes", freed}});
    else
      print(cat("removed ", name, ", ", human_bytes(static_cast<double>(freed)), "\n"));
  }
  return 0;
}

}  // namespace

Command rm_command() {
  auto names = std::make_shared<std::vector<std::string>>();
  return {.name = "rm",
          .summary = "remove models from the local store",
          .details =
              "Also drops what an unfinished 'jevons pull' of that name has left. Files outside the store are never "
              "touched.",
          .options = {{"NAME", names.get(), "names as 'jevons list' shows them", {.required = true}}},
          .examples = {"jevons rm smollm2-135m-instruct", "jevons rm mine other --json"},
          .run = [names](const Common& common) { return run(*names, common); }};
}

}  // namespace jevons
