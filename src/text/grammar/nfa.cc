#include "text/grammar/nfa.h"

#include <algorithm>
#include <map>

#include "base/strings.h"

namespace jevons::grammar {
namespace {

constexpr auto kAnywhere = Nfa::Skip::Where::anywhere;

// `set` and everything that can be reached from it without reading, sorted.
void close(const Nfa& nfa, std::vector<int32_t>& set, std::vector<bool>& seen, Budget& budget) {
  for (const int32_t s : set) seen[s] = true;
  for (size_t i = 0; i < set.size(); ++i) {
    budget.steps(1 + nfa.states[set[i]].skips.size());
    for (const auto& skip : nfa.states[set[i]].skips)
      if (!seen[skip.to]) {
        seen[skip.to] = true;
        set.push_back(skip.to);
      }
  }
  for (const int32_t s : set) seen[s] = false;
  std::sort(set.begin(), set.end());
}

// The byte edges of a set of states as disjoint ranges, each with all the states it leads to.
struct Step {
  uint8_t lo, hi;
  std::vector<int32_t> to;
};

std::vector<Step> steps_of(const Nfa& nfa, const std::vector<int32_t>& set, Budget& budget) {
  std::vector<Nfa::Edge> edges;
  bool cut[257] = {};
  for (const int32_t s : set)
    for (const auto& e : nfa.states[s].edges) {
      edges.push_back(e);
      cut[e.lo] = cut[e.hi + 1] = true;
    }
  budget.steps(1 + edges.size());
  std::sort(edges.begin(), edges.end());
  std::vector<Step> steps;
  if (edges.empty()) return steps;
  std::vector<Nfa::Edge> open;
  size_t next = 0;
  for (int lo = 0; lo < 256;) {
    int end = lo + 1;
    while (end < 256 && !cut[end]) ++end;
    std::erase_if(open, [&](const Nfa::Edge& e) { return e.hi < lo; });
    for (; next < edges.size() && edges[next].lo <= lo; ++next) open.push_back(edges[next]);
    if (!open.empty()) {
      Step step{static_cast<uint8_t>(lo), static_cast<uint8_t>(end - 1), {}};
      for (const auto& e : open) step.to.push_back(e.to);
      std::sort(step.to.begin(), step.to.end());
      step.to.erase(std::unique(step.to.begin(), step.to.end()), step.to.end());
      budget.steps(step.to.size());
      steps.push_back(std::move(step));
    }
    lo = end;
  }
  return steps;
}

int32_t next_state(const Nfa& dfa, int32_t state, uint8_t byte) {
  for (const auto& e : dfa.states[state].edges)
    if (e.lo <= byte && byte <= e.hi) return e.to;
  return -1;
}

}  // namespace

void Budget::take(size_t& left, size_t n, const char* what) {
  if (n > left)
    throw Error(Code::too_large, cat("the grammar needs too many ", what,
                                     ": make repeat counts and lengths smaller, or alternatives less ambiguous"));
  left -= n;
}

// Four copies of the automaton: bit 0 tells that something was read, bit 1 that nothing more may be.
Nfa resolve_anchors(const Nfa& nfa, Budget& budget) {
  const auto n = static_cast<int32_t>(nfa.states.size());
  bool anchored = false;
  for (const auto& s : nfa.states)
    for (const auto& skip : s.skips) anchored |= skip.where != kAnywhere;
  if (!anchored) return nfa;
  Nfa out;
  budget.states(4 * nfa.states.size());
  out.states.resize(4 * nfa.states.size());
  for (int32_t copy = 0; copy < 4; ++copy)
    for (int32_t s = 0; s < n; ++s) {
      auto& state = out.states[copy * n + s];
      state.final = nfa.states[s].final;
      if (!(copy & 2))
        for (const auto& e : nfa.states[s].edges) state.edges.push_back({e.lo, e.hi, (copy | 1) * n + e.to});
      for (const auto& skip : nfa.states[s].skips) {
        if (skip.where == Nfa::Skip::Where::begin && (copy & 1)) continue;
        const int32_t to = skip.where == Nfa::Skip::Where::end ? copy | 2 : copy;
        state.skips.push_back({to * n + skip.to});
      }
    }
  return out;
}

std::optional<Nfa> determinise(const Nfa& nfa, size_t max_states, Budget& budget) {
  Nfa out;
  std::map<std::vector<int32_t>, int32_t> ids;
  std::vector<const std::vector<int32_t>*> sets;
  std::vector<bool> seen(nfa.states.size());
  const auto id_of = [&](std::vector<int32_t> set) {
    close(nfa, set, seen, budget);
    const auto [at, fresh] = ids.emplace(std::move(set), static_cast<int32_t>(sets.size()));
    if (fresh) sets.push_back(&at->first);
    return at->second;
  };
  id_of({0});
  for (size_t i = 0; i < sets.size(); ++i) {
    if (sets.size() > max_states) return std::nullopt;
    Nfa::State state;
    std::map<int32_t, std::vector<int32_t>> calls;
    for (const int32_t s : *sets[i]) {
      state.final |= nfa.states[s].final;
      for (const auto& call : nfa.states[s].calls) calls[call.rule].push_back(call.to);
    }
    for (auto& step : steps_of(nfa, *sets[i], budget)) {
      const int32_t to = id_of(std::move(step.to));
      if (!state.edges.empty() && state.edges.back().to == to && state.edges.back().hi + 1 == step.lo)
        state.edges.back().hi = step.hi;
      else
        state.edges.push_back({step.lo, step.hi, to});
    }
    for (auto& [rule, to] : calls) {
      std::sort(to.begin(), to.end());
      to.erase(std::unique(to.begin(), to.end()), to.end());
      state.calls.push_back({rule, id_of(std::move(to))});
    }
    out.states.push_back(std::move(state));
  }
  return out;
}

Nfa remove_skips(const Nfa& nfa, Budget& budget) {
  Nfa out;
  std::vector<int32_t> ids(nfa.states.size(), -1), order;
  std::vector<bool> seen(nfa.states.size());
  const auto id_of = [&](int32_t s) {
    if (ids[s] < 0) {
      ids[s] = static_cast<int32_t>(order.size());
      order.push_back(s);
    }
    return ids[s];
  };
  id_of(0);
  for (size_t i = 0; i < order.size(); ++i) {
    std::vector<int32_t> set{order[i]};
    close(nfa, set, seen, budget);
    Nfa::State state;
    for (const int32_t s : set) {
      state.final |= nfa.states[s].final;
      budget.steps(nfa.states[s].edges.size() + nfa.states[s].calls.size());
      for (const auto& e : nfa.states[s].edges) state.edges.push_back({e.lo, e.hi, id_of(e.to)});
      for (const auto& call : nfa.states[s].calls) state.calls.push_back({call.rule, id_of(call.to)});
    }
    out.states.push_back(std::move(state));
  }
  return out;
}

Nfa intersect(const Nfa& a, const Nfa& b, Budget& budget) {
  Nfa out;
  std::map<std::pair<int32_t, int32_t>, int32_t> ids;
  std::vector<std::pair<int32_t, int32_t>> pairs;
  const auto id_of = [&](int32_t s, int32_t t) {
    const auto [at, fresh] = ids.emplace(std::pair(s, t), static_cast<int32_t>(pairs.size()));
    if (fresh) {
      pairs.emplace_back(s, t);
      out.add(budget);
    }
    return at->second;
  };
  id_of(0, 0);
  for (size_t i = 0; i < pairs.size(); ++i) {
    const auto [s, t] = pairs[i];
    out.states[i].final = a.states[s].final && b.states[t].final;
    for (const auto& x : a.states[s].edges)
      for (const auto& y : b.states[t].edges) {
        const uint8_t lo = std::max(x.lo, y.lo), hi = std::min(x.hi, y.hi);
        budget.steps(1);
        if (lo > hi) continue;
        const int32_t to = id_of(x.to, y.to);
        out.states[i].edges.push_back({lo, hi, to});
      }
  }
  trim(out, {});
  return out;
}

Nfa complement(const Nfa& dfa, Budget& budget) {
  Nfa out = dfa;
  const int32_t sink = out.add(budget);
  out.edge(sink, sink, 0, 255);
  for (auto& state : out.states) {
    state.final = !state.final;
    std::sort(state.edges.begin(), state.edges.end());
    std::vector<Nfa::Edge> gaps;
    int from = 0;
    for (const auto& e : state.edges) {
      if (e.lo > from) gaps.push_back({static_cast<uint8_t>(from), static_cast<uint8_t>(e.lo - 1), sink});
      from = e.hi + 1;
    }
    if (from < 256) gaps.push_back({static_cast<uint8_t>(from), 255, sink});
    state.edges.insert(state.edges.end(), gaps.begin(), gaps.end());
  }
  return out;
}

bool accepts(const Nfa& dfa, std::string_view text) {
  int32_t state = 0;
  for (const char c : text)
    if ((state = next_state(dfa, state, static_cast<uint8_t>(c))) < 0) return false;
  return dfa.states[state].final;
}

bool is_empty(const Nfa& dfa) {
  Nfa copy = dfa;
  return !trim(copy, {});
}

bool trim(Nfa& nfa, const std::vector<bool>& alive) {
  const size_t n = nfa.states.size();
  std::vector<std::vector<int32_t>> from(n);
  const auto usable = [&](const Nfa::Call& call) { return alive.empty() || alive[call.rule]; };
  for (size_t s = 0; s < n; ++s) {
    for (const auto& e : nfa.states[s].edges) from[e.to].push_back(static_cast<int32_t>(s));
    for (const auto& skip : nfa.states[s].skips) from[skip.to].push_back(static_cast<int32_t>(s));
    for (const auto& call : nfa.states[s].calls)
      if (usable(call)) from[call.to].push_back(static_cast<int32_t>(s));
  }
  std::vector<bool> good(n);
  std::vector<int32_t> work;
  for (size_t s = 0; s < n; ++s)
    if (nfa.states[s].final) {
      good[s] = true;
      work.push_back(static_cast<int32_t>(s));
    }
  while (!work.empty()) {
    const int32_t s = work.back();
    work.pop_back();
    for (const int32_t p : from[s])
      if (!good[p]) {
        good[p] = true;
        work.push_back(p);
      }
  }
  for (auto& state : nfa.states) {
    std::erase_if(state.edges, [&](const Nfa::Edge& e) { return !good[e.to]; });
    std::erase_if(state.skips, [&](const Nfa::Skip& skip) { return !good[skip.to]; });
    std::erase_if(state.calls, [&](const Nfa::Call& call) { return !usable(call) || !good[call.to]; });
  }
  return good[0];
}

}  // namespace jevons::grammar
