#include "text/unicode.h"

#include <algorithm>
#include <map>
#include <unordered_map>

namespace jevons::unicode {
namespace {

constexpr uint32_t kPoints = 0x110000;

// A value per code point as blocks of 256, equal blocks kept once.
template <class Value>
void expand(const uint32_t* runs, size_t count, std::vector<uint16_t>& blocks, std::vector<Value>& values) {
  std::map<std::vector<Value>, uint16_t> known;
  std::vector<Value> block;
  blocks.reserve(kPoints >> 8);
  for (size_t i = 0; i < count; ++i) {
    uint32_t left = runs[i] >> 8;
    const auto value = static_cast<Value>(runs[i] & 255);
    while (left) {
      const uint32_t take = std::min<uint32_t>(left, 256 - static_cast<uint32_t>(block.size()));
      block.insert(block.end(), take, value);
      left -= take;
      if (block.size() < 256) break;
      const auto [at, added] = known.emplace(block, static_cast<uint16_t>(known.size()));
      if (added) values.insert(values.end(), block.begin(), block.end());
      blocks.push_back(at->second);
      block.clear();
    }
  }
}

// Hangul syllables are composed by arithmetic (The Unicode Standard, 3.12).
constexpr uint32_t kHangul = 0xac00, kLead = 0x1100, kVowel = 0x1161, kTail = 0x11a7, kVowels = 21, kTails = 28;
constexpr uint32_t kHangulCount = 19 * kVowels * kTails;

class Normaliser {
 public:
  static const Normaliser& get() {
    static const Normaliser instance;
    return instance;
  }

  uint8_t combining(uint32_t point) const { return ccc_[size_t{ccc_blocks_[point >> 8]} << 8 | (point & 255)]; }

  // May this text differ from its form C? False only if it certainly does not: no character that decomposes to
  // something else in form C, can combine with the one before it, or is a mark.
  bool may_change(std::string_view text) const {
    const char *p = text.data(), *end = p + text.size();
    while (p < end) {
      if (static_cast<unsigned char>(*p) < 0xcc) {  // below U+0300, or a broken byte
        ++p;
        continue;
      }
      const Char c = decode(p, end);
      if (c.valid && unstable_[c.point]) return true;
      p += c.length;
    }
    return false;
  }

  void decompose(uint32_t point, std::vector<uint32_t>& out) const {
    if (point - kHangul < kHangulCount) {
      const uint32_t s = point - kHangul;
      out.push_back(kLead + s / (kVowels * kTails));
      out.push_back(kVowel + s % (kVowels * kTails) / kTails);
      if (s % kTails) out.push_back(kTail + s % kTails);
    } else if (const auto it = parts_.find(point); it == parts_.end()) {
      out.push_back(point);
    } else {
      decompose(it->second.first, out);
      if (it->second.second) decompose(it->second.second, out);
    }
  }

  uint32_t compose(uint32_t a, uint32_t b) const {  // 0: they do not
    if (a - kLead < 19 && b - kVowel < kVowels) return kHangul + ((a - kLead) * kVowels + (b - kVowel)) * kTails;
    if (a - kHangul < kHangulCount && (a - kHangul) % kTails == 0 && b - kTail - 1 < kTails - 1) return a + (b - kTail);
    const auto it = pairs_.find(uint64_t{a} << 32 | b);
    return it == pairs_.end() ? 0 : it->second;
  }

  // Puts marks into canonical order: stable, by combining class, between characters of class 0.
  void order(std::vector<uint32_t>& points) const {
    for (size_t i = 0; i < points.size();) {
      size_t j = i;
      while (j < points.size() && combining(points[j])) ++j;
      std::stable_sort(points.begin() + i, points.begin() + j,
                       [&](uint32_t a, uint32_t b) { return combining(a) < combining(b); });
      i = j + 1;
    }
  }

  void recompose(std::vector<uint32_t>& points) const {
    size_t kept = 0, starter = SIZE_MAX;
    int last = -1;  // class of the last character kept after the starter; -1: none
    for (const uint32_t c : points) {
      const int ccc = combining(c);
      if (starter != SIZE_MAX && last < ccc)
        if (const uint32_t joined = compose(points[starter], c)) {
          points[starter] = joined;
          continue;
        }
      points[kept++] = c;
      if (ccc == 0) {
        starter = kept - 1, last = -1;
      } else {
        last = ccc;
      }
    }
    points.resize(kept);
  }

