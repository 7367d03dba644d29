#include "kernels/cpu/panel.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "kernels/codec/block_layouts.h"
#include "kernels/codec/unpack.h"
#include "tensor/half.h"

namespace jevons {
namespace {

constexpr PanelFormat kFormats[] = {
    {Pack::q8_0, Pack::q8_0, 8, 32, 32, 512},   {Pack::q4_0, Pack::q4_0, 4, 32, 32, 256},
    {Pack::q4_1, Pack::q4_1, 4, 32, 64, 256},   {Pack::q5_0, Pack::q5_0, 5, 32, 32, 320},
    {Pack::q5_1, Pack::q5_1, 5, 32, 64, 320},   {Pack::q4_k, Pack::q4_k, 4, 256, 320, 256},
    {Pack::q5_k, Pack::q5_k, 5, 256, 320, 320}, {Pack::q6_k, Pack::q6_k, 6, 256, 288, 384},
    {Pack::q3_k, Pack::q6_k, 6, 256, 288, 384}, {Pack::iq4_nl, Pack::q8_0, 8, 32, 32, 512},
};

uint32_t load32(const void* from) {
  uint32_t value;
  std::memcpy(&value, from, 4);
  return value;
}

void store32(std::byte* to, uint32_t value) { std::memcpy(to, &value, 4); }

void put_codes(int bits, const uint8_t* code, int64_t row, std::byte* group) {
  const auto step = [&](int j) { return load32(code + 4 * j); };
  const auto lane = [&](int vector) { return group + 64 * vector + 4 * row; };
  if (bits == 8) {
    for (int j = 0; j < 8; ++j) store32(lane(j), step(j));
    return;
  }
  for (int j = 0; j < 4; ++j) store32(lane(j), (step(2 * j) & 0x0f0f0f0f) | (step(2 * j + 1) & 0x0f0f0f0f) << 4);
  uint32_t high[2] = {};
  if (bits == 5)
    for (int j = 0; j < 8; ++j) high[0] |= (step(j) >> 4 & 0x01010101) << j;
  if (bits == 6)
    for (int j = 0; j < 8; ++j) high[j / 4] |= (step(j) >> 4 & 0x03030303) << 2 * (j % 4);
  for (int i = 0; i < bits - 4; ++i) store32(lane(4 + i), high[i]);
}

void put16(std::byte* to, const uint8_t* field) { std::memcpy(to, field, 2); }

// One block of one row: its codes as stored in the panel, and its scales into place.
int8_t* as_codes(uint8_t* code) { return reinterpret_cast<int8_t*>(code); }

void split(const BlockQ8_0& b, int64_t row, uint8_t* code, std::byte* scales) {
  std::memcpy(code, b.codes, 32);
  put16(scales + 2 * row, b.d);
}
void split(const BlockQ4_0& b, int64_t row, uint8_t* code, std::byte* scales) {
  codec::nibbles32(b.nibbles, 0, as_codes(code));
  put16(scales + 2 * row, b.d);
}
void split(const BlockQ4_1& b, int64_t row, uint8_t* code, std::byte* scales) {
  codec::nibbles32(b.nibbles, 0, as_codes(code));
  put16(scales + 2 * row, b.d), put16(scales + 32 + 2 * row, b.m);
}
void split(const BlockQ5_0& b, int64_t row, uint8_t* code, std::byte* scales) {
  codec::fives32(b.nibbles, b.fifth, 0, as_codes(code));
  put16(scales + 2 * row, b.d);
}
void split(const BlockQ5_1& b, int64_t row, uint8_t* code, std::byte* scales) {
  codec::fives32(b.nibbles, b.fifth, 0, as_codes(code));
  put16(scales + 2 * row, b.d), put16(scales + 32 + 2 * row, b.m);
}

template <class Block>
void split_scales_k(const Block& b, int64_t row, std::byte* scales) {
  uint8_t scale[8], minimum[8];
  unpack_scales_q4k(b.scales, scale, minimum);
  put16(scales + 2 * row, b.d), put16(scales + 32 + 2 * row, b.dmin);
  for (int g = 0; g < 8; ++g) {
    scales[64 + 16 * g + row] = std::byte{scale[g]};
    scales[192 + 32 * (g / 2) + 2 * row + g % 2] = std::byte{minimum[g]};
  }
}
void split(const BlockQ4K& b, int64_t row, uint8_t* code, std::byte* scales) {
  codec::nibbles256(b.nibbles, as_codes(code));
  split_scales_k(b, row, scales);
}
void split(const BlockQ5K& b, int64_t row, uint8_t* code, std::byte* scales) {
  codec::nibbles256(b.nibbles, as_codes(code));
  for (int g = 0; g < 8; ++g)
    for (int l = 0; l < 32; ++l) code[32 * g + l] = static_cast<uint8_t>(code[32 * g + l] | (b.fifth[l] >> g & 1) << 4);
  split_scales_k(b, row, scales);
}
// The six-bit scale of sixteen values (block_layouts.h).
int scale_q3k(const BlockQ3K& b, int g) {
  return (b.scales[g % 8] >> 4 * (g / 8) & 15) | (b.scales[8 + g % 4] >> 2 * (g / 4) & 3) << 4;
}
void split(const BlockQ6K& b, int64_t row, uint8_t* code, std::byte* scales) {
  float unused[16];
  unpack(b, as_codes(code), unused, nullptr);
  for (int i = 0; i < 256; ++i) code[i] = static_cast<uint8_t>(code[i] + 32);
  put16(scales + 2 * row, b.d);
  for (int g = 0; g < 16; ++g) scales[32 + 32 * (g / 2) + 2 * row + g % 2] = static_cast<std::byte>(b.scales[g]);
}
void split(const BlockQ3K& b, int64_t row, uint8_t* code, std::byte* scales) {
  float unused[16];
  unpack(b, as_codes(code), unused, nullptr);
  for (int i = 0; i < 256; ++i) code[i] = static_cast<uint8_t>(code[i] + 32);
  put16(scales + 2 * row, b.d);
  for (int g = 0; g < 16; ++g)
    scales[32 + 32 * (g / 2) + 2 * row + g % 2] = static_cast<std::byte>(scale_q3k(b, g) - 32);
}
void split(const BlockIq4Nl& b, int64_t row, uint8_t* code, std::byte* scales) {
  codec::grid32(b.nibbles, as_codes(code));
  put16(scales + 2 * row, b.d);
}
template <class Block>
void split(const Block&, int64_t, uint8_t*, std::byte*) {
  JEVONS_CHECK(false, "this pack has no panel form");
}

template <class Block>
void pack_one(const PanelFormat& f, const Block* row, int64_t r, int64_t cols, std::byte* panel) {
  std::byte* codes = panel + panel_codes_at(f.pack, cols);
  uint8_t code[256];
  for (int64_t b = 0; b < cols / f.block; ++b) {
    split(row[b], r, code, panel + b * f.scale_bytes);
    for (int64_t g = 0; g < f.block / 32; ++g)
      put_codes(f.bits, code + 32 * g, r, codes + (b * (f.block / 32) + g) * f.code_bytes);
  }
}

float half_at(const std::byte* from) {
  uint16_t bits;
  std::memcpy(&bits, from, 2);
  return f16_to_f32(bits);
}

int byte_at(const std::byte* from) { return std::to_integer<int>(*from); }

// value = scale * (code - offset) - minimum for 16 columns `half` of the 32 columns `group` of a block.
struct Affine {
  float scale, minimum;
  int offset;
};
Affine affine(const PanelFormat& f, const std::byte* scales, int64_t row, int64_t group, int64_t half) {
  const float d = half_at(scales + 2 * row);
  switch (f.form) {
    case Pack::q4_0:
      return {d, 0, 8};
    case Pack::q5_0:
      return {d, 0, 16};
    case Pack::q4_1:
    case Pack::q5_1:
      return {d, -half_at(scales + 32 + 2 * row), 0};
    case Pack::q4_k:
    case Pack::q5_k:
      return {d * static_cast<float>(byte_at(scales + 64 + 16 * group + row)),
              half_at(scales + 32 + 2 * row) *
                  static_cast<float>(byte_at(scales + 192 + 32 * (group / 2) + 2 * row + group % 2)),
              0};
    case Pack::q6_k:
      return {d * static_cast<float>(static_cast<int8_t>(byte_at(scales + 32 + 32 * group + 2 * row + half))), 0, 32};
    default:
      return {d, 0, 0};
  }
}

}  // namespace

const PanelFormat* panel_format(Pack pack) {
  for (const PanelFormat& f : kFormats)
    if (f.pack == pack) return &f;
  return nullptr;
}

bool panel_supported(Pack pack) { return panel_format(pack) != nullptr; }

int panel_block(Pack pack) { return panel_format(pack)->block; }

int64_t panel_codes_at(Pack pack, int64_t cols) {
  const PanelFormat& f = *panel_format(pack);
  return (cols / f.block * f.scale_bytes + 63) / 64 * 64;
}

int64_t panel_bytes(Pack pack, int64_t cols) {
  return panel_codes_at(pack, cols) + cols / 32 * panel_format(pack)->code_bytes;
}

int64_t panel_bytes(Pack pack, int64_t rows, int64_t cols) { return panel_count(rows) * panel_bytes(pack, cols); }

void pack_panels(Exec& exec, const Weight& weight, int64_t matrix, std::byte* dst) {
  const PanelFormat* f = panel_format(weight.pack);
  JEVONS_CHECK(f && weight.layout == Layout::rows && weight.cols % f->block == 0);
  const int64_t bytes = panel_bytes(weight.pack, weight.cols), row = row_bytes(weight.pack, weight.cols);
  exec.parallel_for(panel_count(weight.rows), [&](int64_t p) {
    const int64_t rows = std::min(kPanelRows, weight.rows - p * kPanelRows);
    std::byte* panel = dst + p * bytes;
    if (rows < kPanelRows) std::memset(panel, 0, static_cast<size_t>(bytes));
    const std::byte* from = weight.data[static_cast<size_t>(matrix)] + p * kPanelRows * row;
    with_block(weight.pack, [&](auto block) {
      for (int64_t r = 0; r < rows; ++r)
        pack_one(*f, reinterpret_cast<const decltype(block)*>(from + r * row), r, weight.cols, panel);
    });
  });
}

void panel_codes(int bits, const std::byte* group, int64_t row, uint8_t* code) {
  const auto lane = [&](int vector) { return load32(group + 64 * vector + 4 * row); };
  for (int j = 0; j < 8; ++j) {
    uint32_t four = bits == 8 ? lane(j) : lane(j / 2) >> 4 * (j % 2) & 0x0f0f0f0f;
    if (bits == 5) four |= (lane(4) >> j & 0x01010101) << 4;
    if (bits == 6) four |= (lane(4 + j / 4) >> 2 * (j % 4) & 0x03030303) << 4;
    std::memcpy(code + 4 * j, &four, 4);
  }
}

void unpack_panel(const Weight& weight, int64_t matrix, int64_t panel, float* out) {
  const PanelFormat& f = *panel_format(weight.pack);
  const std::byte* from = weight.data[static_cast<size_t>(matrix)] + panel * panel_bytes(weight.pack, weight.cols);
  const std::byte* codes = from + panel_codes_at(weight.pack, weight.cols);
  uint8_t code[32];
  for (int64_t r = 0; r < kPanelRows; ++r)
    for (int64_t c = 0; c < weight.cols; c += 32) {
      panel_codes(f.bits, codes + c / 32 * f.code_bytes, r, code);
      for (int64_t half = 0; half < 2; ++half) {
        const Affine a = affine(f, from + c / f.block * f.scale_bytes, r, c % f.block / 32, half);
        for (int i = 0; i < 16; ++i) {
          const int q = f.bits == 8 ? static_cast<int8_t>(code[16 * half + i]) : code[16 * half + i] - a.offset;
          out[r * weight.cols + c + 16 * half + i] = a.scale * static_cast<float>(q) - a.minimum;
        }
      }
    }
}

}  // namespace jevons
