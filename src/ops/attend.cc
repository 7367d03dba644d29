// Sequence ops: rotary positions and attention, the only ops that look at the batch and the caches.
#include <cmath>
#include <cstring>

#include "ops/grad.h"

namespace jevons {

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

// The gradient turns back: the transposed rotation is the rotation by the opposite angle.
void rope(Ctx& c, const Tensor& x, const RopeTable& table, int64_t begin, bool interleaved) {
  c.k().rope(c.env, {x, table.cos, table.sin, begin, interleaved});
  if (!c.tape) return;
  c.tape->record([&c, x, table, begin, interleaved] {
    const Tensor back = c.alloc(table.sin.shape());
    const auto negate = [&]<class T>(T) {
      for (size_t i = 0; i < back.as<T>().size(); ++i) back.as<T>()[i] = -table.sin.as<T>()[i];
    };
    c.act() == DType::f64 ? negate(double{}) : negate(float{});
    c.k().rope(c.env, {c.tape->grad(x), table.cos, back, begin, interleaved});
  });
}

Tensor attend(Ctx& c, int64_t layer, const Tensor& q, const Tensor& k, const Tensor& v, double scale) {
  auto [N, H, width] = q.dims<3>();
  if (c.cache.empty()) {
    const AttendDocumentsArgs args{q, k, v, c.batch.position, scale, c.alloc({N, H, v.shape()[2]}), c.alloc({N, H})};
    JEVONS_CHECK(N == c.batch.tokens && width == k.shape()[2] && H % k.shape()[1] == 0);
    c.k().attend_documents(c.env, args);
    if (c.tape)
      c.tape->record([&c, args] {
        c.k().attend_documents_grad(
            c.env, {args, c.tape->grad(args.out), c.tape->grad(args.q), c.tape->grad(args.k), c.tape->grad(args.v)});
      });
    return args.out;
  }
  const KvLayer& cache = c.cache[static_cast<size_t>(layer)];
  JEVONS_CHECK(N == c.batch.tokens && width == cache.key_width && H % cache.heads == 0);
  c.k().kv_store(c.env, {k, v, c.batch, cache});
  Tensor out = c.alloc({N, H, cache.value_width});
  c.k().attend(c.env, {q, c.batch, cache, scale, out});
  return out;
}

namespace {

template <class T>
void copy_heads(const Env& env, const Tensor& kv, const Tensor& key_rope, int64_t nope, const Tensor& key,
                const Tensor& value) {
  auto [N, H, width] = kv.dims<3>();
  const int64_t rope_dim = key_rope.shape()[1], Dv = width - nope;
  env.exec.parallel_for(N, [&, H = H, width = width](int64_t n) {
    for (int64_t h = n * H; h < (n + 1) * H; ++h) {
      const T* from = kv.as<T>().data() + h * width;
      T* to = key.as<T>().data() + h * (nope + rope_dim);
      std::copy_n(from, nope, to);
      std::copy_n(key_rope.as<T>().data() + n * rope_dim, rope_dim, to + nope);
      std::copy_n(from + nope, Dv, value.as<T>().data() + h * Dv);
    }
  });
}

// The transposition of copy_heads: what was copied is added.
template <class T>
void add_heads(const Env& env, const Tensor& d_kv, const Tensor& d_key_rope, int64_t nope, const Tensor& d_key,
               const Tensor& d_value) {
  auto [N, H, width] = d_kv.dims<3>();
  const int64_t rope_dim = d_key_rope.shape()[1], Dv = width - nope;
  env.exec.parallel_for(N, [&, H = H, width = width](int64_t n) {
    T* shared = d_key_rope.as<T>().data() + n * rope_dim;
    for (int64_t h = n * H; h < (n + 1) * H; ++h) {
      T* to = d_kv.as<T>().data() + h * width;
      const T *key = d_key.as<T>().data() + h * (nope + rope_dim), *value = d_value.as<T>().data() + h * Dv;
      for (int64_t i = 0; i < nope; ++i) to[i] += key[i];
      for (int64_t i = 0; i < rope_dim; ++i) shared[i] += key[nope + i];
      for (int64_t i = 0; i < Dv; ++i) to[nope + i] += value[i];
    }
  });
}

}  // namespace

std::pair<Tensor, Tensor> expand_heads(Ctx& c, const Tensor& kv, const Tensor& key_rope, int64_t nope) {
  auto [N, H, width] = kv.dims<3>();
  const bool wide = c.act() == DType::f64;
  const Tensor key = c.alloc({N, H, nope + key_rope.dims<2>()[1]}), value = c.alloc({N, H, width - nope});
  (wide ? copy_heads<double> : copy_heads<float>)(c.env, kv, key_rope, nope, key, value);
  if (c.tape)
    c.tape->record([&c, kv, key_rope, nope, key, value, wide] {
      (wide ? add_heads<double> : add_heads<float>)(c.env, c.tape->grad(kv), c.tape->grad(key_rope), nope,
                                                    c.tape->grad(key), c.tape->grad(value));
    });
  return {key, value};
}

}  // namespace jevons
