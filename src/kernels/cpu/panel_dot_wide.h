// The packed kernels for vectors of sixteen 32-bit lanes with a byte dot product (AVX512-VNNI), written over a vector
// type V so that a test can run the same text on an emulation of the instructions. Included inside an anonymous
// namespace of jevons, with JEVONS_WIDE (function attributes) and JEVONS_WIDE_INLINE defined: panel_dot_avx512.cc,
// panel_dot_wide_test.cc.
//
// One vector is sixteen rows x four columns; a lane is an output. vpdpbusd is unsigned times signed: q8_0 codes become
// w + 128 and the sum starts at -128 sum(x); q4_0, q5_0 and q6_k offsets are start values or corrections as well.
// Registers at 12 tokens: 12 dot sums, 12 scaled sums (k-quants), a weight vector; float sums once per block.

template <Pack kPack>
struct WideTraits {
  static constexpr bool kBlock32 = kPack != Pack::q4_k && kPack != Pack::q5_k && kPack != Pack::q6_k;
  static constexpr int kBits = kPack == Pack::q8_0                                                 ? 8
                               : kPack == Pack::q6_k                                               ? 6
                               : kPack == Pack::q5_0 || kPack == Pack::q5_1 || kPack == Pack::q5_k ? 5
                                                                                                   : 4;
  static constexpr bool kMinimum = kPack == Pack::q4_1 || kPack == Pack::q5_1;
  static constexpr int kScales = kPack == Pack::q6_k ? 288 : !kBlock32 ? 320 : kMinimum ? 64 : 32;
  static constexpr int kOffsetBits = kPack == Pack::q8_0 ? 7 : kPack == Pack::q4_0 ? 3 : kPack == Pack::q5_0 ? 4 : 0;
  static constexpr int kCodeBytes = kBits == 8 ? 512 : 256 + 64 * (kBits - 4);  // per 32 columns
};
constexpr int kWideExpandedBytes = 512;  // per 32 columns: one unsigned byte a code

// Sixteen rows of step j as unsigned bytes.
template <class V, int kBits, bool kExpanded, int j>
JEVONS_WIDE_INLINE typename V::Int wide_step(const std::byte* group) {
  if constexpr (kExpanded)
    return V::load(group + 64 * j);
  else if constexpr (kBits == 8)
    return V::flip_top(V::load(group + 64 * j));
  else {
    const typename V::Int packed = V::load(group + 64 * (j / 2));
    typename V::Int code = V::and_bytes(j % 2 ? V::template shift16<-4>(packed) : packed, 15);
    if constexpr (kBits == 5) code = V::or_(code, V::and_bytes(V::template shift16<4 - j>(V::load(group + 256)), 16));
    if constexpr (kBits == 6)
      code = V::or_(code, V::and_bytes(V::template shift16<4 - 2 * (j % 4)>(V::load(group + 256 + 64 * (j / 4))), 48));
    return code;
  }
}

// sum[t] += steps [j, end) of 32 columns at x[t] + k.
template <class V, int kBits, bool kExpanded, int kTokens, int j, int end>
JEVONS_WIDE_INLINE void wide_steps(const std::byte* group, const std::byte* const* x, int64_t k,
                                   typename V::Int (&sum)[kTokens]) {
  if constexpr (j < end) {
    const typename V::Int w = wide_step<V, kBits, kExpanded, j>(group);
    JEVONS_UNROLL
    for (int t = 0; t < kTokens; ++t) sum[t] = V::dot(sum[t], w, V::broadcast(x[t] + k + 4 * j));
    wide_steps<V, kBits, kExpanded, kTokens, j + 1, end>(group, x, k, sum);
  }
}

