// Fuzz target: config.json as JSON and as a model's Config; an accepted Config must be usable by everything that takes
// one without a checkpoint, here the rotary table.
#include <cstdint>

#include "models/config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace jevons;
  const auto json = Json::parse({reinterpret_cast<const char*>(data), size});
  if (!json.ok()) return 0;
  JEVONS_CHECK(Json::parse(json->dump()).ok());
  std::vector<std::string> unknown;
  const auto config = parse_config(*json, &unknown);
  if (!config.ok()) return 0;
  if (config->rope_dim() > 4096) return 0;
  for (const double frequency : make_rope(config->rope, config->rope_dim(), config->latent()).inv_freq)
    JEVONS_CHECK(frequency >= 0 && frequency <= 1);
  return 0;
}
