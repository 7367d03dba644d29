// Elementary functions by number type.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "kernels/cpu/math.h"

namespace jevons {

inline double exp_of(double x) { return std::exp(x); }
inline float exp_of(float x) { return exp_f32(x); }

template <class T>
T sigmoid(T x) {
  return T{1} / (T{1} + exp_of(-x));
}

}  // namespace jevons
