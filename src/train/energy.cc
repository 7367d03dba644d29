#include "train/energy.h"

#include <fstream>
#include <string>
#include <system_error>

namespace jevons {
namespace {

bool read_number(const std::filesystem::path& path, double& value) { return bool(std::ifstream(path) >> value); }

}  // namespace

EnergyMeter::EnergyMeter(const std::filesystem::path& folder) {
  for (int n = 0;; ++n) {
    const std::filesystem::path package = folder / ("intel-rapl:" + std::to_string(n));
    std::error_code failed;
    if (!std::filesystem::exists(package, failed)) return;
    Package p{package / "energy_uj"};
    if (read_number(p.counter, p.last) && read_number(package / "max_energy_range_uj", p.range)) packages_.push_back(p);
  }
}

std::optional<double> EnergyMeter::joules() {
  if (packages_.empty()) return std::nullopt;
  double sum = 0;
  for (Package& p : packages_) {
    double now = 0;
    if (!read_number(p.counter, now)) return std::nullopt;
    sum += now >= p.last ? now - p.last : now + p.range - p.last;
    p.last = now;
  }
  return sum * 1e-6;
}

}  // namespace jevons
