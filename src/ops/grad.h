// Helpers of the recorded gradients.
#pragma once
#include "ops/ops.h"

namespace jevons {

// Matrix i of a dense weight as a tensor; its gradient has the same address rule.
inline Tensor matrix(const Ctx& c, const Weight& w, int64_t i = 0) {
  JEVONS_CHECK(w.layout == Layout::rows && w.pack == (c.act() == DType::f64 ? Pack::f64 : Pack::f32),
               "training needs weights in the activation type");
  return {const_cast<std::byte*>(w.data[static_cast<size_t>(i)]), {w.rows, w.cols}, c.act(), c.device};
}

inline void add_to(Ctx& c, const Tensor& sum, const Tensor& x) { c.k().add(c.env, {sum, x, sum}); }

// Throws Error{invalid} naming the weight and both shapes.
void require_fit(bool condition, const Weight& weight, const Tensor& x);

}  // namespace jevons
