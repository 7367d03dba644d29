// Energy that the processor packages took, from the counters of the Linux power capping framework (RAPL):
// /sys/class/powercap/intel-rapl:N/energy_uj. On most systems only root may read them; many virtual machines have none.
#pragma once
#include <filesystem>
#include <optional>
#include <vector>

namespace jevons {

class EnergyMeter {
 public:
  explicit EnergyMeter(const std::filesystem::path& folder = "/sys/class/powercap");
  // Joules since the last call (or the construction); none if the counters cannot be read.
  std::optional<double> joules();

 private:
  struct Package {
    std::filesystem::path counter;
    double last = 0, range = 0;  // microjoules; the counter begins anew above `range`
  };
  std::vector<Package> packages_;
};

}  // namespace jevons
