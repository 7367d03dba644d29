#include "text/jinja_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>

#include "text/jinja_case_table.h"

namespace jevons::jinja {
namespace {

template <size_t N>
bool in_ranges(const table::Range (&ranges)[N], char32_t code) {
  const auto* it = std::upper_bound(std::begin(ranges), std::end(ranges), code,
                                    [](char32_t c, const table::Range& r) { return c < r.first; });
  return it != std::begin(ranges) && code <= std::prev(it)->last;
}

// Appends the mapping of `code`: one code point by a shift, several by the table of longer ones.
template <size_t N, size_t M>
void map_case(std::string& out, char32_t code, const table::Shift (&shifts)[N], const table::Longer (&longer)[M]) {
  for (const table::Longer& entry : longer)
    if (code >= 0x80 && entry.from == code) {
      out += entry.to;
      return;
    }
  const auto* it = std::upper_bound(std::begin(shifts), std::end(shifts), code,
                                    [](char32_t c, const table::Shift& s) { return c < s.first; });
  if (it != std::begin(shifts)) {
    --it;
    if (code <= it->last && (code - it->first) % it->stride == 0)
      code = static_cast<char32_t>(static_cast<int32_t>(code) + it->delta);
  }
  append_utf8(out, code);
}

constexpr char32_t kSigma = 0x3A3;

void map_title(std::string& out, char32_t code) { map_case(out, code, table::kTitle, table::kTitleLonger); }

// Lower case in context: a capital sigma that ends a word becomes a final sigma.
void map_lower(std::string& out, const std::u32string& text, size_t at) {
  if (text[at] != kSigma) return map_case(out, text[at], table::kLower, table::kLowerLonger);
  const auto cased = [&](size_t i) { return in_ranges(table::kCased, text[i]); };
  const auto ignorable = [&](size_t i) { return in_ranges(table::kCaseIgnorable, text[i]); };
  size_t before = at;
  while (before > 0 && ignorable(before - 1)) --before;
  size_t after = at + 1;
  while (after < text.size() && ignorable(after)) ++after;
  const bool final = before > 0 && cased(before - 1) && !(after < text.size() && cased(after));
  append_utf8(out, final ? 0x3C2 : 0x3C3);
}

}  // namespace

size_t code_point_bytes(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(at);
  const size_t bytes = lead < 0x80 ? 1 : lead >= 0xF0 && lead < 0xF5 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 1;
  if (lead >= 0xF5 || bytes > text.size() - at) return 1;
  for (size_t i = 1; i < bytes; ++i)
    if ((byte(at + i) & 0xC0) != 0x80) return 1;
  return bytes;
}

size_t count_code_points(std::string_view text) {
  size_t count = 0;
  for (size_t at = 0; at < text.size(); at += code_point_bytes(text, at)) ++count;
  return count;
}

std::u32string decode_utf8(std::string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const size_t bytes = code_point_bytes(text, at);
    const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[at + i]); };
    if (bytes == 1) {
      out += byte(0) < 0x80 ? byte(0) : U'\uFFFD';
    } else {
      char32_t code = byte(0) & (0x7F >> bytes);
      for (size_t i = 1; i < bytes; ++i) code = code << 6 | (byte(i) & 0x3F);
      out += code;
    }
    at += bytes;
  }
  return out;
}

