// Element types of tensors, and the storage formats ("packs") of weights.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

namespace jevons {

enum class DType : uint8_t { f64, f32, bf16, f16, f8e4m3, i64, i32, i8, u8, boolean };

constexpr int64_t dtype_size(DType type) {
  switch (type) {
    case DType::f64:
    case DType::i64:
      return 8;
    case DType::f32:
    case DType::i32:
      return 4;
    case DType::bf16:
    case DType::f16:
      return 2;
    default:
      return 1;
  }
}
std::string_view dtype_name(DType type);

// How the numbers of a weight are stored, block by block along a row. Layouts are those of GGUF (llama.cpp's ggml),
// except fp8_block128: E4M3 bytes with one f32 scale per 128x128 block, as DeepSeek-V3 publishes them.
enum class Pack : uint8_t {
  f64,
  f32,
  f16,
  bf16,
  fp8_block128,
  q8_0,
  q4_0,
  q4_1,
  q5_0,
  q5_1,
  q2_k,
  q3_k,
  q4_k,
  q5_k,
  q6_k,
  iq4_nl,
  iq4_xs,
};

// The one table that knows block sizes. `gguf` is ggml's type number, -1 where GGUF has none.
struct PackInfo {
  Pack pack;
  std::string_view name;
  int block_values;  // numbers per block
  int block_bytes;   // bytes per block
  int gguf;
};
const PackInfo& pack_info(Pack pack);
std::optional<Pack> pack_from_gguf(uint32_t ggml_type);
std::optional<Pack> pack_from_name(std::string_view name);
constexpr int kPackCount = static_cast<int>(Pack::iq4_xs) + 1;

// Bytes of a row of `values` numbers; the number must be a multiple of the block (checked).
int64_t row_bytes(Pack pack, int64_t values);

}  // namespace jevons
