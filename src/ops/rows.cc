// Ops that treat every row alike, without a matrix: lookup, norm, sum, selection and cutting of columns.
#include <cstring>

#include "base/strings.h"
#include "ops/grad.h"

namespace jevons {

Tensor embed(Ctx& c, std::span<const int32_t> ids, const Weight& table) {
  for (int32_t id : ids)
    if (id < 0 || id >= table.rows)
      throw Error(Code::invalid, cat("token id ", id, " is outside the vocabulary of ", table.rows, " tokens"));
  Tensor out = c.alloc({static_cast<int64_t>(ids.size()), table.cols});
  c.k().embed(c.env, {ids.data(), &table, out});
  if (c.tape)
    c.tape->record([&c, out, &table, own = std::vector<int32_t>(ids.begin(), ids.end())] {
      c.k().embed_grad(c.env, {own.data(), c.tape->grad(out), c.tape->grad(matrix(c, table))});
    });
  return out;
}

Tensor rms_norm(Ctx& c, const Tensor& x, const Tensor& weight, double eps) {
  auto [N, D] = x.dims<2>();
  if (weight.numel() != D)
    throw Error(Code::invalid, cat("a norm weight of shape ", weight.shape().str(), " does not fit ", x.shape().str()));
  Tensor out = c.alloc({N, D});
  c.k().rms_norm(c.env, {x, weight, eps, out});
  if (c.tape)
    c.tape->record([&c, x, weight, eps, out] {
      c.k().rms_norm_grad(c.env, {x, weight, eps, c.tape->grad(out), c.tape->grad(x), c.tape->grad(weight)});
    });
  return out;
}

Tensor add(Ctx& c, const Tensor& a, const Tensor& b) {
  JEVONS_CHECK(a.shape() == b.shape());
  Tensor out = c.alloc(a.shape());
  c.k().add(c.env, {a, b, out});
  if (c.tape)
    c.tape->record([&c, a, b, out] {
      add_to(c, c.tape->grad(a), c.tape->grad(out));
      add_to(c, c.tape->grad(b), c.tape->grad(out));
    });
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
  if (c.tape)
    c.tape->record([&c, x, out, own = std::vector<int32_t>(rows.begin(), rows.end())] {
      c.k().embed_grad(c.env, {own.data(), c.tape->grad(out), c.tape->grad(x)});
    });
  return out;
}

namespace {

// Both halves of the rows of `whole` to or from a [N, A] and b [N, B].
void cut_columns(const Tensor& whole, const Tensor& a, const Tensor& b, bool join) {
  const int64_t N = whole.shape()[0], unit = dtype_size(whole.dtype());
  const size_t A = static_cast<size_t>(a.shape()[1] * unit), B = static_cast<size_t>(b.shape()[1] * unit);
  for (int64_t n = 0; n < N; ++n) {
    auto* row = static_cast<std::byte*>(whole.rows(n, 1).data());
    std::memcpy(join ? row : a.rows(n, 1).data(), join ? a.rows(n, 1).data() : row, A);
    std::memcpy(join ? row + A : b.rows(n, 1).data(), join ? b.rows(n, 1).data() : row + A, B);
  }
}

}  // namespace

Tensor concat_columns(Ctx& c, const Tensor& a, const Tensor& b) {
  auto [N, A] = a.dims<2>();
  const int64_t B = b.dims<2>()[1];
  Tensor out = c.alloc({N, A + B});
  cut_columns(out, a, b, true);
  if (c.tape)
    c.tape->record([&c, a, b, out] {
      const Tensor d_a = c.alloc(a.shape()), d_b = c.alloc(b.shape());
      cut_columns(c.tape->grad(out), d_a, d_b, false);
      add_to(c, c.tape->grad(a), d_a);
      add_to(c, c.tape->grad(b), d_b);
    });
  return out;
}

std::pair<Tensor, Tensor> split_columns(Ctx& c, const Tensor& x, int64_t first) {
  auto [N, D] = x.dims<2>();
  JEVONS_CHECK(first >= 0 && first <= D);
  Tensor a = c.alloc({N, first}), b = c.alloc({N, D - first});
  cut_columns(x, a, b, false);
  if (c.tape)
    c.tape->record([&c, x, a, b] {
      const Tensor d_x = c.alloc(x.shape());
      cut_columns(d_x, c.tape->grad(a), c.tape->grad(b), true);
      add_to(c, c.tape->grad(x), d_x);
    });
  return {a, b};
}

}  // namespace jevons
