// jevons pull: brings a model into the local store.
#include <algorithm>
#include <memory>

#include "base/progress.h"
#include "base/strings.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/pull.h"

namespace jevons {
namespace {

int run(PullRequest request, const Common& common) {
  const auto digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  std::ranges::transform(request.sha256, request.sha256.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (!request.sha256.empty() && (request.sha256.size() != 64 || !std::ranges::all_of(request.sha256, digit))) {
    throw Error(Code::usage, cat("--sha256: expected 64 hexadecimal digits, found ", quote(request.sha256)));
  }
  const StoredModel model = pull(request).value();
  if (common.json) {
    print_json(Json::Object{
        {"name", model.name}, {"path", model.path.string()}, {"format", model.format}, {"bytes", model.bytes}});
  } else {
    print(cat(model.name, "  ", human_bytes(static_cast<double>(model.bytes)), "  ", model.path.string(), "\n"));
  }
  return 0;
}

}  // namespace

Command pull_command() {
  auto request = std::make_shared<PullRequest>();
  return {.name = "pull",
          .summary = "bring a model into the local store",
          .details =
              "SOURCE is a .gguf file (of a split one, any part), a checkpoint folder, or the http(s) URL of a .gguf\n"
              "file or of a checkpoint's config.json. Nothing else is ever fetched. After an interruption the same\n"
              "command goes on where it was; the model appears under its name only when it is complete.",
          .options = {{"SOURCE", &request->source, "a path or URL", {.required = true}},
                      {"--name", &request->name, "name in the store; by default the file's or folder's, in lower case"},
                      {"--sha256", &request->sha256, "refuse the file if it has another SHA-256", {.value = "HEX"}}},
          .examples = {"jevons pull ~/Downloads/model-Q4_K_M.gguf --name mine",
                       "jevons pull https://example.com/model-Q4_K_M.gguf --sha256 b179c952...",
                       "jevons pull https://huggingface.co/ORGANISATION/MODEL/resolve/main/config.json"},
          .run = [request](const Common& common) { return run(*request, common); }};
}

}  // namespace jevons
