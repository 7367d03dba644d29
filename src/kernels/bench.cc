#include "kernels/bench.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/panel.h"
#include "kernels/cpu/peak.h"
#include "kernels/kernels.h"

namespace jevons {
namespace {

using Buffer = std::unique_ptr<std::byte, decltype(&std::free)>;

Buffer aligned(int64_t bytes) {
  Buffer out(static_cast<std::byte*>(std::aligned_alloc(64, static_cast<size_t>((bytes + 63) / 64 * 64))), &std::free);
  if (!out) throw Error(Code::too_large, "out of memory for a benchmark");
  return out;
}

// Spins for `seconds` in blocks of about 5 us; the time in blocks of over 50 us was someone else's.
struct Gaps {
  double lost = 0, longest = 0;
};
Gaps find_gaps(double seconds) {
  Gaps gaps;
  const double start = now_seconds();
  for (double before = start; before - start < seconds;) {
    double now;
    do now = now_seconds();
    while (now - before < 5e-6);
    if (now - before > 50e-6) gaps.lost += now - before, gaps.longest = std::max(gaps.longest, now - before);
    before = now;
  }
  gaps.lost /= now_seconds() - start;
  return gaps;
}

uint64_t sum_words(const uint64_t* words, int64_t n) {
  uint64_t a = 0, b = 0, c = 0, d = 0;
  for (int64_t i = 0; i < n; i += 4) a += words[i], b += words[i + 1], c += words[i + 2], d += words[i + 3];
  return a + b + c + d;
}

double read_bandwidth(Exec& exec, const uint64_t* words, int64_t n) {
  constexpr int64_t kParts = 64;
  double best = 0;
  volatile uint64_t sink = 0;
  for (int repeat = 0; repeat < 7; ++repeat) {
    uint64_t sums[kParts * 8] = {};
    const double start = now_seconds();
    exec.parallel_for(kParts, [&](int64_t i) { sums[i * 8] = sum_words(words + n / kParts * i, n / kParts); });
    best = std::max(best, static_cast<double>(n * 8) / (now_seconds() - start));
    sink = sink + sums[0];
  }
  return best;
}

// Operations per second of `loop` on all threads of `exec` together, best of 20 bursts of about a millisecond.
double peak_rate(Exec& exec, const PeakLoop& loop) {
  double best = 0;
  const int64_t rounds = 200000;
  for (int repeat = 0; repeat < 20; ++repeat) {
    const double start = now_seconds();
    exec.parallel_for(exec.threads(), [&](int64_t) { loop.run(rounds); });
    best = std::max(best, loop.operations * static_cast<double>(rounds * exec.threads()) / (now_seconds() - start));
  }
  return best;
}

}  // namespace

MachineReport measure_machine(Exec& exec) {
  MachineReport report;
  Exec one(1);
  report.threads = exec.threads();
  report.isa = isa_name(current_isa());
  std::vector<Gaps> gaps(static_cast<size_t>(exec.threads()));
  exec.parallel_for(exec.threads(), [&](int64_t i) { gaps[static_cast<size_t>(i)] = find_gaps(1.0); });
  for (const Gaps& g : gaps)
    report.lost = std::max(report.lost, g.lost), report.longest_gap = std::max(report.longest_gap, g.longest);
  report.ghz = peak_rate(one, clock_loop()) / 1e9;

  constexpr int64_t kBytes = int64_t{256} << 20;
  const Buffer memory = aligned(kBytes);
  std::memset(memory.get(), 1, kBytes);
  const auto* words = reinterpret_cast<const uint64_t*>(memory.get());
  report.read_one = read_bandwidth(one, words, kBytes / 8);
  report.read_all = read_bandwidth(exec, words, kBytes / 8);

  const PeakLoop int8 = int8_loop(current_isa()), f32 = f32_loop(current_isa());
  report.int8_form = int8.form, report.f32_form = f32.form;
  report.int8_one = peak_rate(one, int8), report.int8_all = peak_rate(exec, int8);
  report.f32_one = peak_rate(one, f32), report.f32_all = peak_rate(exec, f32);
  return report;
}

double f32_peak(Exec& exec) { return peak_rate(exec, f32_loop(current_isa())); }

KernelReport bench_linear(Exec& exec, Pack pack, int64_t rows, int64_t cols, int64_t tokens, int repetitions) {
  const bool panels = panel_supported(pack);
  const int64_t row_size = rows * row_bytes(pack, cols), bytes = panels ? panel_bytes(pack, rows, cols) : row_size;
  const int64_t copies = tokens >= 32 ? 1 : std::clamp<int64_t>((int64_t{128} << 20) / bytes, 1, 64);
  const Buffer raw = aligned(row_size);
  std::memset(raw.get(), 0x11, static_cast<size_t>(row_size));  // a small normal number in every format
  const std::vector<float> scales(static_cast<size_t>((rows + 127) / 128 * ((cols + 127) / 128)), 1.0f);
  const Weight plain{"benchmark", pack, Layout::rows, rows, cols, {raw.get()}, {scales.data()}, nullptr};
  std::vector<Buffer> memory;
  std::vector<Weight> weights;
  for (int64_t i = 0; i < copies; ++i) {
    memory.push_back(aligned(bytes));
    if (panels)
      pack_panels(exec, plain, 0, memory.back().get());
    else
      std::memcpy(memory.back().get(), raw.get(), static_cast<size_t>(bytes));
    weights.push_back(plain);
    weights.back().layout = panels ? Layout::panels : Layout::rows;
    weights.back().data = {memory.back().get()};
  }
  std::vector<float> x(static_cast<size_t>(tokens * cols)), y(static_cast<size_t>(tokens * rows));
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * 7919 % 1000) / 500.0f - 1.0f;
  Arena arena;
  KernelReport report{1e300, static_cast<double>(bytes), 2.0 * static_cast<double>(rows * cols * tokens)};
  LinearArgs args{Tensor(x.data(), {tokens, cols}, DType::f32),
                  {{nullptr, {}, {}, Tensor(y.data(), {tokens, rows}, DType::f32)}}};
  for (int repeat = 0; repeat < repetitions; ++repeat) {
    const double start = now_seconds();
    for (const Weight& weight : weights) {
      args.maps[0].weight = &weight;
      cpu::linear({exec, arena}, args);
    }
    report.seconds = std::min(report.seconds, (now_seconds() - start) / static_cast<double>(copies));
  }
  return report;
}

}  // namespace jevons
