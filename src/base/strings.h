// Small string building without a formatting library in headers: cat("tensor ", name, " has ", n, " rows").
#pragma once
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace jevons {

template <class T>
void append(std::string& out, const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    out += value ? "true" : "false";
  } else if constexpr (std::is_same_v<T, char>) {
    out += value;
  } else if constexpr (std::is_arithmetic_v<T>) {
    char buffer[40];
    auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
    out.append(buffer, end);
  } else {
    out += std::string_view(value);
  }
}

template <class... Args>
std::string cat(const Args&... args) {
  std::string out;
  (append(out, args), ...);
  return out;
}

// "98.4 MB", "1.7 GB": decimal units, three significant digits.
std::string human_bytes(double bytes);
// "0.8 s", "12 s", "3 min 05 s".
std::string human_seconds(double seconds);
// `value` with `digits` after the point.
std::string fixed(double value, int digits);
// A quoted, escaped and shortened form for error messages; control characters and broken UTF-8 become \xNN.
std::string quote(std::string_view text, size_t limit = 60);
// Names that `wanted` may have meant, for "did you mean". Empty if none is near.
std::string nearest(std::string_view wanted, const std::vector<std::string>& names);

}  // namespace jevons
