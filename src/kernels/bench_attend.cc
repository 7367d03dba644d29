#include "kernels/bench_attend.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <vector>

#include "base/clock.h"
#include "base/rng.h"
#include "kernels/kernels.h"
#include "tensor/half.h"

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

// Numbers between -1 and 1 whose halves are random: the bits of an f16, bf16 or f32 with a small exponent.
std::vector<std::byte> random_cache(DType dtype, int64_t numbers) {
  std::vector<std::byte> out(static_cast<size_t>(numbers * dtype_size(dtype)));
  for (int64_t i = 0; i < numbers; ++i) {
    const float x = static_cast<float>(i * 7919 % 2003) / 1001.5f - 1.0f;
    std::byte* to = out.data() + i * dtype_size(dtype);
    if (dtype == DType::f32)
      *reinterpret_cast<float*>(to) = x;
    else
      *reinterpret_cast<uint16_t*>(to) = dtype == DType::f16 ? f32_to_f16(x) : f32_to_bf16(x);
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
  const int64_t numbers = slots * (s.key_width + (s.latent ? 0 : s.value_width));
  const int64_t layers = std::clamp<int64_t>((int64_t{128} << 20) / (numbers * dtype_size(s.cache)), 2, 64);
  std::vector<std::vector<std::byte>> memory(static_cast<size_t>(layers), random_cache(s.cache, numbers));
  Arena arena;
  const Env env{exec, arena};
  const Tensor q = random_tensor(arena, {tokens, s.heads, s.key_width});
  const Tensor out = arena.alloc({tokens, s.heads, s.value_width}, DType::f32);
  AttendReport report;
  for (int r = 0; r < repetitions + 1; ++r) {  // the first one warms up
    std::byte* key = memory[static_cast<size_t>(r) % memory.size()].data();
    const KvLayer layer{key,          s.latent ? nullptr : key + slots * s.key_width * dtype_size(s.cache),
                        s.cache,      kPageTokens,
                        s.kv_heads,   s.key_width,
                        s.value_width};
    const double start = now_seconds();
    cpu::attend(env, {q, step.view, layer, 0.125, out});
    const double seconds = now_seconds() - start;
    if (r == 1 || (r > 1 && seconds < report.seconds)) report.seconds = seconds;
  }
  report.positions = static_cast<double>(tokens) * (static_cast<double>(context) - static_cast<double>(tokens - 1) / 2);
  report.bytes = static_cast<double>(numbers) / static_cast<double>(slots) * static_cast<double>(context) *
                 static_cast<double>(s.kv_heads * dtype_size(s.cache));
  report.operations = 2 * static_cast<double>(s.heads * (s.key_width + s.value_width)) * report.positions;
  return report;
}

}  // namespace jevons
