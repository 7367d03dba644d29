#include "ops/ops.h"

#include <cmath>
#include <cstring>

#include "base/strings.h"

namespace jevons {
namespace {

void require(bool condition, const Weight& weight, const Tensor& x) {
  if (!condition)
    throw Error(Code::invalid, cat("the weight ", weight.name, " [", weight.rows, ", ", weight.cols,
                                   "] does not fit an input of shape ", x.shape().str()));
}

}  // namespace

Tensor embed(Ctx& c, std::span<const int32_t> ids, const Weight& table) {
  for (int32_t id : ids)
    if (id < 0 || id >= table.rows)
      throw Error(Code::invalid, cat("token id ", id, " is outside the vocabulary of ", table.rows, " tokens"));
  Tensor out = c.alloc({static_cast<int64_t>(ids.size()), table.cols});
  c.k().embed(c.env, {ids.data(), &table, out});
  return out;
}

Tensor rms_norm(Ctx& c, const Tensor& x, const Tensor& weight, double eps) {
  auto [N, D] = x.dims<2>();
  if (weight.numel() != D)
    throw Error(Code::invalid, cat("a norm weight of shape ", weight.shape().str(), " does not fit ", x.shape().str()));
  Tensor out = c.alloc({N, D});
  c.k().rms_norm(c.env, {x, weight, eps, out});
  return out;
}

Tensor add(Ctx& c, const Tensor& a, const Tensor& b) {
  JEVONS_CHECK(a.shape() == b.shape());
  Tensor out = c.alloc(a.shape());
  c.k().add(c.env, {a, b, out});
  return out;
}

Tensor take_rows(Ctx& c, const Tensor& x, std::span<const int32_t> rows) {
  auto [N, D] = x.dims<2>();
  Tensor out = c.alloc({static_cast<int64_t>(rows.size()), D});
  for (size_t i = 0; i < rows.size(); ++i) {
    JEVONS_CHECK(rows[i] >= 0 && rows[i] < N);
    const Tensor from = x.rows(rows[i], 1);
    std::memcpy(out.rows(static_cast<int64_t>(i), 1).data(), from.data(), static_cast<size_t>(from.bytes()));
  }
  return out;
}

Tensor concat_columns(Ctx& c, const Tensor& a, const Tensor& b) {
  auto [N, A] = a.dims<2>();
  const int64_t B = b.dims<2>()[1], unit = dtype_size(a.dtype());
  Tensor out = c.alloc({N, A + B});
  for (int64_t n = 0; n < N; ++n) {
    auto* to = static_cast<std::byte*>(out.rows(n, 1).data());
    std::memcpy(to, a.rows(n, 1).data(), static_cast<size_t>(A * unit));
    std::memcpy(to + A * unit, b.rows(n, 1).data(), static_cast<size_t>(B * unit));
  }
  return out;
}

std::pair<Tensor, Tensor> split_columns(Ctx& c, const Tensor& x, int64_t first) {
  auto [N, D] = x.dims<2>();
  JEVONS_CHECK(first >= 0 && first <= D);
  const int64_t unit = dtype_size(x.dtype());
  Tensor a = c.alloc({N, first}), b = c.alloc({N, D - first});
  for (int64_t n = 0; n < N; ++n) {
    const auto* from = static_cast<const std::byte*>(x.rows(n, 1).data());
    std::memcpy(a.rows(n, 1).data(), from, static_cast<size_t>(first * unit));
    std::memcpy(b.rows(n, 1).data(), from + first * unit, static_cast<size_t>((D - first) * unit));
  }
  return {a, b};
}

Tensor linear(Ctx& c, const Tensor& x, const Weight& weight, const Tensor& bias, const Tensor& residual) {
  auto [N, D] = x.dims<2>();
  require(weight.cols == D && weight.stack() == 1, weight, x);
  Tensor out = c.alloc({N, weight.rows});
  c.k().linear(c.env, {x, {{&weight, bias, residual, out}}});
  return out;
}

std::vector<Tensor> linear_each(Ctx& c, const Tensor& x, std::initializer_list<LinearMap> maps) {
  auto [N, D] = x.dims<2>();
  LinearArgs args{x, {}};
  std::vector<Tensor> out;
  for (const LinearMap& map : maps) {
    require(map.weight.cols == D && map.weight.stack() == 1, map.weight, x);
    out.push_back(c.alloc({N, map.weight.rows}));
    args.maps.push_back({&map.weight, map.bias, {}, out.back()});
  }
  c.k().linear(c.env, args);
  return out;
}

Tensor head_linear(Ctx& c, const Tensor& x, const Weight& stack) {
  auto [N, H, D] = x.dims<3>();
  require(stack.cols == D && stack.stack() == H, stack, x);
  Tensor out = c.alloc({N, H, stack.rows});
  c.k().head_linear(c.env, {x, &stack, out});
  return out;
}

Tensor glu(Ctx& c, const Tensor& x, const Weight& gate, const Weight& up) {
  auto [N, D] = x.dims<2>();
  require(gate.cols == D, gate, x);
  require(up.cols == D && up.rows == gate.rows, up, x);
  Tensor out = c.alloc({N, gate.rows});
  c.k().glu(c.env, {x, &gate, &up, out});
  return out;
}

Routing route(Ctx& c, const Tensor& logits, int64_t top_k, RouteArgs rule) {
  auto [N, E] = logits.dims<2>();
  Routing out{c.env.arena.alloc({N, top_k}, DType::i32, c.device), c.alloc({N, top_k})};
  rule.logits = logits, rule.ids = out.ids, rule.weights = out.weights;
  c.k().route(c.env, rule);
  return out;
}

Tensor experts(Ctx& c, const Tensor& x, const Routing& routing, const Weight& gate, const Weight& up,
               const Weight& down) {
  auto [N, D] = x.dims<2>();
  require(gate.cols == D, gate, x);
  require(up.cols == D && up.rows == gate.rows && up.stack() == gate.stack(), up, x);
  require(down.rows == D && down.cols == gate.rows && down.stack() == gate.stack(), down, x);
  Tensor out = c.alloc({N, D});
  c.k().experts(c.env, {x, routing.ids, routing.weights, &gate, &up, &down, out});
  return out;
}

RopeTable rope_table(Ctx& c, std::span<const double> inv_freq, double magnitude) {
  const int64_t N = c.batch.tokens, pairs = static_cast<int64_t>(inv_freq.size());
  RopeTable table{c.alloc({N, pairs}), c.alloc({N, pairs})};
  const auto fill = [&]<class T>(T) {
    T* cos = table.cos.as<T>().data();
    T* sin = table.sin.as<T>().data();
    for (int64_t n = 0; n < N; ++n)
      for (int64_t i = 0; i < pairs; ++i) {
        const double angle = c.batch.position[n] * inv_freq[static_cast<size_t>(i)];
        *cos++ = static_cast<T>(magnitude * std::cos(angle));
        *sin++ = static_cast<T>(magnitude * std::sin(angle));
      }
  };
  c.act() == DType::f64 ? fill(double{}) : fill(float{});
  return table;
}

void rope(Ctx& c, const Tensor& x, const RopeTable& table, int64_t begin, bool interleaved) {
  c.k().rope(c.env, {x, table.cos, table.sin, begin, interleaved});
}

Tensor attend(Ctx& c, int64_t layer, const Tensor& q, const Tensor& k, const Tensor& v, double scale) {
  const KvLayer& cache = c.cache[static_cast<size_t>(layer)];
  auto [N, H, width] = q.dims<3>();
  JEVONS_CHECK(N == c.batch.tokens && width == cache.key_width && H % cache.heads == 0);
  c.k().kv_store(c.env, {k, v, c.batch, cache});
  Tensor out = c.alloc({N, H, cache.value_width});
  c.k().attend(c.env, {q, c.batch, cache, scale, out});
  return out;
}

}  // namespace jevons
