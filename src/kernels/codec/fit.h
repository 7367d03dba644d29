// Least-squares fits of one group of N numbers to a uniform grid. Private to the quantiser.
//
//   symmetric:  x[i] ~ scale * q[i],          q in [kLow, kHigh]
//   affine:     x[i] ~ scale * q[i] - minimum, q in [0, kHigh]
// Both minimise sum_i w[i] (x[i] - fit[i])^2. For fixed codes the best scale (and minimum) has a closed form; for a
// fixed scale the best codes are the nearest ones. A grid of starting scales around "the largest number meets the end
// of the code range" is scored exactly, then the best start is improved by alternating the two closed forms. Sums run
// in eight fixed lanes, so the result is one function of the input on every machine.
#pragma once
#include <algorithm>
#include <array>
#include <cfloat>
#include <cmath>
#include <cstring>

namespace jevons::codec {

// Four numbers at once, in the compiler's portable vector type (SSE, NEON, or plain code).
using Four = float __attribute__((vector_size(16)));

inline Four four(const float* x) {
  Four v;
  std::memcpy(&v, x, sizeof v);
  return v;
}

// Nearest integer, ties to even, for |x| < 2^22: the sum with 1.5 * 2^23 drops the fraction.
template <class V>
V nearest_int(V x) {
  return (x + 12582912.0f) - 12582912.0f;
}

// The sums over i of kSums terms; terms(i) gives the four values from i on of each.
template <int N, int kSums, class Terms>
std::array<float, kSums> lane_sums(const Terms& terms) {
  static_assert(N % 8 == 0);
  std::array<Four, kSums> even = {}, odd = {};
  for (int i = 0; i < N; i += 8) {
    const std::array<Four, kSums> first = terms(i), second = terms(i + 4);
    for (size_t k = 0; k < kSums; ++k) even[k] += first[k], odd[k] += second[k];
  }
  std::array<float, kSums> sums;
  for (size_t k = 0; k < kSums; ++k) {
    const Four lanes = even[k] + odd[k];
    sums[k] = (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]);
  }
  return sums;
}

// Codes nearest to (x + minimum) / scale; for a scale of 0 (or below the normal numbers) the code nearest 0.
template <int N>
void nearest_codes(const float* x, float scale, float minimum, float low, float high, float* q) {
  const float inverse = std::abs(scale) < FLT_MIN ? 0 : 1 / scale;
  const Four lowest = Four{} + low, highest = Four{} + high;
  for (int i = 0; i < N; i += 4) {
    Four v = (four(x + i) + minimum) * inverse;
    v = v < lowest ? lowest : v;
    v = nearest_int(v > highest ? highest : v);
    std::memcpy(q + i, &v, sizeof v);
  }
}

template <int N>
float squared_error(const float* x, const float* w, const float* q, float scale, float minimum) {
  return lane_sums<N, 1>([&](int i) {
    const Four e = scale * four(q + i) - minimum - four(x + i);
    return std::array{four(w + i) * e * e};
  })[0];
}

// The error of the best codes for a given grid; the codes are left in q.
template <int N>
float grid_error(const float* x, const float* w, float scale, float minimum, float low, float high, float* q) {
  nearest_codes<N>(x, scale, minimum, low, high, q);
  return squared_error<N>(x, w, q, scale, minimum);
}

template <int N>
float best_scale(const float* x, const float* w, const float* q) {
  const auto [qq, qx] = lane_sums<N, 2>([&](int i) {
    const Four wq = four(w + i) * four(q + i);
    return std::array{wq * four(q + i), wq * four(x + i)};
  });
  return qq > 0 ? qx / qq : 0;
}

// The number of largest magnitude, with its sign.
template <int N>
float extreme(const float* x) {
  float best = 0;
  for (int i = 0; i < N; ++i)
    if (std::abs(x[i]) > std::abs(best)) best = x[i];
  return best;
}

// kSteps starting scales to each side of each end of the code range, `step` codes apart.
template <int N, int kLow, int kHigh, int kSteps>
float fit_symmetric(const float* x, const float* w, float step) {
  const float top = extreme<N>(x);
  if (top == 0) return 0;
  float q[N], best = 0, best_error = INFINITY;
  const auto offer = [&](float start) {
    nearest_codes<N>(x, start, 0, kLow, kHigh, q);
    const float scale = best_scale<N>(x, w, q);
    if (const float e = squared_error<N>(x, w, q, scale, 0); e < best_error) best_error = e, best = scale;
  };
  for (int i = -kSteps; i <= kSteps; ++i) {
    offer(top / (kLow + step * static_cast<float>(i)));
    if (kLow != -kHigh) offer(top / (kHigh + step * static_cast<float>(i)));
  }
  for (int round = 0; round < 3; ++round) offer(best);
  return best;
}

struct Affine {
  float scale = 0, minimum = 0;
};

// The best scale and minimum for given codes; with `signed_minimum` false the minimum is at least 0.
template <int N>
Affine best_affine(const float* x, const float* w, const float* q, bool signed_minimum) {
  const auto [sw, sx, sq, sqq, sqx] = lane_sums<N, 5>([&](int i) {
    const Four wi = four(w + i), xi = four(x + i), qi = four(q + i), wq = wi * qi;
    return std::array{wi, wi * xi, wq, wq * qi, wq * xi};
  });
  const float determinant = sw * sqq - sq * sq;
  const Affine through_zero{sqq > 0 ? sqx / sqq : 0, 0};
  if (!(determinant > 0)) return signed_minimum || sx < 0 ? Affine{0, sw > 0 ? -sx / sw : 0} : through_zero;
  const float minimum = (sq * sqx - sqq * sx) / determinant;
  if (minimum < 0 && !signed_minimum) return through_zero;
  return {(sw * sqx - sx * sq) / determinant, minimum};
}

// The best minimum for given codes and scale.
template <int N>
float best_minimum(const float* x, const float* w, const float* q, float scale) {
  const auto [sw, excess] = lane_sums<N, 2>([&](int i) {
    const Four wi = four(w + i);
    return std::array{wi, wi * (scale * four(q + i) - four(x + i))};
  });
  return sw > 0 ? excess / sw : 0;
}

template <int N, int kHigh, int kSteps>
Affine fit_affine(const float* x, const float* w, float step, bool signed_minimum) {
  float low = *std::min_element(x, x + N);
  const float high = *std::max_element(x, x + N);
  if (!signed_minimum) low = std::min(low, 0.0f);
  if (high <= low) return {0, -low};
  float q[N], best_error = INFINITY;
  Affine best;
  const auto offer = [&](Affine start) {
    nearest_codes<N>(x, start.scale, start.minimum, 0, kHigh, q);
    const Affine a = best_affine<N>(x, w, q, signed_minimum);
    const float e = squared_error<N>(x, w, q, a.scale, a.minimum);
    if (a.scale > 0 && e < best_error) best_error = e, best = a;
  };
  for (int i = -kSteps; i <= kSteps; ++i) offer({(high - low) / (kHigh + step * static_cast<float>(i)), -low});
  for (int round = 0; round < 3; ++round) offer(best);
  return best;
}

}  // namespace jevons::codec