template <class V, Pack kPack, bool kExpanded, int kTokens>
JEVONS_WIDE_INLINE void wide_blocks32(const std::byte* scales, const std::byte* codes, const QuantizedRows& layout,
                                      const std::byte* const* x, typename V::Float (&acc)[kTokens]) {
  using T = WideTraits<kPack>;
  for (int64_t b = 0; b < layout.cols / 32; ++b) {
    typename V::Int sum[kTokens];
    JEVONS_UNROLL
    for (int t = 0; t < kTokens; ++t) {
      sum[t] = V::zero();
      if constexpr (T::kOffsetBits != 0)
        sum[t] = V::sub(sum[t], V::template shift32<T::kOffsetBits>(V::broadcast(x[t] + layout.sum_at() + 4 * b)));
    }
    wide_steps<V, T::kBits, kExpanded, kTokens, 0, 8>(codes, x, 32 * b, sum);
    const typename V::Float d = V::halves(scales);
    JEVONS_UNROLL
    for (int t = 0; t < kTokens; ++t) {
      acc[t] = V::fma(V::to_float(sum[t]), V::mul(d, V::broadcast_float(x[t] + layout.scale_at() + 4 * b)), acc[t]);
      if constexpr (T::kMinimum)
        acc[t] = V::fma(V::halves(scales + 32), V::broadcast_float(x[t] + layout.scaled_sum_at() + 4 * b), acc[t]);
    }
    scales += T::kScales;
    codes += kExpanded ? kWideExpandedBytes : T::kCodeBytes;
  }
}

// sum[t] += scales times the 32 columns `g` of a block.
template <class V, Pack kPack, bool kExpanded, int kTokens>
JEVONS_WIDE_INLINE void wide_scaled32(const std::byte* scales, int64_t g, const std::byte* codes,
                                      const std::byte* const* x, int64_t k, typename V::Int (&sum)[kTokens]) {
  constexpr int kBits = WideTraits<kPack>::kBits;
  typename V::Int dot[kTokens];
  JEVONS_UNROLL
  for (int t = 0; t < kTokens; ++t) dot[t] = V::zero();
  if constexpr (kPack == Pack::q6_k) {  // a scale for every sixteen columns
    const typename V::Int pairs = V::signed_pairs(scales + 32 + 32 * g);
    wide_steps<V, kBits, kExpanded, kTokens, 0, 4>(codes, x, k, dot);
    JEVONS_UNROLL
    for (int t = 0; t < kTokens; ++t)
      sum[t] = V::add(sum[t], V::mul32(dot[t], V::low_of_pair(pairs))), dot[t] = V::zero();
    wide_steps<V, kBits, kExpanded, kTokens, 4, 8>(codes, x, k, dot);
    JEVONS_UNROLL
    for (int t = 0; t < kTokens; ++t) sum[t] = V::add(sum[t], V::mul32(dot[t], V::high_of_pair(pairs)));
  } else {
    const typename V::Int scale = V::bytes(scales + 64 + 16 * g);
    wide_steps<V, kBits, kExpanded, kTokens, 0, 8>(codes, x, k, dot);
    JEVONS_UNROLL
    for (int t = 0; t < kTokens; ++t) sum[t] = V::add(sum[t], V::mul32(dot[t], scale));
  }
}

template <class V, Pack kPack, bool kExpanded, int kTokens>
JEVONS_WIDE_INLINE void wide_blocks256(const std::byte* scales, const std::byte* codes, const QuantizedRows& layout,
                                       const std::byte* const* x, typename V::Float (&acc)[kTokens]) {
  using T = WideTraits<kPack>;
  for (int64_t b = 0; b < layout.cols / 256; ++b) {
    typename V::Int sum[kTokens];
    JEVONS_UNROLL
    for (int t = 0; t < kTokens; ++t) sum[t] = V::zero();
    for (int64_t g = 0; g < 8; ++g) {
      wide_scaled32<V, kPack, kExpanded, kTokens>(scales, g, codes, x, 256 * b + 32 * g, sum);
      codes += kExpanded ? kWideExpandedBytes : T::kCodeBytes;
    }
    JEVONS_UNROLL
    for (int t = 0; t < kTokens; ++t) {
      const typename V::Float dx = V::broadcast_float(x[t] + layout.scale_at() + 4 * b);
      typename V::Int correction = V::zero();
      if constexpr (kPack == Pack::q6_k) {
        for (int g = 0; g < 8; ++g)
          correction = V::add_pairs(correction, V::signed_pairs(scales + 32 + 32 * g),
                                    V::broadcast(x[t] + layout.sum16_at() + 32 * b + 4 * g));
        sum[t] = V::sub(sum[t], V::template shift32<5>(correction));
        acc[t] = V::fma(V::to_float(sum[t]), V::mul(V::halves(scales), dx), acc[t]);
      } else {
        for (int g = 0; g < 4; ++g)
          correction = V::add_pairs(correction, V::unsigned_pairs(scales + 192 + 32 * g),
                                    V::broadcast(x[t] + layout.sum32_at() + 16 * b + 4 * g));
        acc[t] = V::fma(V::to_float(sum[t]), V::mul(V::halves(scales), dx), acc[t]);
        acc[t] = V::negated_fma(V::to_float(correction), V::mul(V::halves(scales + 32), dx), acc[t]);
      }
    }
    scales += T::kScales;
  }
}

