// Philox4x32-10: random numbers that are a function of (seed, position), so a draw does not depend on what ran before.
// Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011, algorithm and constants of table 2.
#pragma once
#include <array>
#include <cstdint>

namespace jevons {

inline std::array<uint32_t, 4> philox(uint64_t seed, uint64_t position, uint64_t stream = 0) {
  std::array<uint32_t, 4> c = {static_cast<uint32_t>(position), static_cast<uint32_t>(position >> 32),
                               static_cast<uint32_t>(stream), static_cast<uint32_t>(stream >> 32)};
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53} * c[0], p1 = uint64_t{0xCD9E8D57} * c[2];
    c = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ k0, static_cast<uint32_t>(p1),
         static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ k1, static_cast<uint32_t>(p0)};
    k0 += 0x9E3779B9, k1 += 0xBB67AE85;
  }
  return c;
}

// Uniform in [0, 1), 53 bits.
inline double uniform(uint64_t seed, uint64_t position, uint64_t stream = 0) {
  const auto r = philox(seed, position, stream);
  return static_cast<double>((uint64_t{r[0]} << 21) ^ (r[1] >> 11)) * 0x1p-53;
}

}  // namespace jevons
