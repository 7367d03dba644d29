// The AVX512-VNNI tier of the packed kernels: panel_dot_wide.h on real instructions.
#include <cstring>

#include "base/error.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/panel.h"
#include "kernels/cpu/panel_dot.h"

#if defined(__x86_64__)
#include <immintrin.h>

namespace jevons {
namespace {

struct Avx512 {
  using Int = __m512i;
  using Float = __m512;
#define OP JEVONS_AVX512_INLINE static
  OP Int load(const std::byte* p) { return _mm512_loadu_si512(p); }
  OP void store_bytes(std::byte* p, Int v) { _mm512_storeu_si512(p, v); }
  OP Int zero() { return _mm512_setzero_si512(); }
  OP Float zero_float() { return _mm512_setzero_ps(); }
  OP Int broadcast(const std::byte* p) {
    int32_t value;
    std::memcpy(&value, p, 4);
    return _mm512_set1_epi32(value);
  }
  OP Float broadcast_float(const std::byte* p) { return _mm512_castsi512_ps(broadcast(p)); }
  OP Int and_bytes(Int v, int mask) { return _mm512_and_si512(v, _mm512_set1_epi8(static_cast<char>(mask))); }
  OP Int or_(Int a, Int b) { return _mm512_or_si512(a, b); }
  OP Int flip_top(Int v) { return _mm512_xor_si512(v, _mm512_set1_epi8(static_cast<char>(0x80))); }
  template <int kLeft>
  OP Int shift16(Int v) {
    if constexpr (kLeft >= 0)
      return _mm512_maskz_slli_epi16(~0u, v, kLeft);
    else
      return _mm512_maskz_srli_epi16(~0u, v, -kLeft);
  }
  template <int kLeft>
  OP Int shift32(Int v) {
    return _mm512_maskz_slli_epi32(0xffff, v, kLeft);
  }
  OP Int dot(Int acc, Int w, Int x) { return _mm512_dpbusd_epi32(acc, w, x); }
  OP Int add(Int a, Int b) { return _mm512_add_epi32(a, b); }
  OP Int sub(Int a, Int b) { return _mm512_sub_epi32(a, b); }
  OP Int mul32(Int a, Int b) { return _mm512_mullo_epi32(a, b); }
  OP Int bytes(const std::byte* p) { return _mm512_maskz_cvtepu8_epi32(0xffff, load128(p)); }
  OP Int unsigned_pairs(const std::byte* p) { return _mm512_maskz_cvtepu8_epi16(~0u, load256(p)); }
  OP Int signed_pairs(const std::byte* p) { return _mm512_maskz_cvtepi8_epi16(~0u, load256(p)); }
  OP Int low_of_pair(Int v) { return _mm512_maskz_srai_epi32(0xffff, shift32<16>(v), 16); }
  OP Int high_of_pair(Int v) { return _mm512_maskz_srai_epi32(0xffff, v, 16); }
  OP Int add_pairs(Int acc, Int a, Int b) { return _mm512_dpwssd_epi32(acc, a, b); }
  OP Float to_float(Int v) { return _mm512_maskz_cvtepi32_ps(0xffff, v); }
  OP Float halves(const std::byte* p) { return _mm512_maskz_cvtph_ps(0xffff, load256(p)); }
  OP Float mul(Float a, Float b) { return _mm512_mul_ps(a, b); }
  OP Float fma(Float a, Float b, Float c) { return _mm512_fmadd_ps(a, b, c); }
  OP Float negated_fma(Float a, Float b, Float c) { return _mm512_fnmadd_ps(a, b, c); }
  OP void store(float* p, Float v) { _mm512_storeu_ps(p, v); }

 private:
  OP __m128i load128(const std::byte* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
  OP __m256i load256(const std::byte* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
#undef OP
};

#define JEVONS_WIDE JEVONS_AVX512
#define JEVONS_WIDE_INLINE JEVONS_AVX512_INLINE
#include "kernels/cpu/panel_dot_wide.h"

}  // namespace

void panel_dot_avx512(Pack pack, const std::byte* panel, const QuantizedRows& layout, const std::byte* const* x,
                      int64_t count, float* out) {
  wide_dispatch<Avx512>(pack, panel, layout, x, count, out);
}

}  // namespace jevons
#endif
