#include "text/grammar/automaton.h"

#include <algorithm>

#include "base/strings.h"

namespace jevons::grammar {
namespace {

// Which rules can be completed at all, by the others that can.
std::vector<bool> completable(const std::vector<RuleNfa>& rules) {
  std::vector<bool> alive(rules.size());
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t r = 0; r < rules.size(); ++r) {
      if (alive[r]) continue;
      const Nfa& nfa = rules[r].nfa;
      std::vector<bool> seen(nfa.states.size());
      std::vector<int32_t> work{0};
      seen[0] = true;
      const auto visit = [&](int32_t s) {
        if (!seen[s]) work.push_back(s);
        seen[s] = true;
      };
      while (!work.empty() && !alive[r]) {
        const auto& state = nfa.states[work.back()];
        work.pop_back();
        if (state.final) alive[r] = changed = true;
        for (const auto& e : state.edges) visit(e.to);
        for (const auto& call : state.calls)
          if (alive[call.rule]) visit(call.to);
      }
    }
  }
  return alive;
}

// Which rules may be empty.
std::vector<bool> nullable_rules(const std::vector<Nfa>& nfas) {
  std::vector<bool> nullable(nfas.size());
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t r = 0; r < nfas.size(); ++r) {
      if (nullable[r]) continue;
      std::vector<bool> seen(nfas[r].states.size());
      std::vector<int32_t> work{0};
      while (!work.empty() && !nullable[r]) {
        const int32_t s = work.back();
        work.pop_back();
        if (seen[s]) continue;
        seen[s] = true;
        const auto& state = nfas[r].states[s];
        if (state.final) nullable[r] = changed = true;
        for (const auto& skip : state.skips) work.push_back(skip.to);
        for (const auto& call : state.calls)
          if (nullable[call.rule]) work.push_back(call.to);
      }
    }
  }
  return nullable;
}

// Ranks by depth-first search over the calls that a rule makes before it reads anything.
class Ranks {
 public:
  explicit Ranks(const std::vector<RuleNfa>& rules) : rules_(rules), state_(rules.size()), ranks_(rules.size()) {
    for (size_t r = 0; r < rules.size(); ++r) visit(static_cast<RuleId>(r));
    for (auto& rank : ranks_) rank = next_ - 1 - rank;
  }
  const std::vector<int32_t>& get() const { return ranks_; }

 private:
  struct Frame {
    RuleId rule;
    size_t call;
  };
  void visit(RuleId first) {
    if (state_[first]) return;
    std::vector<Frame> stack{{first, 0}};
    state_[first] = 1;
    while (!stack.empty()) {
      const RuleId r = stack.back().rule;
      const auto& calls = rules_[r].nfa.states[0].calls;
      if (stack.back().call == calls.size()) {
        state_[r] = 2;
        ranks_[r] = next_++;
        stack.pop_back();
        continue;
      }
      const RuleId callee = calls[stack.back().call++].rule;
      if (state_[callee] == 1)
        throw Error(Code::unsupported, cat("rule ", quote(rules_[callee].name),
                                           " begins with itself (left recursion), which this engine does not support: "
                                           "write it as a repetition, like item (\",\" item)*"));
      if (!state_[callee]) {
        state_[callee] = 1;
        stack.push_back({callee, 0});
      }
    }
  }
  const std::vector<RuleNfa>& rules_;
  std::vector<char> state_;
  std::vector<int32_t> ranks_;
  int32_t next_ = 0;
};

}  // namespace

std::vector<RuleNfa> compile_rules(Exprs& exprs) {
  std::vector<Nfa> nfas;
  std::vector<RuleNfa> rules;
  for (RuleId r = 0; r < static_cast<RuleId>(exprs.rule_count()); ++r) nfas.push_back(exprs.rule_to_nfa(r));
  const auto nullable = nullable_rules(nfas);
  for (RuleId r = 0; r < static_cast<RuleId>(nfas.size()); ++r) {
    for (auto& state : nfas[r].states)
      for (const auto& call : state.calls)
        if (nullable[call.rule]) state.skips.push_back({call.to});
    // Unambiguous where that costs little; else alternatives are followed side by side when the grammar is used.
    const size_t limit = 2 * nfas[r].states.size() + 64;
    Budget effort(0, std::min<size_t>(exprs.budget().steps_left() / 2, 40 * limit + 10'000));
    std::optional<Nfa> dfa;
    try {
      dfa = determinise(nfas[r], limit, effort);
    } catch (const Error&) {  // too ambiguous for the effort it is worth
    }
    rules.push_back({exprs.name(r), dfa ? std::move(*dfa) : remove_skips(nfas[r], exprs.budget())});
    nfas[r] = {};
  }
  return rules;
}

Automaton link(const std::vector<RuleNfa>& input, RuleId start) {
  std::vector<RuleNfa> rules = input;
  const auto alive = completable(rules);
  if (!alive[start])
    throw Error(Code::invalid, "no text fits this grammar: every way through it ends in a contradiction");
  for (size_t r = 0; r < rules.size(); ++r)
    if (alive[r]) trim(rules[r].nfa, alive);
  for (size_t r = 0; r < rules.size(); ++r)
    if (!alive[r]) rules[r].nfa.states.resize(1), rules[r].nfa.states[0] = {};
  const auto ranks = Ranks(rules).get();
  Automaton out;
  out.start = start;
  for (size_t r = 0; r < rules.size(); ++r) {
    const auto base = static_cast<int32_t>(out.states.size());
    out.rules.push_back({base, ranks[r], rules[r].name});
    for (const auto& s : rules[r].nfa.states) {
      Automaton::State state{static_cast<int32_t>(out.edge_list.size()), 0, static_cast<int32_t>(out.call_list.size()),
                             0, s.final};
      for (auto e : s.edges) out.edge_list.push_back({e.lo, e.hi, base + e.to});
      for (auto call : s.calls) out.call_list.push_back({call.rule, base + call.to});
      state.edges_end = static_cast<int32_t>(out.edge_list.size());
      state.calls_end = static_cast<int32_t>(out.call_list.size());
      out.states.push_back(state);
    }
  }
  return out;
}

}  // namespace jevons::grammar
