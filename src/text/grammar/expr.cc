#include "text/grammar/expr.h"

#include <algorithm>

#include "base/strings.h"
#include "text/unicode.h"

namespace jevons::grammar {
namespace {

constexpr uint32_t kLastPoint = 0x10ffff;

// The byte sequences of the code points lo..hi, all of the same UTF-8 length, as ranges per byte: cut until every byte
// but the first differing one covers its whole range.
void utf8_ranges(uint32_t lo, uint32_t hi, std::vector<std::pair<std::string, std::string>>& out) {
  static constexpr uint32_t kEnds[] = {0x7f, 0x7ff, 0xffff, kLastPoint};
  for (const uint32_t end : kEnds)
    if (lo <= end && end < hi) {
      utf8_ranges(lo, end, out);
      return utf8_ranges(end + 1, hi, out);
    }
  for (int i = 1; i < 4 && hi > 0x7f; ++i) {
    const uint32_t mask = (1U << 6 * i) - 1;
    if ((lo & ~mask) == (hi & ~mask)) continue;
    if (lo & mask) {
      utf8_ranges(lo, lo | mask, out);
      return utf8_ranges((lo | mask) + 1, hi, out);
    }
    if ((hi & mask) != mask) {
      utf8_ranges(lo, (hi & ~mask) - 1, out);
      return utf8_ranges(hi & ~mask, hi, out);
    }
  }
  std::string a, b;
  unicode::append_utf8(a, lo);
  unicode::append_utf8(b, hi);
  out.emplace_back(std::move(a), std::move(b));
}

}  // namespace

std::vector<CharSet::Range> CharSet::ranges() const {
  std::vector<Range> sorted;
  for (const Range& r : ranges_) {  // without surrogates
    if (r.lo < 0xd800) sorted.push_back({r.lo, std::min(r.hi, 0xd7ffU)});
    if (r.hi > 0xdfff) sorted.push_back({std::max(r.lo, 0xe000U), std::min(r.hi, kLastPoint)});
  }
  std::sort(sorted.begin(), sorted.end());
  std::vector<Range> out;
  for (const Range& r : sorted)
    if (r.lo > r.hi)
      continue;
    else if (!out.empty() && r.lo <= out.back().hi + 1)
      out.back().hi = std::max(out.back().hi, r.hi);
    else
      out.push_back(r);
  return out;
}

CharSet CharSet::complement() const {
  CharSet out;
  uint32_t from = 0;
  for (const Range& r : ranges()) {
    if (r.lo > from) out.add(from, r.lo - 1);
    from = r.hi + 1;
  }
  if (from <= kLastPoint) out.add(from, kLastPoint);
  return out;
}

ExprId Exprs::push(Node node) {
  budget_.steps(1);
  nodes_.push_back(std::move(node));
  return static_cast<ExprId>(nodes_.size()) - 1;
}

ExprId Exprs::literal(std::string text) {
  budget_.steps(text.size());
  return push({.kind = Kind::literal, .text = std::move(text)});
}
ExprId Exprs::bytes(uint8_t lo, uint8_t hi) { return push({.kind = Kind::bytes, .lo = lo, .hi = hi}); }
ExprId Exprs::sequence(std::vector<ExprId> parts) {
  return parts.size() == 1 ? parts[0] : push({.kind = Kind::sequence, .parts = std::move(parts)});
}
ExprId Exprs::choice(std::vector<ExprId> options) {
  return options.size() == 1 ? options[0] : push({.kind = Kind::choice, .parts = std::move(options)});
}
ExprId Exprs::repeat(ExprId what, int64_t min, int64_t max) {
  return push({.kind = Kind::repeat, .min = min, .max = max, .parts = {what}});
}
ExprId Exprs::anchor(bool end) { return push({.kind = end ? Kind::end : Kind::begin}); }
ExprId Exprs::rule(RuleId id) { return push({.kind = Kind::rule, .nodes = id}); }
ExprId Exprs::automaton(std::shared_ptr<const Nfa> nfa) {
  return push({.kind = Kind::automaton, .nfa = std::move(nfa)});
}
ExprId Exprs::graph(int32_t nodes, std::vector<GraphEdge> edges) {
  return push({.kind = Kind::graph, .nodes = nodes, .edges = std::move(edges)});
}

// Deterministic: sequences with the same first bytes share states, and all end in one.
ExprId Exprs::chars(const CharSet& set) {
  std::vector<std::pair<std::string, std::string>> sequences;
  for (const auto& r : set.ranges()) utf8_ranges(r.lo, r.hi, sequences);
  if (sequences.empty()) return never();
  auto nfa = std::make_shared<Nfa>();
  nfa->states.resize(2);
  nfa->states[1].final = true;
  for (const auto& [lo, hi] : sequences) {
    budget_.steps(lo.size());
    int32_t at = 0;
    for (size_t i = 0; i < lo.size(); ++i) {
      const auto a = static_cast<uint8_t>(lo[i]), b = static_cast<uint8_t>(hi[i]);
      const auto& edges = nfa->states[at].edges;
      if (i + 1 == lo.size()) {
        nfa->edge(at, 1, a, b);
      } else if (!edges.empty() && edges.back().lo == a && edges.back().hi == b && edges.back().to != 1) {
        at = edges.back().to;
      } else {
        const auto next = static_cast<int32_t>(nfa->states.size());
        nfa->states.emplace_back();
        nfa->edge(at, next, a, b);
        at = next;
      }
    }
  }
  return automaton(std::move(nfa));
}

RuleId Exprs::declare(std::string name) {
  budget_.steps(1);
  rules_.push_back({std::move(name)});
  return static_cast<RuleId>(rules_.size()) - 1;
}

Nfa Exprs::to_nfa(ExprId id) {
  Nfa nfa;
  nfa.add(budget_);
  const int32_t to = nfa.add(budget_);
  nfa.states[to].final = true;
  build(nfa, id, 0, to);
  return nfa;
}

Nfa Exprs::rule_to_nfa(RuleId id) {
  if (!defined(id))
    throw Error(Code::invalid, cat("rule ", quote(rules_[id].name), " is used but not defined: add a line for it"));
  return to_nfa(rules_[id].body);
}

Nfa Exprs::to_dfa(ExprId id, size_t max_states) {
  auto dfa = determinise(resolve_anchors(to_nfa(id), budget_), max_states, budget_);
  if (!dfa)
    throw Error(Code::too_large, cat("a pattern needs over ", max_states,
                                     " states when it is made unambiguous: make its repeat counts smaller"));
  trim(*dfa, {});
  return std::move(*dfa);
}

void Exprs::build(Nfa& nfa, ExprId id, int32_t from, int32_t to) {
  const Node& node = nodes_[id];
  budget_.steps(1);
  switch (node.kind) {
    case Kind::literal: {
      int32_t at = from;
      for (const char c : node.text) {
        const int32_t next = nfa.add(budget_);
        nfa.edge(at, next, static_cast<uint8_t>(c), static_cast<uint8_t>(c));
        at = next;
      }
      return nfa.skip(at, to);
    }
    case Kind::bytes:
      return nfa.edge(from, to, node.lo, node.hi);
    case Kind::sequence: {
      int32_t at = from;
      for (const ExprId part : node.parts) {
        const int32_t next = nfa.add(budget_);
        build(nfa, part, at, next);
        at = next;
      }
      return nfa.skip(at, to);
    }
    case Kind::choice:
      for (const ExprId option : node.parts) {
        const int32_t start = nfa.add(budget_);  // of its own: a loop at the beginning must not reach the others
        const int32_t end = nfa.add(budget_);
        nfa.skip(from, start);
        build(nfa, option, start, end);
        nfa.skip(end, to);
      }
      return;
    case Kind::repeat:
      return build_repeat(nfa, node, from, to);
    case Kind::begin:
      return nfa.skip(from, to, Nfa::Skip::Where::begin);
    case Kind::end:
      return nfa.skip(from, to, Nfa::Skip::Where::end);
    case Kind::rule:
      nfa.states[from].calls.push_back({node.nodes, to});
      return;
    case Kind::automaton: {
      const auto base = static_cast<int32_t>(nfa.states.size());
      budget_.states(node.nfa->states.size());
      budget_.steps(node.nfa->states.size());
      for (Nfa::State state : node.nfa->states) {
        for (auto& e : state.edges) e.to += base;
        for (auto& e : state.calls) e.to += base;
        for (auto& e : state.skips) e.to += base;
        if (state.final) state.skips.push_back({to});
        state.final = false;
        nfa.states.push_back(std::move(state));
      }
      return nfa.skip(from, base);
    }
    case Kind::graph: {
      const auto base = static_cast<int32_t>(nfa.states.size());
      for (int32_t i = 0; i < node.nodes; ++i) nfa.add(budget_);
      nfa.skip(from, base);
      nfa.skip(base + node.nodes - 1, to);
      for (const auto& e : node.edges) {
        const int32_t start = nfa.add(budget_);
        nfa.skip(base + e.from, start);
        build(nfa, e.label, start, base + e.to);
      }
      return;
    }
  }
}

void Exprs::build_repeat(Nfa& nfa, const Node& node, int32_t from, int32_t to) {
  const ExprId what = node.parts[0];
  int32_t at = nfa.add(budget_);
  nfa.skip(from, at);
  for (int64_t i = 0; i < node.min; ++i) {
    const int32_t next = nfa.add(budget_);
    build(nfa, what, at, next);
    at = next;
  }
  if (node.max < 0) {
    const int32_t loop = nfa.add(budget_), back = nfa.add(budget_);
    nfa.skip(at, loop);
    build(nfa, what, loop, back);
    nfa.skip(back, loop);
    return nfa.skip(loop, to);
  }
  for (int64_t i = node.min; i < node.max; ++i) {
    const int32_t next = nfa.add(budget_);
    nfa.skip(at, to);
    build(nfa, what, at, next);
    at = next;
  }
  nfa.skip(at, to);
}

}  // namespace jevons::grammar
