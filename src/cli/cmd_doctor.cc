// jevons doctor: what this machine can do, and how fast common models will run on it.
#include <array>

#include "base/strings.h"
#include "cli/bench_text.h"
#include "cli/output.h"
#include "cli/store.h"
#include "engine/model.h"
#include "kernels/bench.h"

namespace jevons {
namespace {

// Bytes of weights that a token reads, and of the whole model, at common sizes in Q4_K_M (4.85 bits a weight).
struct Common4Bit {
  const char* name;
  double active, total;  // billions of parameters; embedding not counted as active
};
constexpr std::array kModels = {
    Common4Bit{"R1-Distill-Qwen-1.5B", 1.54, 1.78}, Common4Bit{"R1-Distill-Qwen-7B", 7.07, 7.62},
    Common4Bit{"R1-Distill-Llama-8B", 7.50, 8.03},  Common4Bit{"DeepSeek-V2-Lite", 2.45, 15.7},
    Common4Bit{"R1-Distill-Qwen-32B", 31.99, 32.8}, Common4Bit{"DeepSeek-V3 / R1", 36.63, 671.0}};
constexpr double kBitsQ4KM = 4.85;
// Decode reaches this part of the read bandwidth on models of a billion parameters and more (docs/performance.md).
constexpr double kDecodeShare = 0.75;

struct Expected {
  std::string name;
  double tokens_per_second, bytes;
  bool fits;
};

std::vector<Expected> expectations(const MachineReport& m, double memory) {
  std::vector<Expected> out;
  for (const Common4Bit& model : kModels) {
    const double bytes = model.total * 1e9 * kBitsQ4KM / 8;
    out.push_back({cat(model.name, " Q4_K_M"), kDecodeShare * m.read_all / (model.active * 1e9 * kBitsQ4KM / 8), bytes,
                   bytes < memory});
  }
  for (const StoredModel& stored : stored_models()) {
    Result<Checkpoint> checkpoint = Checkpoint::open(stored.path);
    if (!checkpoint.ok()) continue;
    Result<Config> config = read_config(*checkpoint);
    if (!config.ok()) continue;
    Result<WeightMemory> weights = plan_weights(*checkpoint, *config, {});
    if (!weights.ok()) continue;
    const double bytes = static_cast<double>(weights->owned + weights->mapped);
    out.push_back(
        {stored.name, kDecodeShare * m.read_all / static_cast<double>(weights->read_per_token), bytes, bytes < memory});
  }
  return out;
}

int run(const Common& common) {
  Exec exec(thread_count(common));
  const MachineReport m = measure_machine(exec);
  const double memory = static_cast<double>(available_memory());
  const std::vector<Expected> list = expectations(m, memory);
  if (common.json) {
    Json models = Json::array();
    for (const Expected& e : list)
      models.push_back(Json::Object{
          {"name", e.name}, {"tokens_per_second_at_most", e.tokens_per_second}, {"bytes", e.bytes}, {"fits", e.fits}});
    print_json(Json::Object{{"isa", m.isa},
                            {"cores", usable_cores()},
                            {"ghz", m.ghz},
                            {"memory_available", memory},
                            {"lost", m.lost},
                            {"disturbed", m.disturbed()},
                            {"read_bytes_per_second", m.read_all},
                            {"int8_per_second", m.int8_all},
                            {"f32_per_second", m.f32_all},
                            {"store", models_folder().string()},
                            {"models", models}});
    return 0;
  }
  std::string out =
      cat("processor     ", usable_cores(), " cores, ", m.isa, ", ", fixed(m.ghz, 2), " GHz\n", "memory        ",
          human_bytes(memory), " available\n", "bandwidth     ", giga(m.read_all), " GB/s read with all threads\n",
          "arithmetic    ", giga(m.int8_all, 0), " Gop/s int8, ", giga(m.f32_all, 0), " Gflop/s f32\n",
          "disturbance   ", fixed(100 * m.lost, 1), " % lost to other work",
          m.disturbed() ? ": the figures are too low; close other programs and repeat\n" : "\n", "models in     ",
          models_folder().string(), "\n\n", pad_right("expected, one conversation", 36), pad_left("tokens/s", 10),
          pad_left("memory", 12), "\n");
  for (const Expected& e : list)
    out += cat(pad_right(e.name, 36), pad_left(e.fits ? fixed(e.tokens_per_second, 1) : "-", 10),
               pad_left(human_bytes(e.bytes), 12), e.fits ? "\n" : "  does not fit\n");
  print(out);
  return 0;
}

}  // namespace

Command doctor_command() {
  return {.name = "doctor",
          .summary = "what this machine can do, and how fast models will run",
          .details = "Measures for about four seconds. The report holds no prompts and may be shared.",
          .options = {},
          .examples = {"jevons doctor", "jevons doctor --json"},
          .run = [](const Common& common) { return run(common); }};
}

}  // namespace jevons
