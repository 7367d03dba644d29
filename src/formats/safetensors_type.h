// The dtypes of the safetensors format: the one table of its reader and its writer.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "tensor/dtype.h"

namespace jevons {

struct SafetensorsType {
  std::string_view name;
  int64_t size;              // bytes of one element
  std::optional<Pack> pack;  // none: not a weight that this program computes with
};

inline constexpr SafetensorsType kSafetensorsTypes[] = {
    {"F64", 8, Pack::f64},
    {"F32", 4, Pack::f32},
    {"F16", 2, Pack::f16},
    {"BF16", 2, Pack::bf16},
    {"F8_E4M3", 1, Pack::fp8_block128},
    {"F8_E5M2", 1, {}},
    {"I64", 8, {}},
    {"I32", 4, {}},
    {"I16", 2, {}},
    {"I8", 1, {}},
    {"U64", 8, {}},
    {"U32", 4, {}},
    {"U16", 2, {}},
    {"U8", 1, {}},
    {"BOOL", 1, {}},
};

inline const SafetensorsType* safetensors_type(std::string_view name) {
  for (const SafetensorsType& type : kSafetensorsTypes)
    if (type.name == name) return &type;
  return nullptr;
}

// The format's word for a pack; empty if it has none (block formats).
inline std::string_view safetensors_name(Pack pack) {
  for (const SafetensorsType& type : kSafetensorsTypes)
    if (type.pack == pack) return type.name;
  return {};
}

}  // namespace jevons
