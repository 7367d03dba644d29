// Attention and its cache by the op-case harness; then what only attention promises: the bits of a row do not depend on
// how the prompt was cut, on the page size or on prefix sharing.
#include <gtest/gtest.h>

#include <memory>

#include "kernels/kv_layout.h"
#include "tensor/half.h"
#include "testing/op_case.h"

namespace jevons {
namespace {

struct Shapes {
  int64_t heads, kv_heads, key_width, value_width;
  bool latent = false;
  int64_t page_tokens = 16;
  DType dtype = DType::f16;
};

// What a cache of this type keeps of entries of `width` numbers.
void round_entries(DType dtype, int64_t width, std::vector<double>& all) {
  for (size_t first = 0; first < all.size(); ++first) {
    const float x = static_cast<float>(all[first]);
    if (dtype != DType::i8) {
      all[first] = dtype == DType::f16    ? f16_to_f32(f32_to_f16(x))
                   : dtype == DType::bf16 ? bf16_to_f32(f32_to_bf16(x))
                                          : x;
      continue;
    }
    const size_t column = first % static_cast<size_t>(width);
    if (column % 32 != 0) continue;
    const size_t end = first + std::min<size_t>(32, static_cast<size_t>(width) - column);
    double top = 0;
    for (size_t i = first; i < end; ++i) top = std::max(top, std::abs(all[i]));
    const double scale = f16_to_f32(f32_to_f16(static_cast<float>(top / 127)));
    for (size_t i = first; i < end; ++i) all[i] = std::clamp(std::nearbyint(all[i] / scale), -127.0, 127.0) * scale;
  }
}

// Some sequences whose caches are filled by kv_store of the back end in use. Pages of the sequences are interleaved.
struct Cached {
  Shapes shapes;
  std::vector<int32_t> lengths;
  std::vector<std::vector<int32_t>> tables;
  std::vector<const int32_t*> pages;
  std::vector<std::byte> key, value;
  std::vector<std::vector<double>> keys, values;  // of each sequence, [length, K, width], rounded to the cache's type
  int64_t page_count = 0;

  Cached(const Shapes& s, std::vector<int32_t> sequence_lengths) : shapes(s), lengths(std::move(sequence_lengths)) {
    tables.resize(lengths.size());
    for (int64_t p = 0, added = 1; added; ++p)
      for (size_t i = added = 0; i < lengths.size(); ++i)
        if (p * s.page_tokens < lengths[i]) tables[i].push_back(static_cast<int32_t>(page_count++)), ++added;
    for (auto& table : tables) pages.push_back(table.data());
    for (size_t i = 0; i < lengths.size(); ++i) {
      keys.push_back(random_values(100 + i, lengths[i] * s.kv_heads * s.key_width));
      values.push_back(random_values(200 + i, lengths[i] * s.kv_heads * s.value_width));
      round_entries(s.dtype, s.key_width, keys.back());
      round_entries(s.dtype, s.value_width, values.back());
    }
  }

