#include "text/grammar/json_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <optional>

#include "base/strings.h"

namespace jevons::grammar {
namespace {

ExprId hex_digits(Exprs& x, std::string_view pattern) {  // "d" stands for any digit, "8-b" etc. are spelled out below
  std::vector<ExprId> parts;
  for (const char c : pattern) {
    const auto ranges = [&](std::initializer_list<std::pair<char, char>> list) {
      std::vector<ExprId> options;
      for (const auto& [lo, hi] : list) options.push_back(x.bytes(static_cast<uint8_t>(lo), static_cast<uint8_t>(hi)));
      return x.choice(std::move(options));
    };
    if (c == 'x') parts.push_back(ranges({{'0', '9'}, {'A', 'F'}, {'a', 'f'}}));
    if (c == 'D') parts.push_back(ranges({{'D', 'D'}, {'d', 'd'}}));
    if (c == 'n') parts.push_back(ranges({{'0', '9'}, {'A', 'C'}, {'E', 'F'}, {'a', 'c'}, {'e', 'f'}}));  // not D
    if (c == '7') parts.push_back(ranges({{'0', '7'}}));
    if (c == '8') parts.push_back(ranges({{'8', '9'}, {'A', 'B'}, {'a', 'b'}}));
    if (c == 'c') parts.push_back(ranges({{'C', 'F'}, {'c', 'f'}}));
  }
  return x.sequence(std::move(parts));
}

// Short escapes; '\0' where there is none.
char short_escape(uint8_t byte) {
  switch (byte) {
    case '"':
      return '"';
    case '\\':
      return '\\';
    case '\b':
      return 'b';
    case '\f':
      return 'f';
    case '\n':
      return 'n';
    case '\r':
      return 'r';
    case '\t':
      return 't';
    default:
      return 0;
  }
}

}  // namespace

ExprId any_string(Exprs& x) {
  const ExprId plain = x.chars(CharSet{{0, 0x1f}, {'"', '"'}, {'\\', '\\'}}.complement());
  std::vector<ExprId> escapes;
  for (const char c : std::string_view("\"\\/bfnrt")) escapes.push_back(x.literal(std::string(1, c)));
  const ExprId u = x.literal("u");
  escapes.push_back(x.sequence({u, x.choice({hex_digits(x, "nxxx"), hex_digits(x, "D7xx")})}));
  escapes.push_back(x.sequence({u, hex_digits(x, "D8xx"), x.literal("\\u"), hex_digits(x, "Dcxx")}));
  const ExprId character = x.choice({plain, x.sequence({x.literal("\\"), x.choice(std::move(escapes))})});
  return x.sequence({x.literal("\""), x.repeat(character, 0, -1), x.literal("\"")});
}

ExprId any_integer(Exprs& x) {
  const ExprId digits = x.repeat(x.bytes('0', '9'), 0, -1);
  return x.sequence({x.optional(x.literal("-")), x.choice({x.literal("0"), x.sequence({x.bytes('1', '9'), digits})})});
}

ExprId any_number(Exprs& x) {
  const ExprId digits = x.repeat(x.bytes('0', '9'), 1, -1);
  const ExprId sign = x.optional(x.choice({x.literal("+"), x.literal("-")}));
  return x.sequence({any_integer(x), x.optional(x.sequence({x.literal("."), digits})),
                     x.optional(x.sequence({x.choice({x.literal("e"), x.literal("E")}), sign, digits}))});
}

// Eight states per character: before it, and behind the first bytes that restrict the next (RFC 3629).
Nfa length_dfa(int64_t min, int64_t max, Budget& budget) {
  Nfa dfa;
  const int64_t last = max < 0 ? min : max;  // with max < 0, the last position goes back to itself
  if (max >= 0 && max < min) return dfa.add(budget), dfa;
  budget.states(static_cast<size_t>(last + 1) * 8);
  budget.steps(static_cast<size_t>(last + 1) * 16);
  dfa.states.resize(static_cast<size_t>(last + 1) * 8);
  for (int64_t i = 0; i <= last; ++i) {
    const auto at = static_cast<int32_t>(8 * i);
    dfa.states[at].final = i >= min;
    if (i == last && max >= 0) break;
    const int32_t next = i == last ? at : at + 8;
    enum { one = 1, two, three, e0, ed, f0, f4 };  // continuation bytes to come, or the first byte
    dfa.edge(at, next, 0, 0x7f);
    dfa.edge(at, at + one, 0xc2, 0xdf);
    dfa.edge(at, at + e0, 0xe0, 0xe0);
    dfa.edge(at, at + two, 0xe1, 0xec);
    dfa.edge(at, at + ed, 0xed, 0xed);
    dfa.edge(at, at + two, 0xee, 0xef);
    dfa.edge(at, at + f0, 0xf0, 0xf0);
    dfa.edge(at, at + three, 0xf1, 0xf3);
    dfa.edge(at, at + f4, 0xf4, 0xf4);
    dfa.edge(at + one, next, 0x80, 0xbf);
    dfa.edge(at + two, at + one, 0x80, 0xbf);
    dfa.edge(at + three, at + two, 0x80, 0xbf);
    dfa.edge(at + e0, at + one, 0xa0, 0xbf);
    dfa.edge(at + ed, at + one, 0x80, 0x9f);
    dfa.edge(at + f0, at + two, 0x90, 0xbf);
    dfa.edge(at + f4, at + two, 0x80, 0x8f);
  }
  return dfa;
}

Nfa texts_dfa(const std::vector<std::string>& texts, Budget& budget) {
  Exprs exprs(budget);
  std::vector<ExprId> options;
  for (const auto& text : texts) options.push_back(exprs.literal(text));
  return exprs.to_dfa(exprs.choice(std::move(options)), size_t{1} << 16);
}

Nfa spelled(const Nfa& values, Budget& budget) {
  Nfa out;
  const int32_t open = out.add(budget), first = open + 1;
  budget.states(values.states.size() + 1);
  out.states.resize(values.states.size() + 2);
  const auto close = static_cast<int32_t>(values.states.size()) + 1;
  out.states[close].final = true;
  out.edge(open, first, '"', '"');
  for (size_t s = 0; s < values.states.size(); ++s) {
    const auto from = static_cast<int32_t>(s) + first;
    if (values.states[s].final) out.edge(from, close, '"', '"');
    int32_t escape = -1, zeros = -1, tens[2] = {-1, -1};  // behind \, \u00, \u000 and \u001
    const auto need = [&](int32_t& state, int32_t before, char byte) {
      if (state < 0) {
        state = out.add(budget);
        out.edge(before, state, static_cast<uint8_t>(byte), static_cast<uint8_t>(byte));
      }
      return state;
    };
    const auto escaped = [&](uint8_t byte, int32_t to) {
      need(escape, from, '\\');
      if (const char c = short_escape(byte))
        return out.edge(escape, to, static_cast<uint8_t>(c), static_cast<uint8_t>(c));
      if (zeros < 0) {
        int32_t u = -1, zero = -1;
        need(u, escape, 'u');
        need(zero, u, '0');
        need(zeros, zero, '0');
      }
      const int32_t ten = need(tens[byte >> 4], zeros, byte >> 4 ? '1' : '0');
      const char low = "0123456789abcdef"[byte & 15];
      out.edge(ten, to, static_cast<uint8_t>(low), static_cast<uint8_t>(low));
      if (low >= 'a') out.edge(ten, to, static_cast<uint8_t>(low - 32), static_cast<uint8_t>(low - 32));
    };
    for (const auto& e : values.states[s].edges) {
      const int32_t to = e.to + first;
      int lo = e.lo;
      for (int b = e.lo; b <= e.hi; ++b) {
        if (b >= 0x20 && b != '"' && b != '\\') continue;
        if (lo < b) out.edge(from, to, static_cast<uint8_t>(lo), static_cast<uint8_t>(b - 1));
        escaped(static_cast<uint8_t>(b), to);
        lo = b + 1;
      }
      if (lo <= e.hi) out.edge(from, to, static_cast<uint8_t>(lo), e.hi);
    }
  }
  return out;
}

Decimal Decimal::of(int64_t value) {
  Decimal out;
  out.digits = cat(value);
  if ((out.negative = out.digits[0] == '-')) out.digits.erase(0, 1);
  return out;
}

Decimal Decimal::of(double value) {
  char buffer[1200];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed).ptr;
  std::string text(buffer, end);
  Decimal out;
  if ((out.negative = text[0] == '-')) text.erase(0, 1);
  if (const size_t point = text.find('.'); point != std::string::npos) {
    out.scale = static_cast<int>(text.size() - point - 1);
    text.erase(point, 1);
  }
  const size_t lead = std::min(text.find_first_not_of('0'), text.size() - 1);
  out.digits = text.substr(lead);
  if (out.digits == "0") out.negative = false;
  return out;
}

