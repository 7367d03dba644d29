#include "kernels/bench_attend.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <vector>

#include "base/clock.h"
#include "base/rng.h"
#include "kernels/kernels.h"
#include "kernels/kv_layout.h"

namespace jevons {
namespace {

constexpr int64_t kPageTokens = 64;

struct Step {
  std::vector<int32_t> position, sequence, table;
  const int32_t* pages[1];
  BatchView view;
  Step(int64_t context, int64_t tokens)
      : position(static_cast<size_t>(tokens)),
        sequence(position.size(), 0),
        table(static_cast<size_t>((context + kPageTokens - 1) / kPageTokens)) {
    std::iota(position.begin(), position.end(), static_cast<int32_t>(context - tokens));
    std::iota(table.begin(), table.end(), 0);
    pages[0] = table.data();
    view = {tokens, position.data(), sequence.data(), pages};
  }
};

// Entries of numbers between -1 and 1.
std::vector<std::byte> random_cache(DType dtype, int64_t entries, int64_t width) {
  const int64_t bytes = kv_entry_bytes(dtype, width);
  std::vector<std::byte> out(static_cast<size_t>(entries * bytes));
  std::vector<float> entry(static_cast<size_t>(width));
  for (int64_t e = 0; e < entries; ++e) {
    for (int64_t i = 0; i < width; ++i)
      entry[static_cast<size_t>(i)] = static_cast<float>((e * width + i) * 7919 % 2003) / 1001.5f - 1.0f;
    kv_narrow(dtype, entry.data(), width, out.data() + e * bytes);
  }
  return out;
}

Tensor random_tensor(Arena& arena, Shape shape) {
  const Tensor out = arena.alloc(shape, DType::f32);
  uint64_t i = 0;
  for (float& x : out.as<float>()) x = static_cast<float>(uniform(1, i++) - 0.5);
  return out;
}

}  // namespace

AttendReport bench_attend(Exec& exec, const AttendShape& s, int64_t context, int64_t tokens, int repetitions) {
  const Step step(context, tokens);
  const int64_t slots = static_cast<int64_t>(step.table.size()) * kPageTokens * s.kv_heads;
  const int64_t key_bytes = kv_entry_bytes(s.cache, s.key_width);
  const int64_t bytes = key_bytes + (s.latent ? 0 : kv_entry_bytes(s.cache, s.value_width));
  const int64_t layers = std::clamp<int64_t>((int64_t{128} << 20) / (slots * bytes), 2, 64);
  std::vector<std::byte> one = random_cache(s.cache, slots, s.key_width);
  if (!s.latent) {
    const std::vector<std::byte> values = random_cache(s.cache, slots, s.value_width);
    one.insert(one.end(), values.begin(), values.end());
  }
  std::vector<std::vector<std::byte>> memory(static_cast<size_t>(layers), one);
  Arena arena;
  const Env env{exec, arena};
  const Tensor q = random_tensor(arena, {tokens, s.heads, s.key_width});
  const Tensor out = arena.alloc({tokens, s.heads, s.value_width}, DType::f32);
  AttendReport report;
  for (int r = 0; r < repetitions + 1; ++r) {  // the first one warms up
    std::byte* key = memory[static_cast<size_t>(r) % memory.size()].data();
    const KvLayer layer{
        key,          s.latent ? nullptr : key + slots * key_bytes, s.cache, kPageTokens, s.kv_heads, s.key_width,
        s.value_width};
    const double start = now_seconds();
    cpu::attend(env, {q, step.view, layer, 0.125, out});
    const double seconds = now_seconds() - start;
    if (r == 1 || (r > 1 && seconds < report.seconds)) report.seconds = seconds;
  }
  report.positions = static_cast<double>(tokens) * (static_cast<double>(context) - static_cast<double>(tokens - 1) / 2);
  report.bytes = static_cast<double>(bytes * context * s.kv_heads);
  report.operations = 2 * static_cast<double>(s.heads * (s.key_width + s.value_width)) * report.positions;
  return report;
}

}  // namespace jevons