 private:
  Normaliser() : unstable_(kPoints) {
    expand(kCombiningRuns, kCombiningRunsSize, ccc_blocks_, ccc_);
    for (size_t i = 0; i < kDecompositionsSize; i += 3) {
      const bool composes = kDecompositions[i] >> 31;
      const uint32_t point = kDecompositions[i] & 0x7fffffff, a = kDecompositions[i + 1], b = kDecompositions[i + 2];
      parts_[point] = {a, b};
      if (composes) {
        pairs_[uint64_t{a} << 32 | b] = point;
        unstable_[b] = true;
      } else {
        unstable_[point] = true;
      }
    }
    for (uint32_t c = 0; c < kPoints; ++c)
      if (combining(c) || c - kVowel < kVowels || c - kTail - 1 < kTails - 1) unstable_[c] = true;
  }

  std::vector<uint16_t> ccc_blocks_;
  std::vector<uint8_t> ccc_;
  std::vector<bool> unstable_;
  std::unordered_map<uint32_t, std::pair<uint32_t, uint32_t>> parts_;
  std::unordered_map<uint64_t, uint32_t> pairs_;
};

std::string normalise(std::string_view text, bool composed) {
  const Normaliser& tables = Normaliser::get();
  std::string out;
  out.reserve(text.size());
  std::vector<uint32_t> points;
  const auto flush = [&] {
    tables.order(points);
    if (composed) tables.recompose(points);
    for (const uint32_t c : points) append_utf8(out, c);
    points.clear();
  };
  const char *p = text.data(), *end = p + text.size();
  while (p < end) {
    const Char c = decode(p, end);
    if (c.valid) {
      tables.decompose(c.point, points);
    } else {
      flush();
      out.append(p, c.length);
    }
    p += c.length;
  }
  flush();
  return out;
}

}  // namespace

Char decode(const char* p, const char* end) {
  const auto byte = [&](uint32_t i) { return static_cast<unsigned char>(p[i]); };
  const auto left = static_cast<size_t>(end - p);
  const uint32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1, true};
  const uint32_t need = lead >= 0xc2 && lead <= 0xdf   ? 2
                        : (lead & 0xf0) == 0xe0        ? 3
                        : lead >= 0xf0 && lead <= 0xf4 ? 4
                                                       : 1;
  if (need == 1) return {kReplacement, 1, false};
  uint32_t point = lead & (0x7f >> need);
  for (uint32_t i = 1; i < need; ++i) {
    if (i >= left) return {kReplacement, i, false};
    const uint32_t low = i > 1 ? 0x80 : lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    const uint32_t high = i > 1 ? 0xbf : lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (byte(i) < low || byte(i) > high) return {kReplacement, i, false};
    point = point << 6 | (byte(i) & 0x3f);
  }
  return {point, need, true};
}

void append_utf8(std::string& out, uint32_t c) {
  const auto put = [&](uint32_t byte) { out += static_cast<char>(byte); };
  if (c < 0x80) return put(c);
  if (c < 0x800) return put(0xc0 | c >> 6), put(0x80 | (c & 63));
  if (c < 0x10000) return put(0xe0 | c >> 12), put(0x80 | (c >> 6 & 63)), put(0x80 | (c & 63));
  put(0xf0 | c >> 18), put(0x80 | (c >> 12 & 63)), put(0x80 | (c >> 6 & 63)), put(0x80 | (c & 63));
}

bool is_valid(std::string_view text) {
  const char *p = text.data(), *end = p + text.size();
  while (p < end) {
    if (static_cast<unsigned char>(*p) < 0x80) {
      ++p;
      continue;
    }
    const Char c = decode(p, end);
    if (!c.valid) return false;
    p += c.length;
  }
  return true;
}

Classes::Classes() { expand(kClassRuns, kClassRunsSize, blocks_, values_); }

const Classes& Classes::get() {
  static const Classes instance;
  return instance;
}

std::string nfc(std::string_view text) {
  return Normaliser::get().may_change(text) ? normalise(text, true) : std::string(text);
}
std::string nfd(std::string_view text) { return normalise(text, false); }

}  // namespace jevons::unicode
