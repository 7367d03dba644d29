// jevons bench kernels: the share of this machine's peaks that the linear kernels reach.
#include <algorithm>
#include <charconv>
#include <memory>

#include "base/progress.h"
#include "cli/bench_text.h"
#include "kernels/bench.h"

namespace jevons {
namespace {

struct KernelOptions {
  std::vector<std::string> packs;
  int64_t rows = 8960, cols = 1536;
  std::vector<std::string> tokens;
};

std::vector<Pack> wanted_packs(const std::vector<std::string>& names) {
  std::vector<Pack> packs;
  for (const std::string& name : names) {
    const std::optional<Pack> pack = pack_from_name(name);
    if (!pack || *pack == Pack::f64)
      throw Error(Code::usage, cat("--pack: ", quote(name), " is no weight format of the cpu kernels"));
    packs.push_back(*pack);
  }
  if (packs.empty())
    packs = {Pack::q8_0, Pack::q4_0, Pack::q4_1, Pack::q4_k, Pack::q5_k, Pack::q6_k, Pack::bf16, Pack::f32};
  return packs;
}

std::vector<int64_t> wanted_tokens(const std::vector<std::string>& texts) {
  std::vector<int64_t> tokens;
  for (const std::string& text : texts) {
    int64_t n = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (error != std::errc() || end != text.data() + text.size() || n < 1 || n > 4096)
      throw Error(Code::usage, cat("--tokens: expected a number from 1 to 4096, got ", quote(text)));
    tokens.push_back(n);
  }
  if (tokens.empty()) tokens = {1, 2, 4, 8, 32, 128, 512};
  return tokens;
}

int run_kernels(const KernelOptions& o, const Common& common) {
  Exec exec(thread_count(common));
  const std::vector<Pack> packs = wanted_packs(o.packs);
  const std::vector<int64_t> tokens = wanted_tokens(o.tokens);
  for (const Pack pack : packs)
    if (o.cols % pack_info(pack).block_values != 0)
      throw Error(Code::usage, cat("--cols ", o.cols, " is not a multiple of ", pack_info(pack).block_values,
                                   ", the block of ", pack_info(pack).name));
  const MachineReport m = measure_machine(exec);
  if (m.disturbed() && !common.quiet) note(cat("the machine is disturbed: ", fixed(100 * m.lost, 1), " % lost"));
  if (!common.json)
    print(cat(o.rows, " x ", o.cols, ", ", m.threads, " threads, ", m.isa, "; peaks: ", giga(m.read_all), " GB/s, ",
              giga(m.int8_all, 0), " Gop/s int8, ", giga(m.f32_all, 0), " Gflop/s f32\n",
              "format     tokens        us     GB/s  of peak    Gop/s  of peak\n"));
  for (const Pack pack : packs)
    for (const int64_t n : tokens) {
      const KernelReport k = bench_linear(exec, pack, o.rows, o.cols, n);
      const bool dense = pack_info(pack).block_values == 1;
      const double bytes = k.bytes / k.seconds, operations = k.operations / k.seconds;
      const double peak = dense ? m.f32_all : m.int8_all;
      if (common.json) {
        print_json(Json::Object{{"pack", pack_info(pack).name},
                                {"rows", o.rows},
                                {"cols", o.cols},
                                {"tokens", n},
                                {"seconds", k.seconds},
                                {"bytes_per_second", bytes},
                                {"bandwidth_share", bytes / m.read_all},
                                {"operations_per_second", operations},
                                {"peak_share", operations / peak}});
        continue;
      }
      const std::string name(pack_info(pack).name);
      print(cat(name, std::string(12 - std::min<size_t>(12, name.size()), ' '), pad_left(cat(n), 5),
                pad_left(fixed(k.seconds * 1e6, 1), 10), pad_left(giga(bytes), 9),
                pad_left(percent(bytes / m.read_all), 9), pad_left(giga(operations, 0), 9),
                pad_left(percent(operations / peak), 9), "\n"));
    }
  return 0;
}

}  // namespace

Command bench_kernels_command() {
  auto o = std::make_shared<KernelOptions>();
  return {.name = "bench kernels",
          .summary = "the linear kernels as a share of this machine's peaks",
          .details =
              "A share of bandwidth near 100 % or a share of the arithmetic peak near 80 % is as good as it gets; a\n"
              "share over 100 % of bandwidth means that the weights fitted a cache.",
          .options = {{"--pack", &o->packs, "a weight format; may be repeated", {.value = "NAME"}},
                      {"--rows", &o->rows, "outputs of the linear map", {.min = 1, .max = 1 << 20}},
                      {"--cols", &o->cols, "inputs of the linear map", {.min = 32, .max = 1 << 16}},
                      {"--tokens", &o->tokens, "tokens in the step; may be repeated", {.value = "N"}}},
          .examples = {"jevons bench kernels", "jevons bench kernels --pack q4_k --tokens 1 --tokens 512",
                       "jevons bench kernels --rows 1536 --cols 576 --pack q4_1 --json"},
          .run = [o](const Common& common) { return run_kernels(*o, common); }};
}

}  // namespace jevons
