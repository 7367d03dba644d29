#include "nn/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "kernels/kv_layout.h"

namespace jevons {

void Gqa::params(ParamVisitor& visitor, const std::string& prefix) {
  visitor.weight(prefix + "q_proj.weight", q, heads * head_dim, width);
  visitor.weight(prefix + "k_proj.weight", k, kv_heads * head_dim, width);
  visitor.weight(prefix + "v_proj.weight", v, kv_heads * head_dim, width);
  visitor.weight(prefix + "o_proj.weight", o, width, heads * head_dim);
  if (has_bias) {
    visitor.vector(prefix + "q_proj.bias", q_bias, heads * head_dim);
    visitor.vector(prefix + "k_proj.bias", k_bias, kv_heads * head_dim);
    visitor.vector(prefix + "v_proj.bias", v_bias, kv_heads * head_dim);
  }
  if (has_qk_norm) {
    visitor.vector(prefix + "q_norm.weight", q_norm, head_dim);
    visitor.vector(prefix + "k_norm.weight", k_norm, head_dim);
  }
}

Tensor Gqa::operator()(Ctx& c, int64_t layer, const Tensor& x, const Tensor& residual, const RopeTable& table,
                       const Rope&) const {
  const int64_t N = x.shape()[0];
  std::vector<Tensor> qkv = linear_each(c, x, {{q, q_bias}, {k, k_bias}, {v, v_bias}});
  if (has_qk_norm) {
    qkv[0] = rms_norm(c, qkv[0].reshape({N * heads, head_dim}), q_norm, eps);
    qkv[1] = rms_norm(c, qkv[1].reshape({N * kv_heads, head_dim}), k_norm, eps);
  }
  const Tensor query = qkv[0].reshape({N, heads, head_dim}), key = qkv[1].reshape({N, kv_heads, head_dim});
  rope(c, query, table, 0, interleaved);
  rope(c, key, table, 0, interleaved);
  const Tensor mixed = attend(c, layer, query, key, qkv[2].reshape({N, kv_heads, head_dim}),
                              1 / std::sqrt(static_cast<double>(head_dim)));
  return linear(c, mixed.reshape({N, heads * head_dim}), o, {}, residual);
}

void Mla::params(ParamVisitor& visitor, const std::string& prefix) {
  const int64_t q_rows = heads * (nope_dim + rope_dim);
  if (q_rank > 0) {
    visitor.weight(prefix + "q_a_proj.weight", q_down, q_rank, width);
    visitor.vector(prefix + "q_a_layernorm.weight", q_norm, q_rank);
    visitor.weight(prefix + "q_b_proj.weight", q_up, q_rows, q_rank);
  } else {
    visitor.weight(prefix + "q_proj.weight", q, q_rows, width);
  }
  visitor.weight(prefix + "kv_a_proj_with_mqa.weight", kv_down, rank + rope_dim, width);
  visitor.vector(prefix + "kv_a_layernorm.weight", kv_norm, rank);
  visitor.kv_up(prefix + "kv_b_proj.weight", up, heads, nope_dim, value_dim, rank);
  visitor.weight(prefix + "o_proj.weight", o, width, heads * value_dim);
}

Tensor Mla::operator()(Ctx& c, int64_t layer, const Tensor& x, const Tensor& residual, const RopeTable& table,
                       const Rope& rotary) const {
  const int64_t N = x.shape()[0], q_dim = nope_dim + rope_dim;
  std::vector<Tensor> down =
      q_rank > 0 ? linear_each(c, x, {{q_down, {}}, {kv_down, {}}}) : linear_each(c, x, {{q, {}}, {kv_down, {}}});
  if (q_rank > 0) down[0] = linear(c, rms_norm(c, down[0], q_norm, eps), q_up);
  const Tensor query = down[0].reshape({N, heads, q_dim});
  rope(c, query, table, nope_dim, interleaved);

  auto [latent, key_rope] = split_columns(c, down[1], rank);
  rope(c, key_rope.reshape({N, 1, rope_dim}), table, 0, interleaved);
  latent = rms_norm(c, latent, kv_norm, eps);
  const double scale = rotary.score_factor / std::sqrt(static_cast<double>(q_dim));
  Tensor mixed;
  if (c.cache.empty()) {
    mixed = attend_batch(c, layer, query, latent, key_rope, scale);
  } else {
    const Tensor entry = concat_columns(c, latent, key_rope).reshape({N, 1, rank + rope_dim});
    mixed = expanded ? attend_expanded(c, layer, query, entry, scale) : attend_absorbed(c, layer, query, entry, scale);
  }
  return linear(c, mixed.reshape({N, heads * value_dim}), o, {}, residual);
}

// Training: keys and values of the batch's own tokens, no cache.
Tensor Mla::attend_batch(Ctx& c, int64_t layer, const Tensor& query, const Tensor& latent, const Tensor& key_rope,
                         double scale) const {
  const Tensor kv = linear(c, latent, up.whole).reshape({latent.shape()[0], heads, nope_dim + value_dim});
  auto [key, value] = expand_heads(c, kv, key_rope, nope_dim);
  return attend(c, layer, query, key, value, scale);
}

// score = (k_transposed q_nope) . c_kv + q_R . k_R;  z = sum p c_kv;  out = v z.
Tensor Mla::attend_absorbed(Ctx& c, int64_t layer, const Tensor& query, const Tensor& entry, double scale) const {
  const int64_t N = query.shape()[0];
  auto [nope, rotated] = split_columns(c, query.reshape({N * heads, nope_dim + rope_dim}), nope_dim);
  const Tensor inner = head_linear(c, nope.reshape({N, heads, nope_dim}), up.k_transposed);
  const Tensor wide = concat_columns(c, inner.reshape({N * heads, rank}), rotated).reshape({N, heads, rank + rope_dim});
  return head_linear(c, attend(c, layer, wide, entry, {}, scale), up.v);
}

namespace {

// The cached entries of positions 0 .. count-1 of one sequence as activations [count, width].
Tensor gather_entries(Ctx& c, const KvLayer& cache, const int32_t* pages, int64_t count) {
  const int64_t width = cache.key_width, row = kv_entry_bytes(cache.dtype, width);
  Tensor out = c.alloc({count, width});
  for (int64_t p = 0; p < count; ++p) {
    const std::byte* from =
        cache.key + (pages[p / cache.page_tokens] * cache.page_tokens + p % cache.page_tokens) * row;
    if (cache.dtype == DType::f64)
      std::memcpy(out.rows(p, 1).data(), from, static_cast<size_t>(row));
    else
      kv_widen(cache.dtype, from, width, width, out.rows(p, 1).as<float>().data());
  }
  return out;
}

}  // namespace

// Sequence by sequence: rebuild keys and values of its whole context in one temporary page, then attend over that.
Tensor Mla::attend_expanded(Ctx& c, int64_t layer, const Tensor& query, const Tensor& entry, double scale) const {
  const KvLayer& cache = c.cache[static_cast<size_t>(layer)];
  const BatchView batch = c.batch;
  const int64_t N = batch.tokens, q_dim = nope_dim + rope_dim;
  c.k().kv_store(c.env, {entry, {}, batch, cache});
  Tensor out = c.alloc({N, heads, value_dim});
  for (int64_t first = 0; first < N;) {
    const int32_t sequence = batch.sequence[first];
    int64_t end = first, count = 0;
    while (end < N && batch.sequence[end] == sequence) count = std::max<int64_t>(count, batch.position[end++] + 1);

    const Tensor entries = gather_entries(c, cache, batch.pages[sequence], count);
    auto [latent, key_rope] = split_columns(c, entries, rank);
    Tensor by_head = c.alloc({count, heads, rank});
    for (int64_t p = 0; p < count; ++p)
      for (int64_t h = 0; h < heads; ++h)
        std::memcpy(by_head.rows(p, 1).reshape({heads, rank}).rows(h, 1).data(), latent.rows(p, 1).data(),
                    static_cast<size_t>(latent.rows(p, 1).bytes()));
    const Tensor key_nope = head_linear(c, by_head, up.k), value = head_linear(c, by_head, up.v);
    Tensor key_rope_by_head = c.alloc({count * heads, rope_dim});
    for (int64_t i = 0; i < count * heads; ++i)
      std::memcpy(key_rope_by_head.rows(i, 1).data(), key_rope.rows(i / heads, 1).data(),
                  static_cast<size_t>(key_rope.rows(0, 1).bytes()));
    const Tensor key =
        concat_columns(c, key_nope.reshape({count * heads, nope_dim}), key_rope_by_head).reshape({count, heads, q_dim});

    std::vector<int32_t> position(static_cast<size_t>(count)), zero(static_cast<size_t>(count), 0);
    for (int64_t p = 0; p < count; ++p) position[static_cast<size_t>(p)] = static_cast<int32_t>(p);
    const int32_t only_page = 0;
    const int32_t* const pages[] = {&only_page};
    KvLayer whole{nullptr, nullptr, c.act(), count, heads, q_dim, value_dim};
    whole.key = static_cast<std::byte*>(c.env.arena.alloc_bytes(key.bytes()));
    whole.value = static_cast<std::byte*>(c.env.arena.alloc_bytes(value.bytes()));
    c.k().kv_store(c.env, {key, value, {count, position.data(), zero.data(), pages}, whole});
    c.k().attend(c.env, {query.rows(first, end - first),
                         {end - first, batch.position + first, zero.data(), pages},
                         whole,
                         scale,
                         out.rows(first, end - first)});
    first = end;
  }
  return out;
}

}  // namespace jevons