template <class V, Pack kPack, bool kExpanded, int kTokens>
JEVONS_WIDE void wide_tile(const std::byte* scales, const std::byte* codes, const QuantizedRows& layout,
                           const std::byte* const* x, float* out) {
  typename V::Float acc[kTokens];
  JEVONS_UNROLL
  for (int t = 0; t < kTokens; ++t) acc[t] = V::zero_float();
  if constexpr (WideTraits<kPack>::kBlock32)
    wide_blocks32<V, kPack, kExpanded, kTokens>(scales, codes, layout, x, acc);
  else
    wide_blocks256<V, kPack, kExpanded, kTokens>(scales, codes, layout, x, acc);
  JEVONS_UNROLL
  for (int t = 0; t < kTokens; ++t) V::store(out + kPanelRows * t, acc[t]);
}

template <class V, int kBits, int j = 0>
JEVONS_WIDE_INLINE void wide_expand_group(const std::byte* group, std::byte* to) {
  if constexpr (j < 8) {
    V::store_bytes(to + 64 * j, wide_step<V, kBits, false, j>(group));
    wide_expand_group<V, kBits, j + 1>(group, to);
  }
}

template <class V, int kBits>
JEVONS_WIDE void wide_expand(const std::byte* codes, int64_t cols, int code_bytes, std::byte* to) {
  for (int64_t g = 0; g < cols / 32; ++g)
    wide_expand_group<V, kBits>(codes + g * code_bytes, to + g * kWideExpandedBytes);
}

// Tokens in tiles of kTokens, then of the next smaller sizes.
template <class V, Pack kPack, bool kExpanded, int kTokens>
void wide_tokens(const std::byte* scales, const std::byte* codes, const QuantizedRows& layout,
                 const std::byte* const* x, int64_t count, float* out) {
  for (; count >= kTokens; count -= kTokens, x += kTokens, out += kTokens * kPanelRows)
    wide_tile<V, kPack, kExpanded, kTokens>(scales, codes, layout, x, out);
  if constexpr (kTokens > 1) {
    constexpr int kNext = kTokens == 12 ? 8 : kTokens / 2;
    if (count > 0) wide_tokens<V, kPack, kExpanded, kNext>(scales, codes, layout, x, count, out);
  }
}

template <class V, Pack kPack>
void wide_run(const std::byte* panel, const QuantizedRows& layout, const std::byte* const* x, int64_t count,
              float* out) {
  using T = WideTraits<kPack>;
  const std::byte* codes = panel + panel_codes_at(kPack, layout.cols);
  if (count < 12) return wide_tokens<V, kPack, false, 4>(panel, codes, layout, x, count, out);
  std::byte* expanded = panel_scratch(layout.cols / 32 * kWideExpandedBytes);
  wide_expand<V, T::kBits>(codes, layout.cols, T::kCodeBytes, expanded);
  wide_tokens<V, kPack, true, 12>(panel, expanded, layout, x, count, out);
}

template <class V>
void wide_dispatch(Pack pack, const std::byte* panel, const QuantizedRows& layout, const std::byte* const* x,
                   int64_t count, float* out) {
  switch (pack) {
    case Pack::q8_0:
      return wide_run<V, Pack::q8_0>(panel, layout, x, count, out);
    case Pack::q4_0:
      return wide_run<V, Pack::q4_0>(panel, layout, x, count, out);
    case Pack::q4_1:
      return wide_run<V, Pack::q4_1>(panel, layout, x, count, out);
    case Pack::q5_0:
      return wide_run<V, Pack::q5_0>(panel, layout, x, count, out);
    case Pack::q5_1:
      return wide_run<V, Pack::q5_1>(panel, layout, x, count, out);
    case Pack::q4_k:
      return wide_run<V, Pack::q4_k>(panel, layout, x, count, out);
    case Pack::q5_k:
      return wide_run<V, Pack::q5_k>(panel, layout, x, count, out);
    case Pack::q6_k:
      return wide_run<V, Pack::q6_k>(panel, layout, x, count, out);
    default:
      JEVONS_CHECK(false, "this pack has no panel form");
  }
}
