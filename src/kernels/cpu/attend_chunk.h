// Attention of some query rows over one chunk of at most 256 positions: the unit whose results are merged in ascending
// order (attend.cc).
//
// Every number is a fixed sequence of f32 operations that depends on its own row only:
//   score[j]  eight lane sums, lane i taking the columns c = i (mod 8) in ascending order by fused multiply-add; then
//             ((l0 + l1) + (l2 + l3)) + ((l4 + l5) + (l6 + l7))
//   top       the largest score;  p[j] = exp(score[j] - top) (math.h)
//   sum       eight lane sums, lane i taking j = i (mod 8) ascending, and the same tree
//   acc[c]    fma(p[j], value[j][c], acc[c]) from 0, j ascending
// Padding adds exact zeros. A row never meets a key or value of a position it does not see.
#pragma once
#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace jevons {

constexpr int64_t kAttendChunk = 256;
constexpr int64_t kAttendRows = 48;  // query rows of a chunk at most

constexpr int64_t padded(int64_t width) { return (width + 7) / 8 * 8; }

struct AttendChunk {
  // The cache: one pointer per position, entries of f32, f16, bf16 or i8 (kv_layout.h). The last entry of `key` may
  // repeat.
  const std::byte* const* key;
  const std::byte* const* value;
  DType dtype;
  int64_t count;  // positions that the row with the farthest sight sees
  int64_t key_width, value_width;
  int64_t value_entry;  // numbers of the entry that holds a value: more than value_width where it is part of a key
  // The rows.
  int64_t rows;
  const float* q;       // [rows, padded(key_width)], scaled; zeros behind the width
  const int32_t* live;  // [rows]: sees the positions [0, live), 0 <= live <= count
  // Results; nothing for rows with live = 0.
  float *top, *sum;  // [rows]
  float* acc;        // [rows, padded(value_width)]
  // Scratch.
  float* p;        // [rows, kAttendChunk]
  float* widened;  // kAttendWiden numbers per padded width
};

constexpr int64_t kAttendWiden = 16;

void attend_chunk_portable(const AttendChunk& chunk);
void attend_chunk_avx2(const AttendChunk& chunk);  // x86-64 only

}  // namespace jevons
