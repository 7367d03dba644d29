// Ops around a matrix: linear maps, the gated unit, the head with its loss.
#include <cstring>

#include "base/strings.h"
#include "ops/grad.h"

namespace jevons {

void require_fit(bool condition, const Weight& weight, const Tensor& x) {
  if (!condition)
    throw Error(Code::invalid, cat("the weight ", weight.name, " [", weight.rows, ", ", weight.cols,
                                   "] does not fit an input of shape ", x.shape().str()));
}

namespace {

// y = W x + bias + residual by the product whose gradient is known: the sum starts from bias or residual.
Tensor recorded_linear(Ctx& c, const Tensor& x, const Weight& weight, const Tensor& bias, const Tensor& residual) {
  const int64_t N = x.shape()[0];
  JEVONS_CHECK(!bias || !residual);
  const Tensor w = matrix(c, weight), out = c.alloc({N, weight.rows});
  if (residual) std::memcpy(out.data(), residual.data(), static_cast<size_t>(out.bytes()));
  for (int64_t n = 0; n < N && bias; ++n)
    std::memcpy(out.rows(n, 1).data(), bias.data(), static_cast<size_t>(bias.bytes()));
  c.k().gemm(c.env, {x, w, out, false, true, bias || residual});
  c.tape->record([&c, x, w, bias, residual, out] {
    const Tensor d_out = c.tape->grad(out);
    c.k().gemm(c.env, {d_out, w, c.tape->grad(x), false, false, true});
    c.k().gemm(c.env, {d_out, x, c.tape->grad(w), true, false, true});
    if (bias) c.k().column_sum(c.env, {d_out, c.tape->grad(bias)});
    if (residual) add_to(c, c.tape->grad(residual), d_out);
  });
  return out;
}

}  // namespace

Tensor linear(Ctx& c, const Tensor& x, const Weight& weight, const Tensor& bias, const Tensor& residual) {
  auto [N, D] = x.dims<2>();
  require_fit(weight.cols == D && weight.stack() == 1, weight, x);
  if (c.tape) return recorded_linear(c, x, weight, bias, residual);
  Tensor out = c.alloc({N, weight.rows});
  c.k().linear(c.env, {x, {{&weight, bias, residual, out}}});
  return out;
}

std::vector<Tensor> linear_each(Ctx& c, const Tensor& x, std::initializer_list<LinearMap> maps) {
  auto [N, D] = x.dims<2>();
  LinearArgs args{x, {}};
  std::vector<Tensor> out;
  for (const LinearMap& map : maps) {
    require_fit(map.weight.cols == D && map.weight.stack() == 1, map.weight, x);
    if (c.tape) {
      out.push_back(recorded_linear(c, x, map.weight, map.bias, {}));
      continue;
    }
    out.push_back(c.alloc({N, map.weight.rows}));
    args.maps.push_back({&map.weight, map.bias, {}, out.back()});
  }
  if (!c.tape) c.k().linear(c.env, args);
  return out;
}

Tensor head_linear(Ctx& c, const Tensor& x, const Weight& stack) {
  JEVONS_CHECK(!c.tape, "the maps per head belong to serving; training expands the latents");
  auto [N, H, D] = x.dims<3>();
  require_fit(stack.cols == D && stack.stack() == H, stack, x);
  Tensor out = c.alloc({N, H, stack.rows});
  c.k().head_linear(c.env, {x, &stack, out});
  return out;
}

Tensor glu(Ctx& c, const Tensor& x, const Weight& gate, const Weight& up) {
  auto [N, D] = x.dims<2>();
  require_fit(gate.cols == D, gate, x);
  require_fit(up.cols == D && up.rows == gate.rows, up, x);
  Tensor out = c.alloc({N, gate.rows});
  if (!c.tape) {
    c.k().glu(c.env, {x, &gate, &up, out});
    return out;
  }
  const Tensor g = recorded_linear(c, x, gate, {}, {}), u = recorded_linear(c, x, up, {}, {});
  c.k().silu_mul(c.env, {g, u, out});
  c.tape->record([&c, g, u, out] {
    c.k().silu_mul_grad(c.env, {g, u, c.tape->grad(out), c.tape->grad(g), c.tape->grad(u)});
  });
  return out;
}

std::vector<double> cross_entropy(Ctx& c, const Tensor& hidden, const Weight& head, std::span<const int32_t> target,
                                  std::span<const double> factor) {
  auto [N, D] = hidden.dims<2>();
  require_fit(head.cols == D, head, hidden);
  JEVONS_CHECK(static_cast<int64_t>(target.size()) == N && factor.size() == target.size());
  for (int32_t id : target)
    if (id < 0 || id >= head.rows)
      throw Error(Code::invalid, cat("target ", id, " is outside the vocabulary of ", head.rows, " tokens"));
  std::vector<double> loss(target.size());
  CrossEntropyArgs args{hidden, matrix(c, head), target.data(), factor.data(), loss.data(), {}, {}};
  if (c.tape) {
    // The objective's own derivative is 1, so the gradient is known at once and the logits need not be kept.
    const Tensor d_hidden = c.alloc(hidden.shape());
    args.d_hidden = d_hidden, args.d_head = c.tape->grad(args.head);
    c.tape->record([&c, hidden, d_hidden] { add_to(c, c.tape->grad(hidden), d_hidden); });
  }
  c.k().cross_entropy(c.env, args);
  return loss;
}

}  // namespace jevons
