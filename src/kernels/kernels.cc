#include "kernels/kernels.h"

namespace jevons {

const Kernels& kernels(DeviceKind device) {
#define K(name, Args) ref::name,
  static constexpr Kernels kRef = {JEVONS_KERNELS(K)};
#undef K
#define K(name, Args) cpu::name,
  static constexpr Kernels kCpu = {JEVONS_KERNELS(K)};
#undef K
  if (device == DeviceKind::ref) return kRef;
  JEVONS_CHECK(device == DeviceKind::cpu, "this build has no CUDA back end");
  return kCpu;
}

}  // namespace jevons
