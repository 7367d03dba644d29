// The compiled form of a grammar: one byte automaton per rule, laid out flat. Immutable.
//
// Rules are sorted by rank, so that a rule which calls another before it has read anything comes before it. Such an
// order exists because left recursion is refused.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "text/grammar/expr.h"

namespace jevons::grammar {

struct Automaton {
  struct State {
    int32_t edges, edges_end, calls, calls_end;
    bool final;
  };
  struct Rule {
    int32_t start;
    int32_t rank;
    std::string name;
  };
  std::vector<State> states;
  std::vector<Nfa::Edge> edge_list;
  std::vector<Nfa::Call> call_list;
  std::vector<Rule> rules;
  RuleId start = 0;

  std::span<const Nfa::Edge> edges(int32_t s) const {
    return std::span(edge_list).subspan(states[s].edges, states[s].edges_end - states[s].edges);
  }
  std::span<const Nfa::Call> calls(int32_t s) const {
    return std::span(call_list).subspan(states[s].calls, states[s].calls_end - states[s].calls);
  }
};

// A rule before it is laid out; no edges that read nothing, no anchors.
struct RuleNfa {
  std::string name;
  Nfa nfa;
};

// The automata of all rules. Throws on a rule that is not defined.
std::vector<RuleNfa> compile_rules(Exprs& exprs);
// Refuses left recursion and grammars that no text fits.
Automaton link(const std::vector<RuleNfa>& rules, RuleId start);

}  // namespace jevons::grammar