void append_utf8(std::string& out, char32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | code >> 18);
    out += static_cast<char>(0x80 | (code >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

std::string encode_utf8(std::u32string_view text) {
  std::string out;
  for (char32_t code : text) append_utf8(out, code);
  return out;
}

bool is_space(char32_t code) { return in_ranges(table::kSpace, code); }
bool is_printable(char32_t code) { return !in_ranges(table::kUnprintable, code); }

std::string_view strip(std::string_view text, std::optional<std::string_view> chars, bool left, bool right) {
  const std::u32string set = chars ? decode_utf8(*chars) : std::u32string();
  const auto dropped = [&](std::string_view one) {
    const char32_t code = decode_utf8(one)[0];
    return chars ? set.find(code) != std::u32string::npos : is_space(code);
  };
  while (left && !text.empty()) {
    const size_t bytes = code_point_bytes(text, 0);
    if (!dropped(text.substr(0, bytes))) break;
    text.remove_prefix(bytes);
  }
  while (right && !text.empty()) {
    size_t start = text.size() - 1;
    while (start > 0 && text.size() - start < 4 && (static_cast<unsigned char>(text[start]) & 0xC0) == 0x80) --start;
    if (code_point_bytes(text, start) != text.size() - start) start = text.size() - 1;  // a stray byte
    if (!dropped(text.substr(start))) break;
    text.remove_suffix(text.size() - start);
  }
  return text;
}

std::string upper(std::string_view text) {
  std::string out;
  for (char32_t code : decode_utf8(text)) map_case(out, code, table::kUpper, table::kUpperLonger);
  return out;
}

std::string lower(std::string_view text) {
  std::string out;
  const std::u32string codes = decode_utf8(text);
  for (size_t i = 0; i < codes.size(); ++i) map_lower(out, codes, i);
  return out;
}

std::string title(std::string_view text) {
  std::string out;
  const std::u32string codes = decode_utf8(text);
  bool inside = false;
  for (size_t i = 0; i < codes.size(); ++i) {
    inside ? map_lower(out, codes, i) : map_title(out, codes[i]);
    inside = in_ranges(table::kCased, codes[i]);
  }
  return out;
}

std::string capitalize(std::string_view text) {
  std::string out;
  const std::u32string codes = decode_utf8(text);
  for (size_t i = 0; i < codes.size(); ++i) i == 0 ? map_title(out, codes[i]) : map_lower(out, codes, i);
  return out;
}

std::vector<std::string> split(std::string_view text, std::optional<std::string_view> separator, int64_t limit) {
  std::vector<std::string> parts;
  if (separator) {
    size_t at = 0;
    for (size_t hit; limit != 0 && (hit = text.find(*separator, at)) != text.npos; --limit) {
      parts.emplace_back(text.substr(at, hit - at));
      at = hit + separator->size();
    }
    parts.emplace_back(text.substr(at));
    return parts;
  }
  for (text = strip(text, {}, true, false); !text.empty(); text = strip(text, {}, true, false), --limit) {
    if (limit == 0) return parts.emplace_back(text), parts;
    size_t end = 0;
    while (end < text.size()) {
      const size_t bytes = code_point_bytes(text, end);
      if (is_space(decode_utf8(text.substr(end, bytes))[0])) break;
      end += bytes;
    }
    parts.emplace_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return parts;
}

std::vector<std::string> split_from_right(std::string_view text, std::optional<std::string_view> separator,
                                          int64_t limit) {
  if (limit < 0) return split(text, separator, limit);
  std::vector<std::string> parts;
  if (separator) {
    for (size_t hit; limit > 0 && (hit = text.rfind(*separator)) != text.npos; --limit) {
      parts.emplace_back(text.substr(hit + separator->size()));
      text = text.substr(0, hit);
    }
    parts.emplace_back(text);
  } else {
    for (text = strip(text, {}, false, true); !text.empty(); text = strip(text, {}, false, true), --limit) {
      size_t start = text.size();
      while (limit > 0 && start > 0) {  // the last word
        size_t one = start - 1;
        while (one > 0 && start - one < 4 && (static_cast<unsigned char>(text[one]) & 0xC0) == 0x80) --one;
        if (code_point_bytes(text, one) != start - one) one = start - 1;
        if (is_space(decode_utf8(text.substr(one, start - one))[0])) break;
        start = one;
      }
      if (limit == 0) start = 0;
      parts.emplace_back(text.substr(start));
      text = text.substr(0, start);
    }
  }
  std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines;
  size_t start = 0;
  for (size_t at = 0; at < text.size();) {
    size_t bytes = code_point_bytes(text, at);
    const char32_t code = decode_utf8(text.substr(at, bytes))[0];
    const bool ends = (code >= 0x0A && code <= 0x0D) || (code >= 0x1C && code <= 0x1E) || code == 0x85 ||
                      code == 0x2028 || code == 0x2029;
    if (ends) lines.emplace_back(text.substr(start, at - start));
    if (code == '\r' && text.substr(at + 1, 1) == "\n") ++bytes;
    at += bytes;
    if (ends) start = at;
  }
  if (start < text.size()) lines.emplace_back(text.substr(start));
  return lines;
}

std::string replace(std::string_view text, std::string_view from, std::string_view to, int64_t limit) {
  std::string out;
  size_t at = 0;
  if (from.empty()) {  // between all code points
    for (; limit != 0; --limit) {
      out += to;
      if (at == text.size()) break;
      const size_t bytes = code_point_bytes(text, at);
      out += text.substr(at, bytes);
      at += bytes;
    }
  } else {
    for (size_t hit; limit != 0 && (hit = text.find(from, at)) != text.npos; --limit) {
      out += text.substr(at, hit - at);
      out += to;
      at = hit + from.size();
    }
  }
  return out += text.substr(at);
}

SliceRange slice_range(int64_t length, std::optional<int64_t> start, std::optional<int64_t> stop, int64_t step) {
  const int64_t low = step > 0 ? 0 : -1, high = step > 0 ? length : length - 1;
  const auto clamp = [&](int64_t index) {
    if (index < 0) index = index < -length ? low : index + length;
    return std::clamp(index, low, high);
  };
  const int64_t first = start ? clamp(*start) : step > 0 ? low : high;
  const int64_t last = stop ? clamp(*stop) : step > 0 ? high : low;
  const int64_t span = step > 0 ? last - first : first - last;
  const uint64_t stride = step > 0 ? static_cast<uint64_t>(step) : uint64_t{0} - static_cast<uint64_t>(step);
  return {first, span <= 0 ? 0 : static_cast<int64_t>((static_cast<uint64_t>(span) - 1) / stride + 1), step};
}

std::string quoted(std::string_view text) {
  const char quote = text.find('\'') != text.npos && text.find('"') == text.npos ? '"' : '\'';
  std::string out(1, quote);
  const auto escape = [&](char letter, char32_t code, int digits) {
    out += '\\';
    out += letter;
    for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) out += "0123456789abcdef"[code >> shift & 15];
  };
  for (char32_t code : decode_utf8(text)) {
    if (code == static_cast<unsigned char>(quote) || code == '\\') {
      out += '\\';
      out += static_cast<char>(code);
    } else if (code == '\n' || code == '\r' || code == '\t') {
      out += code == '\n' ? "\\n" : code == '\r' ? "\\r" : "\\t";
    } else if (is_printable(code)) {
      append_utf8(out, code);
    } else {
      code < 0x100 ? escape('x', code, 2) : code < 0x10000 ? escape('u', code, 4) : escape('U', code, 8);
    }
  }
  return out += quote;
}

std::string real_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[64];
  const double size = std::fabs(value);
  const bool plain = size == 0 || (size >= 1e-4 && size < 1e16);
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value,
                                 plain ? std::chars_format::fixed : std::chars_format::scientific)
                       .ptr;
  std::string out(buffer, end);
  if (plain && out.find('.') == out.npos) out += ".0";
  return out;
}

}  // namespace jevons::jinja
