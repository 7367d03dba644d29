// String operations with the meaning of Python's str methods, on UTF-8 text.
//
// Positions count code points; case mapping is full Unicode (U+00DF upper is "SS", final sigma), from the tables of
// jinja_case_table.h. Bytes that are no UTF-8 count as one code point each and survive every operation but case
// mapping, where they become U+FFFD. Cost: O(bytes), except where noted.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace jevons::jinja {

std::u32string decode_utf8(std::string_view text);
void append_utf8(std::string& out, char32_t code);
std::string encode_utf8(std::u32string_view text);
// The bytes of the code point that starts at `at`: 1 to 4.
size_t code_point_bytes(std::string_view text, size_t at);
size_t count_code_points(std::string_view text);

bool is_space(char32_t code);
bool is_printable(char32_t code);

// Strips white space, or any of the code points of `chars`.
std::string_view strip(std::string_view text, std::optional<std::string_view> chars, bool left, bool right);

std::string upper(std::string_view text);
std::string lower(std::string_view text);
std::string title(std::string_view text);       // str.title: every run of cased letters
std::string capitalize(std::string_view text);  // first letter title case, the rest lower

// str.split / str.rsplit: without separator runs of white space; `limit` < 0 is no limit.
std::vector<std::string> split(std::string_view text, std::optional<std::string_view> separator, int64_t limit);
std::vector<std::string> split_from_right(std::string_view text, std::optional<std::string_view> separator,
                                          int64_t limit);
std::vector<std::string> split_lines(std::string_view text);
std::string replace(std::string_view text, std::string_view from, std::string_view to, int64_t limit);

// The indices a Python slice [start:stop:step] selects from `length` elements; step is not 0.
struct SliceRange {
  int64_t first, count, step;
};
SliceRange slice_range(int64_t length, std::optional<int64_t> start, std::optional<int64_t> stop, int64_t step);

// repr(str) and repr(float).
std::string quoted(std::string_view text);
std::string real_text(double value);

}  // namespace jevons::jinja
