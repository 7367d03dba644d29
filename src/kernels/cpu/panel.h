// Panels: quantised weights rearranged for the cpu kernels. A panel is sixteen rows with all their columns; rows behind
// the end of the weight are zero. Four consecutive columns of one row fill a 32-bit lane, so a 64-byte vector is
// 16 rows x 4 columns and a lane is an output: no horizontal sums, any number of columns that is a multiple of the
// block.
//
//   panel = scales of every block, padded to 64 bytes | codes of every 32 columns
//
// codes (unsigned but for q8_0), per 32 columns = 8 steps j of 4 columns:
//   8 bits: vector j = step j
//   4 bits: vector j (of 4): low nibbles step 2j, high nibbles step 2j + 1
//   5 bits: as 4, then one vector whose bit j is the fifth bit of step j
//   6 bits: as 4, then two vectors: bits 2i, 2i+1 of vector h are the high bits of step 4h + i
// scales, per block, for 16 rows:
//   q8_0 q4_0 q5_0: d f16[16]            q4_1 q5_1: d f16[16], m f16[16]
//   q4_k q5_k: d f16[16], dmin f16[16], scale u8[8][16], minimum u8[4][16][2]
//   q6_k: d f16[16], scale i8[8][16][2]
// Two more packs are stored, without loss, in the form of another: iq4_nl as q8_0 (the numbers of its grid as codes)
// and q3_k as q6_k (code + 28, scale - 32). They take 8.5 and 6.5625 bits, and run at the speed of that form. Bits per
// weight of the others: as published, but 4.625 for q4_k and 5.625 for q5_k (six-bit scales as bytes).
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/thread_pool.h"
#include "tensor/weight.h"

namespace jevons {

constexpr int64_t kPanelRows = 16;

struct PanelFormat {
  Pack pack;
  Pack form;        // the pack whose layout and kernels it uses; mostly itself
  int bits;         // of a code
  int block;        // columns under one f16 scale
  int scale_bytes;  // per block and panel
  int code_bytes;   // per 32 columns and panel
};
// nullptr for packs without a panel form.
const PanelFormat* panel_format(Pack pack);

bool panel_supported(Pack pack);
int panel_block(Pack pack);  // 32 or 256: of the activations too
inline int64_t panel_count(int64_t rows) { return (rows + kPanelRows - 1) / kPanelRows; }
int64_t panel_codes_at(Pack pack, int64_t cols);             // offset of the codes in a panel
int64_t panel_bytes(Pack pack, int64_t cols);                // of one panel
int64_t panel_bytes(Pack pack, int64_t rows, int64_t cols);  // of one matrix

// Writes matrix `matrix` of a weight in Layout::rows as panels, panel_bytes(pack, rows, cols) bytes at dst (64-byte
// aligned), on all threads.
void pack_panels(Exec& exec, const Weight& weight, int64_t matrix, std::byte* dst);

// The numbers of one panel of a weight in Layout::panels: out[r * cols + c], 16 rows; the values dequantize_row gives.
void unpack_panel(const Weight& weight, int64_t matrix, int64_t panel, float* out);

// The codes of row `row` in 32 columns (`group` points at their code_bytes), as stored.
void panel_codes(int bits, const std::byte* group, int64_t row, uint8_t* code);

}  // namespace jevons
