#include "kernels/cpu/isa.h"

#include <atomic>
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "base/strings.h"
#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace jevons {
namespace {

constexpr Isa kAll[] = {Isa::portable, Isa::avx2, Isa::avx512_vnni};

#if defined(__x86_64__)
bool has_f16c() {
  unsigned a, b, c, d;
  return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}
#endif

std::string supported_names() {
  std::string names;
  for (Isa isa : supported_isas()) names += cat(names.empty() ? "" : ", ", isa_name(isa));
  return names;
}

Isa initial() {
  const char* wanted = std::getenv("JEVONS_ISA");
  if (!wanted || !*wanted) return supported_isas().back();
  for (Isa isa : kAll)
    if (isa_name(isa) == wanted) {
      if (isa_supported(isa)) return isa;
      throw Error(Code::usage, cat("JEVONS_ISA=", wanted, " cannot run on this CPU; it supports ", supported_names()));
    }
  throw Error(Code::usage, cat("JEVONS_ISA=", quote(wanted),
                               " is no instruction set of this program; this CPU supports ", supported_names()));
}

std::atomic<int>& current() {
  static std::atomic<int> value{static_cast<int>(initial())};
  return value;
}

}  // namespace

std::string_view isa_name(Isa isa) {
  constexpr std::string_view names[] = {"portable", "avx2", "avx512_vnni"};
  return names[static_cast<int>(isa)];
}

bool isa_supported(Isa isa) {
  if (isa == Isa::portable) return true;
#if defined(__x86_64__)
  static const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
  static const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
                             __builtin_cpu_supports("avx512vnni");
  return isa == Isa::avx2 ? avx2 : avx512;
#else
  return false;
#endif
}

std::vector<Isa> supported_isas() {
  std::vector<Isa> out;
  for (Isa isa : kAll)
    if (isa_supported(isa)) out.push_back(isa);
  return out;
}

Isa current_isa() { return static_cast<Isa>(current().load(std::memory_order_relaxed)); }

void force_isa(Isa isa) {
  if (!isa_supported(isa))
    throw Error(Code::usage, cat(isa_name(isa), " cannot run on this CPU; it supports ", supported_names()));
  current().store(static_cast<int>(isa), std::memory_order_relaxed);
}

}  // namespace jevons