namespace {

// The digits before and behind the point, the latter without trailing zeros.
std::pair<std::string, std::string> split(const Decimal& d) {
  std::string all = d.digits;
  if (static_cast<int>(all.size()) <= d.scale) all.insert(0, d.scale + 1 - all.size(), '0');
  std::string fraction = all.substr(all.size() - d.scale);
  all.resize(all.size() - d.scale);
  while (!fraction.empty() && fraction.back() == '0') fraction.pop_back();
  return {all, fraction};
}

int compare_magnitude(const Decimal& a, const Decimal& b) {
  const auto [ai, af] = split(a);
  const auto [bi, bf] = split(b);
  if (ai.size() != bi.size()) return ai.size() < bi.size() ? -1 : 1;
  if (ai != bi) return ai < bi ? -1 : 1;
  return af == bf ? 0 : af < bf ? -1 : 1;
}

// Numbers without sign and exponent whose value stands in one of the wanted relations to `bound` >= 0.
// States: digits read before the point and how they compare so far; then the place behind the point.
class Comparison {
 public:
  Comparison(const Decimal& bound, bool less, bool equal, bool greater, Budget& budget)
      : wanted_{less, equal, greater} {
    const auto parts = split(bound);
    whole_ = parts.first;
    fraction_ = parts.second;
    const int n = static_cast<int>(whole_.size());
    const int32_t start = dfa_.add(budget);
    std::vector<std::array<int32_t, 3>> whole(n + 2);
    for (int i = 1; i <= n + 1; ++i)
      for (auto& s : whole[i]) s = dfa_.add(budget);
    for (auto& s : behind_) s = dfa_.add(budget);  // after the point: already less, already greater
    std::vector<int32_t> equal_at(fraction_.size() + 1);
    for (auto& s : equal_at) s = dfa_.add(budget);

    for (int i = 0; i <= n; ++i)  // a digit after i digits; from n + 1 on the number of digits decides
      for (int relation = 0; relation < 3; ++relation) {
        if (i == 0 && relation != 1) continue;
        const int32_t from = i == 0 ? start : whole[i][relation];
        for (char c = '0'; c <= '9'; ++c) {
          int now = relation;
          if (i < n && relation == 1) now = c < whole_[i] ? 0 : c > whole_[i] ? 2 : 1;
          digit(from, whole[std::min(i + 1, n + 1)][now], c);
        }
      }
    for (int relation = 0; relation < 3; ++relation) {
      for (char c = '0'; c <= '9'; ++c) digit(whole[n + 1][relation], whole[n + 1][relation], c);
      for (int i = 1; i <= n + 1; ++i) {
        const int value = i < n ? 0 : i > n ? 2 : relation;
        const bool over = value == 1 && !fraction_.empty();  // the bound goes on behind the point: less
        dfa_.states[whole[i][relation]].final = wanted_[over ? 0 : value];
        dfa_.edge(whole[i][relation], value == 1 ? equal_at[0] : behind_[value / 2], '.', '.');
      }
    }
    for (int k = 0; k < 2; ++k) {
      dfa_.states[behind_[k]].final = wanted_[2 * k];
      for (char c = '0'; c <= '9'; ++c) digit(behind_[k], behind_[k], c);
    }
    for (size_t i = 0; i <= fraction_.size(); ++i) {
      const bool last = i == fraction_.size();
      dfa_.states[equal_at[i]].final = wanted_[last ? 1 : 0];
      const char own = last ? '0' : fraction_[i];
      for (char c = '0'; c <= '9'; ++c)
        digit(equal_at[i], c == own ? equal_at[last ? i : i + 1] : behind_[c < own ? 0 : 1], c);
    }
  }
  Nfa take() { return std::move(dfa_); }

