#include "kernels/checks.h"
#include "kernels/cpu/rows.h"

namespace jevons::cpu {
namespace {

void rotate_interleaved(float* x, const float* cos, const float* sin, int64_t pairs) {
  for (int64_t i = 0; i < pairs; ++i) {
    const float a = x[2 * i], b = x[2 * i + 1];
    x[2 * i] = a * cos[i] - b * sin[i], x[2 * i + 1] = a * sin[i] + b * cos[i];
  }
}

void rotate_halves(float* __restrict first, float* __restrict second, const float* cos, const float* sin,
                   int64_t pairs) {
  for (int64_t i = 0; i < pairs; ++i) {
    const float a = first[i], b = second[i];
    first[i] = a * cos[i] - b * sin[i], second[i] = a * sin[i] + b * cos[i];
  }
}

}  // namespace

void rope(const Env& env, const RopeArgs& args) {
  check_rope(args);
  const auto [tokens, heads, width] = args.x.dims<3>();
  const int64_t pairs = args.cos.dims<2>()[1];
  const float *cos = args.cos.as<float>().data(), *sin = args.sin.as<float>().data();
  float* x = args.x.as<float>().data();
  for_rows(env, tokens, 2 * heads * pairs, [&, h = heads, w = width](int64_t begin, int64_t end) {
    for (int64_t row = begin * h; row < end * h; ++row) {
      float* head = x + row * w + args.begin;
      const float *c = cos + row / h * pairs, *s = sin + row / h * pairs;
      if (args.interleaved)
        rotate_interleaved(head, c, s, pairs);
      else
        rotate_halves(head, head + pairs, c, s, pairs);
    }
  });
}

}  // namespace jevons::cpu
