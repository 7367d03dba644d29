// The instruction-set tiers of the cpu kernels and which one is in use. Every tier gives the same bits (kernels.h), so
// the choice is one of speed. The tier in use is the best that this CPU and its system support, unless the environment
// variable JEVONS_ISA names another; a tier that cannot run here, or an unknown name, is an Error{usage}.
#pragma once
#include <string_view>
#include <vector>

namespace jevons {

enum class Isa {
  portable,     // plain C++: SSE2 x86-64, aarch64
  avx2,         // AVX2, FMA, F16C
  avx512_vnni,  // and AVX-512 F, BW, VL, VNNI
};

std::string_view isa_name(Isa isa);
bool isa_supported(Isa isa);
std::vector<Isa> supported_isas();  // portable first

Isa current_isa();
// For tests and benchmarks; throws if `isa` cannot run here. Not while a kernel is running.
void force_isa(Isa isa);

}  // namespace jevons

#if defined(__x86_64__)
#define JEVONS_AVX2 __attribute__((target("avx2,fma,f16c")))
#define JEVONS_AVX2_INLINE __attribute__((target("avx2,fma,f16c"), always_inline)) inline
#define JEVONS_AVX512 __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")))
#define JEVONS_AVX512_INLINE \
  __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni"), always_inline)) inline
#endif
#if defined(__clang__)
#define JEVONS_UNROLL _Pragma("unroll")
#else
#define JEVONS_UNROLL _Pragma("GCC unroll 16")
#endif
