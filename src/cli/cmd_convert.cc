// jevons convert: Hugging Face folders and GGUF files, both ways.
#include <memory>

#include "base/strings.h"
#include "cli/bench_text.h"
#include "cli/store.h"
#include "models/convert.h"

namespace jevons {
namespace {

struct Options {
  std::string in, out, type;
  int shard_mb = SafetensorsWriter::kMaxShardBytes / 1'000'000;
};

int run(const Options& o, const Common& common) {
  Exec exec(thread_count(common));
  const ConvertReport report =
      convert(resolve_model(o.in).value(), o.out, o.type, exec, static_cast<uint64_t>(o.shard_mb) * 1'000'000).value();
  if (common.json)
    print_json(Json::Object{{"out", o.out}, {"tensors", report.tensors}, {"bytes", report.bytes}});
  else
    print(cat(o.out, ": ", report.tensors, " tensors, ", human_bytes(static_cast<double>(report.bytes)), "\n"));
  return 0;
}

}  // namespace

Command convert_command() {
  auto o = std::make_shared<Options>();
  return {
      .name = "convert",
      .summary = "Hugging Face folders and GGUF files, both ways",
      .details = "An OUT that ends in .gguf is written as a GGUF file, any other as a checkpoint folder.",
      .options = {{"IN", &o->in, "a name, checkpoint folder or GGUF file", {.required = true}},
                  {"OUT", &o->out, "a .gguf file or a folder", {.required = true}},
                  {"--type", &o->type, "f32, f16 or bf16; without it nothing is rounded"},
                  {"--shard-mb", &o->shard_mb, "megabytes of data in one file of a folder", {.min = 1, .max = 1e6}}},
      .examples = {"jevons convert ./DeepSeek-V2-Lite v2-lite.gguf",
                   "jevons convert model.gguf ./model-folder --type bf16"},
      .run = [o](const Common& common) { return run(*o, common); }};
}

}  // namespace jevons
