// jevons quantize: a checkpoint to a GGUF of a smaller type.
#include <map>
#include <memory>

#include "base/strings.h"
#include "cli/bench_text.h"
#include "cli/store.h"
#include "models/quantize.h"

namespace jevons {
namespace {

struct Options {
  std::string in, out, type = "q4_k_m";
};

int run(const Options& o, const Common& common) {
  Exec exec(thread_count(common));
  const QuantizeReport report = quantize(resolve_model(o.in).value(), o.out, o.type, exec).value();
  if (common.json) {
    Json packs = Json::object();
    for (const auto& [pack, error] : report.by_pack)
      packs[pack] = Json::Object{{"numbers", error.values}, {"relative_rmse", error.relative_rmse()}};
    print_json(Json::Object{{"out", o.out},
                            {"type", o.type},
                            {"tensors", report.tensors},
                            {"bytes", report.bytes},
                            {"relative_rmse", report.relative_rmse},
                            {"types", packs}});
    return 0;
  }
  std::string out = cat(o.out, ": ", report.tensors, " tensors, ", human_bytes(static_cast<double>(report.bytes)),
                        ", relative error ", fixed(100 * report.relative_rmse, 2), " %\n");
  for (const auto& [pack, error] : report.by_pack)
    out += cat("  ", pad_right(pack, 8), pad_left(cat(error.values), 14), " numbers, relative error ",
               fixed(100 * error.relative_rmse(), 2), " %\n");
  print(out);
  return 0;
}

}  // namespace

Command quantize_command() {
  auto o = std::make_shared<Options>();
  return {.name = "quantize",
          .summary = "write a GGUF of a smaller type",
          .details = "The relative error is the root mean square of (stored - original) over that of the original.",
          .options = {{"IN", &o->in, "a name, checkpoint folder or GGUF file", {.required = true}},
                      {"OUT", &o->out, "the GGUF file to write", {.required = true, .value = "OUT.gguf"}},
                      {"--type",
                       &o->type,
                       "the type of its matrices",
                       {.choices = {"q8_0", "q4_0", "q6_k", "q4_k_m", "q5_k_m", "f16", "bf16", "f32"}}}},
          .examples = {"jevons quantize ./DeepSeek-R1-Distill-Qwen-1.5B qwen-q4.gguf --type q4_k_m",
                       "jevons quantize model-f16.gguf model-q8.gguf --type q8_0 --json"},
          .run = [o](const Common& common) { return run(*o, common); }};
}

}  // namespace jevons
