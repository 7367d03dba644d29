// jevons bench machine: what the machine can do.
#include <memory>

#include "cli/bench_text.h"
#include "kernels/bench.h"

namespace jevons {
namespace {

Json machine_json(const MachineReport& m) {
  return Json::Object{{"isa", m.isa},
                      {"threads", m.threads},
                      {"ghz", m.ghz},
                      {"lost", m.lost},
                      {"longest_gap_ms", m.longest_gap * 1e3},
                      {"disturbed", m.disturbed()},
                      {"read_bytes_per_second", Json::Object{{"one_thread", m.read_one}, {"all_threads", m.read_all}}},
                      {"int8_per_second", Json::Object{{"one_thread", m.int8_one}, {"all_threads", m.int8_all}}},
                      {"f32_per_second", Json::Object{{"one_thread", m.f32_one}, {"all_threads", m.f32_all}}},
                      {"int8_form", m.int8_form},
                      {"f32_form", m.f32_form}};
}

std::string disturbance(const MachineReport& m) {
  return cat("a thread lost ", fixed(100 * m.lost, 1), " % of a second to other work (longest gap ",
             fixed(m.longest_gap * 1e3, 1), " ms), more than the ", fixed(100 * MachineReport::kLimit, 0),
             " % that a fair measurement allows; close other programs and repeat, or use --anyway");
}

int run_machine(bool anyway, const Common& common) {
  Exec exec(thread_count(common));
  const MachineReport m = measure_machine(exec);
  if (m.disturbed() && !anyway) throw Error(Code::invalid, disturbance(m));
  if (common.json) {
    print_json(machine_json(m));
    return 0;
  }
  const auto line = [](std::string_view what, double one, double all, std::string_view unit, std::string_view form) {
    return cat(what, pad_left(giga(one), 8), pad_left(giga(all), 8), " ", unit, form.empty() ? "" : "   ", form, "\n");
  };
  print(cat("instruction set  ", m.isa, ", ", fixed(m.ghz, 2), " GHz\n", "disturbance      ", fixed(100 * m.lost, 1),
            " % lost, longest gap ", fixed(m.longest_gap * 1e3, 1), " ms\n", "threads                 1",
            pad_left(cat(m.threads), 8), "\n", line("read bandwidth   ", m.read_one, m.read_all, "GB/s", ""),
            line("int8 peak        ", m.int8_one, m.int8_all, "Gop/s", m.int8_form),
            line("f32 peak         ", m.f32_one, m.f32_all, "Gflop/s", m.f32_form)));
  return 0;
}

}  // namespace

Command bench_machine_command() {
  auto anyway = std::make_shared<bool>(false);
  return {.name = "bench machine",
          .summary = "read bandwidth and arithmetic peaks of this machine",
          .details = "Measures for about four seconds. Refuses to report if other work disturbs the measurement.",
          .options = {{"--anyway", anyway.get(), "report even if the machine is disturbed"}},
          .examples = {"jevons bench machine", "jevons bench machine --json --threads 1"},
          .run = [anyway](const Common& common) { return run_machine(*anyway, common); }};
}

}  // namespace jevons
