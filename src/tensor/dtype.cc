#include "tensor/dtype.h"

#include <iterator>

#include "base/error.h"

namespace jevons {
namespace {

constexpr PackInfo kPacks[] = {
    {Pack::f64, "f64", 1, 8, 28},
    {Pack::f32, "f32", 1, 4, 0},
    {Pack::f16, "f16", 1, 2, 1},
    {Pack::bf16, "bf16", 1, 2, 30},
    {Pack::fp8_block128, "fp8_block128", 1, 1, -1},
    {Pack::q8_0, "q8_0", 32, 34, 8},
    {Pack::q4_0, "q4_0", 32, 18, 2},
    {Pack::q4_1, "q4_1", 32, 20, 3},
    {Pack::q5_0, "q5_0", 32, 22, 6},
    {Pack::q5_1, "q5_1", 32, 24, 7},
    {Pack::q2_k, "q2_k", 256, 84, 10},
    {Pack::q3_k, "q3_k", 256, 110, 11},
    {Pack::q4_k, "q4_k", 256, 144, 12},
    {Pack::q5_k, "q5_k", 256, 176, 13},
    {Pack::q6_k, "q6_k", 256, 210, 14},
    {Pack::iq4_nl, "iq4_nl", 32, 18, 20},
    {Pack::iq4_xs, "iq4_xs", 256, 136, 23},
};
static_assert(std::size(kPacks) == kPackCount);

}  // namespace

const PackInfo& pack_info(Pack pack) { return kPacks[static_cast<int>(pack)]; }

std::optional<Pack> pack_from_gguf(uint32_t ggml_type) {
  for (const PackInfo& info : kPacks)
    if (info.gguf == static_cast<int>(ggml_type)) return info.pack;
  return std::nullopt;
}

std::optional<Pack> pack_from_name(std::string_view name) {
  for (const PackInfo& info : kPacks)
    if (info.name == name) return info.pack;
  return std::nullopt;
}

int64_t row_bytes(Pack pack, int64_t values) {
  const PackInfo& info = pack_info(pack);
  JEVONS_CHECK(values % info.block_values == 0);
  return values / info.block_values * info.block_bytes;
}

std::string_view dtype_name(DType type) {
  constexpr std::string_view names[] = {"f64", "f32", "bf16", "f16", "f8e4m3", "i64", "i32", "i8", "u8", "bool"};
  return names[static_cast<int>(type)];
}

}  // namespace jevons