 private:
  void digit(int32_t from, int32_t to, char c) {
    dfa_.edge(from, to, static_cast<uint8_t>(c), static_cast<uint8_t>(c));
  }
  bool wanted_[3];
  std::string whole_, fraction_;
  std::array<int32_t, 2> behind_{};
  Nfa dfa_;
};

// Numbers without sign that are multiples of m = a * 10^-k: (a number with f <= k digits behind the point, read as an
// integer) * 10^(k - f) is a multiple of a.
Nfa multiples_dfa(const Decimal& m, Budget& budget) {
  auto [whole, fraction] = split(m);
  const int k = static_cast<int>(fraction.size());
  int64_t a = 0;
  for (const char c : whole + fraction) {
    a = 10 * a + (c - '0');
    if (a > 5000)
      throw Error(Code::unsupported,
                  "multipleOf has too many digits for an automaton (at most 5000 in units of its last digit)");
  }
  // Layer 0: before the point; layer f + 1: behind it, f digits read.
  const int layers = k == 0 ? 1 : k + 2;
  const auto state = [&](int layer, int64_t rest) { return static_cast<int32_t>(layer * a + rest); };
  Nfa dfa;
  budget.states(static_cast<size_t>(a) * layers);
  budget.steps(static_cast<size_t>(a) * layers * 10);
  dfa.states.resize(static_cast<size_t>(a) * layers);
  for (int layer = 0; layer < layers; ++layer)
    for (int64_t r = 0; r < a; ++r) {
      int64_t padded = r;
      for (int i = std::max(layer - 1, 0); i < k; ++i) padded = padded * 10 % a;
      auto& s = dfa.states[state(layer, r)];
      s.final = padded == 0;
      if (layer == 0 && k > 0) s.edges.push_back({'.', '.', state(1, r)});
      for (int d = 0; d < 10; ++d) {
        const auto c = static_cast<uint8_t>('0' + d);
        if (layer == 0) s.edges.push_back({c, c, state(0, (10 * r + d) % a)});
        if (layer > 0 && layer <= k) s.edges.push_back({c, c, state(layer + 1, (10 * r + d) % a)});
        if (layer > k && d == 0) s.edges.push_back({c, c, state(layer, r)});
      }
    }
  return dfa;
}

// The numbers of one sign whose value is in the range, without their sign; nothing if there are none.
std::optional<Nfa> one_sign(const NumberRange& range, bool negative, const Nfa& syntax, Budget& budget) {
  Nfa all = syntax;
  const auto keep = [&](const Decimal& bound, bool less, bool greater, bool open) {
    all = intersect(all, Comparison(bound, less, !open, greater, budget).take(), budget);
  };
  for (const auto* list : {&range.at_least, &range.at_most}) {
    const bool lower = list == &range.at_least;
    for (const auto& b : *list) {
      const bool zero = b.value.digits == "0";
      if (b.value.negative == negative || zero) {
        keep(b.value, lower == negative, lower != negative, b.open);  // -m >= -b is m <= b
      } else if (lower != b.value.negative) {
        return std::nullopt;  // a negative number over a positive bound, or the other way round
      }
    }
  }
  for (const auto& m : range.multiples) all = intersect(all, multiples_dfa(m, budget), budget);
  if (is_empty(all)) return std::nullopt;
  return all;
}

}  // namespace

Nfa number_dfa(const NumberRange& range, bool integer, Budget& budget) {
  Exprs x(budget);
  const ExprId whole = x.choice({x.literal("0"), x.sequence({x.bytes('1', '9'), x.repeat(x.bytes('0', '9'), 0, -1)})});
  const ExprId fraction = x.optional(x.sequence({x.literal("."), x.repeat(x.bytes('0', '9'), 1, -1)}));
  const Nfa syntax = x.to_dfa(integer ? whole : x.sequence({whole, fraction}));
  std::vector<ExprId> options;
  if (auto plus = one_sign(range, false, syntax, budget))
    options.push_back(x.automaton(std::make_shared<const Nfa>(std::move(*plus))));
  if (auto minus = one_sign(range, true, syntax, budget))
    options.push_back(x.sequence({x.literal("-"), x.automaton(std::make_shared<const Nfa>(std::move(*minus)))}));
  return x.to_dfa(x.choice(std::move(options)), size_t{1} << 16);
}

int compare(const Decimal& a, const Decimal& b) {
  if (a.negative != b.negative) return a.negative ? -1 : 1;
  return a.negative ? -compare_magnitude(a, b) : compare_magnitude(a, b);
}

}  // namespace jevons::grammar
