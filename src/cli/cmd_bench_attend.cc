// jevons bench attend: the share of this machine's peaks that attention reaches.
#include <algorithm>
#include <memory>
#include <vector>

#include "base/progress.h"
#include "cli/bench_text.h"
#include "kernels/bench.h"
#include "kernels/bench_attend.h"

namespace jevons {
namespace {

// The heads of one layer.
struct Model {
  const char* name;
  AttendShape shape;
};
constexpr Model kModels[] = {
    {"smollm2", {9, 3, 64, 64}},           // SmolLM2-135M
    {"qwen3", {32, 8, 128, 128}},          // Qwen3-4B and 8B
    {"v2-lite", {16, 1, 576, 512, true}},  // DeepSeek-V2-Lite
    {"v3", {128, 1, 576, 512, true}},      // DeepSeek-V3
};

struct AttendOptions {
  std::string model, cache = "f16";
  int64_t context = 4096, tokens = 0;
};

DType cache_type(const std::string& name) {
  return name == "f32" ? DType::f32 : name == "bf16" ? DType::bf16 : name == "q8" ? DType::i8 : DType::f16;
}

std::vector<std::string> model_names() {
  std::vector<std::string> names;
  for (const Model& model : kModels) names.emplace_back(model.name);
  return names;
}

void print_row(std::string_view model, const AttendOptions& o, int64_t tokens, const AttendReport& r,
               const MachineReport& m, bool json) {
  const double bytes = r.bytes / r.seconds, operations = r.operations / r.seconds;
  if (json)
    return print_json(Json::Object{{"model", model},
                                   {"cache", o.cache},
                                   {"context", o.context},
                                   {"tokens", tokens},
                                   {"seconds", r.seconds},
                                   {"seconds_per_position", r.seconds / r.positions},
                                   {"bytes_per_second", bytes},
                                   {"bandwidth_share", bytes / m.read_all},
                                   {"operations_per_second", operations},
                                   {"peak_share", operations / m.f32_all}});
  print(cat(model, std::string(12 - std::min<size_t>(12, model.size()), ' '), pad_left(cat(tokens), 5),
            pad_left(fixed(r.seconds * 1e6, 1), 11), pad_left(fixed(r.seconds * 1e9 / r.positions, 2), 9),
            pad_left(giga(bytes), 8), pad_left(percent(bytes / m.read_all), 9), pad_left(giga(operations), 10),
            pad_left(percent(operations / m.f32_all), 9), "\n"));
}

int run_attend(const AttendOptions& o, const Common& common) {
  if (o.tokens > o.context)
    throw Error(Code::usage, cat("--tokens ", o.tokens, " is more than --context ", o.context,
                                 ": the tokens of the step are the last of the context"));
  Exec exec(thread_count(common));
  const MachineReport m = measure_machine(exec);
  if (m.disturbed() && !common.quiet) note(cat("the machine is disturbed: ", fixed(100 * m.lost, 1), " % lost"));
  if (!common.json)
    print(cat("one layer, context ", o.context, ", cache ", o.cache, ", ", m.threads, " threads, ", m.isa,
              "; peaks: ", giga(m.read_all), " GB/s, ", giga(m.f32_all, 0), " Gflop/s f32\n",
              "model      tokens         us   ns/pos    GB/s  of peak  Gflop/s  of peak\n"));
  const std::vector<int64_t> steps =
      o.tokens > 0 ? std::vector<int64_t>{o.tokens} : std::vector<int64_t>{1, std::min<int64_t>(64, o.context)};
  for (const auto& [name, shape] : kModels)
    for (const int64_t tokens : steps) {
      if (!o.model.empty() && o.model != name) continue;
      AttendShape with_cache = shape;
      with_cache.cache = cache_type(o.cache);
      print_row(name, o, tokens, bench_attend(exec, with_cache, o.context, tokens), m, common.json);
    }
  return 0;
}

}  // namespace

Command bench_attend_command() {
  auto o = std::make_shared<AttendOptions>();
  return {
      .name = "bench attend",
      .summary = "attention as a share of this machine's peaks",
      .details =
          "Times one layer for the heads of some models. ns/pos is the time per query token and position it sees,\n"
          "all heads together. With few query heads per kv head decoding is bound by bandwidth, else by arithmetic.",
      .options = {{"--model", &o->model, "only the heads of this model", {.choices = model_names()}},
                  {"--context", &o->context, "positions in the cache", {.min = 1, .max = 1 << 20}},
                  {"--tokens", &o->tokens, "tokens in the step; 1 and 64 if not given", {.min = 1, .max = 65536}},
                  {"--cache", &o->cache, "type of the cache", {.choices = {"f32", "f16", "bf16", "q8"}}}},
      .examples = {"jevons bench attend", "jevons bench attend --model smollm2 --context 512 --tokens 1 --json"},
      .run = [o](const Common& common) { return run_attend(*o, common); }};
}

}  // namespace jevons