  KvLayer layer(DType type) {
    const Shapes& s = shapes;
    const int64_t slots = page_count * s.kv_heads * s.page_tokens;
    key.assign(static_cast<size_t>(slots * kv_entry_bytes(type, s.key_width)),
               std::byte{0xff});  // NaN where nothing is
    value.assign(static_cast<size_t>(s.latent ? 0 : slots * kv_entry_bytes(type, s.value_width)), std::byte{0xff});
    return {key.data(), s.latent ? nullptr : value.data(), type, s.page_tokens, s.kv_heads, s.key_width, s.value_width};
  }
};

// The tensors of tokens [first, last) of a sequence, in f64 or f32.
struct Tokens {
  std::vector<double> wide;
  std::vector<float> narrow;
  Tensor tensor;
  Tokens(const std::vector<double>& all, int64_t first, int64_t last, int64_t heads, int64_t width, DType type) {
    wide.assign(all.begin() + first * heads * width, all.begin() + last * heads * width);
    narrow.assign(wide.begin(), wide.end());
    void* data = type == DType::f64 ? static_cast<void*>(wide.data()) : narrow.data();
    tensor = Tensor(data, Shape{last - first, heads, width}, type);
  }
};

void store(const Kernels& k, const Env& env, Cached& c, const KvLayer& layer, size_t sequence, int32_t first,
           int32_t last, DType type) {
  std::vector<int32_t> position, owner(static_cast<size_t>(last - first), static_cast<int32_t>(sequence));
  for (int32_t p = first; p < last; ++p) position.push_back(p);
  const Tokens keys(c.keys[sequence], first, last, layer.heads, layer.key_width, type);
  const Tokens values(c.values[sequence], first, last, layer.heads, layer.value_width, type);
  k.kv_store(env, {keys.tensor,
                   layer.value ? values.tensor : Tensor{},
                   {last - first, position.data(), owner.data(), c.pages.data()},
                   layer});
}

double value_of(const Cached& c, size_t sequence, int64_t j, int64_t head, int64_t i) {
  const Shapes& s = c.shapes;
  return s.latent ? c.keys[sequence][(j * s.kv_heads + head) * s.key_width + i]
                  : c.values[sequence][(j * s.kv_heads + head) * s.value_width + i];
}

struct Query {
  int32_t sequence, position;
};

// sum_j p_j |v_j| (1 + max_j sum_i |scale q_i k_ji|): rounding of a score moves its weight by as much.
std::vector<double> magnitudes(const Cached& c, const std::vector<Query>& queries, const std::vector<double>& q,
                               double scale) {
  const Shapes& s = c.shapes;
  std::vector<double> out;
  for (size_t n = 0; n < queries.size(); ++n)
    for (int64_t h = 0; h < s.heads; ++h) {
      const size_t sequence = queries[n].sequence;
      const int64_t head = h * s.kv_heads / s.heads;
      std::vector<double> p;
      double terms = 0, sum = 0;
      for (int64_t j = 0; j <= queries[n].position; ++j) {
        double dot = 0, size = 0;
        for (int64_t i = 0; i < s.key_width; ++i) {
          const double term = scale * q[(n * s.heads + h) * s.key_width + i] *
                              c.keys[sequence][(j * s.kv_heads + head) * s.key_width + i];
          dot += term, size += std::abs(term);
        }
        p.push_back(std::exp(dot)), sum += p.back(), terms = std::max(terms, size);
      }
      for (int64_t i = 0; i < s.value_width; ++i) {
        double size = 0;
        for (size_t j = 0; j < p.size(); ++j) size += p[j] / sum * std::abs(value_of(c, sequence, j, head, i));
        out.push_back(size * (1 + terms));
      }
    }
  return out;
}

OpCase attend_case(const std::string& name, const Shapes& s, const std::vector<int32_t>& lengths,
                   const std::vector<Query>& queries) {
  auto cached = std::make_shared<Cached>(s, lengths);
  const int64_t n = static_cast<int64_t>(queries.size());
  const double scale = 1 / std::sqrt(static_cast<double>(s.key_width));
  OpCase test;
  test.name = name, test.tokens = n;
  test.inputs = {{random_values(1, n * s.heads * s.key_width, 2), s.heads * s.key_width}};
  test.outputs = {{s.heads * s.value_width}};
  test.magnitude = [=, q = test.inputs[0].values] { return magnitudes(*cached, queries, q, scale); };
  test.run = [=](const OpCase::Step& step) {
    Cached& c = *cached;
    const KvLayer layer = c.layer(step.type == DType::f64 ? DType::f64 : s.dtype);
    for (size_t i = 0; i < c.lengths.size(); ++i)
      store(step.kernels, step.env, c, layer, i, 0, c.lengths[i], step.type);
    std::vector<int32_t> position, sequence;
    for (int32_t t : step.tokens) position.push_back(queries[t].position), sequence.push_back(queries[t].sequence);
    const int64_t count = static_cast<int64_t>(position.size());
    step.kernels.attend(step.env, {step.in[0].reshape({count, s.heads, s.key_width}),
                                   {count, position.data(), sequence.data(), c.pages.data()},
                                   layer,
                                   scale,
                                   step.out[0].reshape({count, s.heads, s.value_width})});
  };
  return test;
}

std::vector<Query> decode(const std::vector<int32_t>& lengths) {
  std::vector<Query> out;
  for (size_t i = 0; i < lengths.size(); ++i) out.push_back({static_cast<int32_t>(i), lengths[i] - 1});
  return out;
}

std::vector<Query> prefill(int32_t first, int32_t last) {
  std::vector<Query> out;
  for (int32_t p = first; p < last; ++p) out.push_back({0, p});
  return out;
}

TEST(Attend, DecodeOfSeveralSequences) {
  const std::vector<int32_t> lengths = {1, 255, 256, 257, 700, 33};
  EXPECT_EQ("", check(attend_case("smollm2", {9, 3, 64, 64}, lengths, decode(lengths))));
  EXPECT_EQ("", check(attend_case("f32", {4, 2, 24, 24, false, 7, DType::f32}, lengths, decode(lengths))));
  EXPECT_EQ("", check(attend_case("q8", {9, 3, 64, 64, false, 16, DType::i8}, lengths, decode(lengths))));
  EXPECT_EQ("", check(attend_case("q8 odd", {4, 2, 45, 37, false, 7, DType::i8}, lengths, decode(lengths))));
  EXPECT_EQ("", check(attend_case("bf16", {8, 1, 20, 12, false, 64, DType::bf16}, lengths, decode(lengths))));
}

TEST(Attend, Prefill) {
  EXPECT_EQ("", check(attend_case("gqa", {9, 3, 16, 16}, {300}, prefill(240, 300))));
  EXPECT_EQ("", check(attend_case("mha", {2, 2, 40, 40}, {45}, prefill(0, 45))));
  EXPECT_EQ("", check(attend_case("odd widths", {5, 1, 13, 7, false, 3, DType::f16}, {31}, prefill(0, 31))));
  EXPECT_EQ("", check(attend_case("odd f32", {7, 1, 11, 33, false, 5, DType::f32}, {31}, prefill(3, 31))));
}

TEST(Attend, LatentCacheSharedByManyHeads) {
  EXPECT_EQ("", check(attend_case("v2-lite", {16, 1, 576, 512, true, 16, DType::f16}, {300, 20}, decode({300, 20}))));
  EXPECT_EQ("", check(attend_case("v3", {128, 1, 72, 64, true, 16, DType::bf16}, {262}, prefill(258, 262))));
  EXPECT_EQ("", check(attend_case("v3, q8", {128, 1, 72, 64, true, 16, DType::i8}, {262}, prefill(258, 262))));
  EXPECT_EQ("", check(attend_case("latent, q8", {4, 1, 72, 40, true, 16, DType::i8}, {262}, prefill(261, 262))));
  EXPECT_EQ("", check(attend_case("exact", {6, 1, 44, 36, true, 16, DType::f32}, {50}, prefill(40, 50))));
}

TEST(Attend, QueriesOfOneSequenceInAnyOrder) {
  EXPECT_EQ("", check(attend_case("mixed", {6, 3, 16, 16}, {270, 90},
                                  {{0, 269}, {0, 3}, {0, 256}, {1, 80}, {1, 2}, {0, 255}, {0, 0}})));
}

// The prompt in one step, and cut into chunks: attention of a chunk sees only what was stored so far.
TEST(Attend, BitsDoNotDependOnCutsOrPages) {
  const int32_t length = 530;
  std::vector<std::vector<float>> results;
  Exec exec(2);
  Arena arena;
  const Env env{exec, arena};
  for (const int64_t page_tokens : {16, 256, 5})
    for (const int32_t cut : {530, 256, 100, 37}) {
      Cached c({6, 2, 32, 32, false, page_tokens}, {length});
      const KvLayer layer = c.layer(DType::f16);
      const std::vector<double> queries = random_values(5, length * 6 * 32);
      std::vector<float> out(length * 6 * 32);
      for (int32_t first = 0; first < length; first += cut) {
        const int32_t last = std::min(length, first + cut);
        store(kernels(DeviceKind::cpu), env, c, layer, 0, first, last, DType::f32);
        const Tokens q(queries, first, last, 6, 32, DType::f32);
        std::vector<int32_t> position, sequence(last - first, 0);
        for (int32_t p = first; p < last; ++p) position.push_back(p);
        kernels(DeviceKind::cpu)
            .attend(env, {q.tensor,
                          {last - first, position.data(), sequence.data(), c.pages.data()},
                          layer,
                          0.2,
                          Tensor(out.data() + first * 6 * 32, Shape{last - first, 6, 32}, DType::f32)});
      }
      results.push_back(out);
      ASSERT_EQ(0, std::memcmp(out.data(), results[0].data(), out.size() * 4)) << page_tokens << " " << cut;
    }
}

// Two sequences that share pages: the same bits as with copies of their own.
TEST(Attend, SharedPrefix) {
  Cached c({6, 2, 32, 32, false, 16}, {320, 320});
  c.keys[1] = c.keys[0], c.values[1] = c.values[0];
  const KvLayer layer = c.layer(DType::f16);
  Exec exec(2);
  Arena arena;
  const Env env{exec, arena};
  for (size_t i = 0; i < 2; ++i) store(kernels(DeviceKind::cpu), env, c, layer, i, 0, 320, DType::f32);
  const auto run = [&] {
    const std::vector<double> row = random_values(5, 6 * 32);
    std::vector<float> q(row.begin(), row.end()), out(2 * 6 * 32);
    q.insert(q.end(), row.begin(), row.end());
    const int32_t position[] = {319, 319}, sequence[] = {0, 1};
    kernels(DeviceKind::cpu)
        .attend(env, {Tensor(q.data(), Shape{2, 6, 32}, DType::f32),
                      {2, position, sequence, c.pages.data()},
                      layer,
                      0.2,
                      Tensor(out.data(), Shape{2, 6, 32}, DType::f32)});
    return out;
  };
  const std::vector<float> apart = run();
  std::copy_n(c.tables[0].begin(), 12, c.tables[1].begin());
  EXPECT_EQ(0, std::memcmp(run().data(), apart.data(), apart.size() * 4));
  EXPECT_EQ(0, std::memcmp(apart.data(), apart.data() + 6 * 32, 6 * 32 * 4));
}

// A position that a query may not see has no effect, not even as NaN or infinity.
TEST(Attend, LaterPositionsHaveNoEffect) {
  Cached c({3, 3, 16, 16}, {40});
  const KvLayer layer = c.layer(DType::f16);
  Exec exec(1);
  Arena arena;
  const Env env{exec, arena};
  for (size_t i = 0; i < 16 * 3; ++i) c.values[0][20 * 3 * 16 + i] = INFINITY, c.keys[0][20 * 3 * 16 + i] = NAN;
  store(kernels(DeviceKind::cpu), env, c, layer, 0, 0, 40, DType::f32);
  const Tokens q(random_values(5, 21 * 3 * 16), 0, 21, 3, 16, DType::f32);
  std::vector<int32_t> position, sequence(21, 0);
  for (int32_t p = 0; p < 21; ++p) position.push_back(p);
  std::vector<float> out(21 * 3 * 16);
  kernels(DeviceKind::cpu)
      .attend(env, {q.tensor,
                    {21, position.data(), sequence.data(), c.pages.data()},
                    layer,
                    0.2,
                    Tensor(out.data(), Shape{21, 3, 16}, DType::f32)});
  for (size_t i = 0; i < 20 * 3 * 16; ++i) ASSERT_TRUE(std::isfinite(out[i])) << i;
  for (size_t i = 20 * 3 * 16; i < out.size(); ++i) ASSERT_TRUE(std::isnan(out[i])) << i;
}

// ref against the formula written out: weights exp(scale q . k) of all positions, divided by their sum, times values.
TEST(Composite, RefAttendIsSoftmaxTimesValues) {
  for (const bool latent : {false, true}) {
    Cached c({4, 2, 6, 5, latent, 3, DType::f32}, {11, 8});
    const KvLayer layer = c.layer(DType::f64);
    Exec exec(1);
    Arena arena;
    const Env env{exec, arena};
    for (size_t i = 0; i < 2; ++i) store(kernels(DeviceKind::ref), env, c, layer, i, 0, c.lengths[i], DType::f64);
    const std::vector<double> q = random_values(5, 2 * 4 * 6);
    const Tokens query(q, 0, 2, 4, 6, DType::f64);
    const int32_t position[] = {7, 10}, sequence[] = {1, 0};
    std::vector<double> out(2 * 4 * 5);
    ref::attend(env, {query.tensor,
                      {2, position, sequence, c.pages.data()},
                      layer,
                      0.4,
                      Tensor(out.data(), Shape{2, 4, 5}, DType::f64)});
    for (int64_t row = 0; row < 8; ++row) {
      const size_t s = sequence[row / 4];
      std::vector<double> want(5);
      double sum = 0;
      for (int64_t j = 0; j <= position[row / 4]; ++j) {
        double dot = 0;
        for (int64_t i = 0; i < 6; ++i) dot += q[row * 6 + i] * c.keys[s][(j * 2 + row % 4 / 2) * 6 + i];
        sum += std::exp(0.4 * dot);
        for (int64_t i = 0; i < 5; ++i) want[i] += std::exp(0.4 * dot) * value_of(c, s, j, row % 4 / 2, i);
      }
      for (int64_t i = 0; i < 5; ++i) EXPECT_NEAR(out[row * 5 + i], want[i] / sum, 1e-14);
    }
  }
}

TEST(KvStore, RoundsToTheCache) {
  for (const DType dtype : {DType::f32, DType::f16, DType::bf16, DType::i8})
    for (const Isa isa : supported_isas()) {
      const Isa before = current_isa();
      force_isa(isa);
      Cached c({2, 2, 13, 19, false, 4, DType::f32}, {11});
      const KvLayer layer = c.layer(dtype);
      Exec exec(2);
      Arena arena;
      store(kernels(DeviceKind::cpu), {exec, arena}, c, layer, 0, 0, 11, DType::f32);
      force_isa(before);
      std::vector<double> keys = c.keys[0], values = c.values[0];
      round_entries(dtype, 13, keys), round_entries(dtype, 19, values);
      for (int64_t p = 0; p < 11; ++p)
        for (int64_t h = 0; h < 2; ++h) {
          const int64_t page = c.tables[0][p / 4];
          const int64_t slot = (page * 2 + h) * 4 + p % 4;
          float key[13], value[19];
          kv_widen(dtype, layer.key + slot * kv_entry_bytes(dtype, 13), 13, 13, key);
          kv_widen(dtype, layer.value + slot * kv_entry_bytes(dtype, 19), 19, 19, value);
          for (int64_t i = 0; i < 13; ++i) ASSERT_EQ(key[i], static_cast<float>(keys[(p * 2 + h) * 13 + i]));
          for (int64_t i = 0; i < 19; ++i) ASSERT_EQ(value[i], static_cast<float>(values[(p * 2 + h) * 19 + i]));
        }
    }
}

TEST(Attend, RefusesBadArguments) {
  Cached c({4, 2, 8, 8}, {3});
  KvLayer layer = c.layer(DType::f16);
  Exec exec(1);
  Arena arena;
  const Env env{exec, arena};
  std::vector<float> q(3 * 8), out(3 * 8);
  const int32_t position[] = {0}, sequence[] = {0};
  const AttendArgs args{Tensor(q.data(), Shape{1, 3, 8}, DType::f32),
                        {1, position, sequence, c.pages.data()},
                        layer,
                        1,
                        Tensor(out.data(), Shape{1, 3, 8}, DType::f32)};
  EXPECT_THROW(cpu::attend(env, args), Error);  // 2 kv heads do not divide 3
  AttendArgs wide = args;
  wide.cache.dtype = DType::f64;
  wide.q = Tensor(q.data(), Shape{1, 2, 8}, DType::f32), wide.out = Tensor(out.data(), Shape{1, 2, 8}, DType::f32);
  EXPECT_THROW(cpu::attend(env, wide), Error);
}

}  // namespace
}  // namespace jevons
