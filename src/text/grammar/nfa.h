// Byte automata, the common form that every front end of the grammar engine is translated to.
//
// A rule of a grammar is one Nfa. Its edges read a byte range, call another rule, or read nothing. Edges that read
// nothing may be anchored (regex ^ and $): they can be taken only where the text begins or ends.
//
// Everything here works under a Budget, counted in states and steps, not in seconds, so that the same input is accepted
// or refused on every machine. Exceeding it throws Error{too_large}.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace jevons::grammar {

class Budget {
 public:
  explicit Budget(size_t states = size_t{1} << 16, size_t steps = 2'000'000) : states_(states), steps_(steps) {}
  void states(size_t n) { take(states_, n, "automaton states"); }
  void steps(size_t n) { take(steps_, n, "construction steps"); }
  size_t states_left() const { return states_; }
  size_t steps_left() const { return steps_; }

 private:
  static void take(size_t& left, size_t n, const char* what);
  size_t states_, steps_;
};

struct Nfa {
  struct Edge {
    uint8_t lo, hi;
    int32_t to;
    auto operator<=>(const Edge&) const = default;
  };
  struct Call {
    int32_t rule, to;
    auto operator<=>(const Call&) const = default;
  };
  struct Skip {
    int32_t to;
    enum class Where : uint8_t { anywhere, begin, end } where = Where::anywhere;
  };
  struct State {
    std::vector<Edge> edges;
    std::vector<Call> calls;
    std::vector<Skip> skips;
    bool final = false;
  };

  std::vector<State> states;  // the first one is the start

  int32_t add(Budget& budget) {
    budget.states(1);
    states.emplace_back();
    return static_cast<int32_t>(states.size()) - 1;
  }
  void skip(int32_t from, int32_t to, Skip::Where where = Skip::Where::anywhere) {
    states[from].skips.push_back({to, where});
  }
  void edge(int32_t from, int32_t to, uint8_t lo, uint8_t hi) { states[from].edges.push_back({lo, hi, to}); }
};

// The same language without anchored edges.
Nfa resolve_anchors(const Nfa& nfa, Budget& budget);

// The same language without edges that read nothing; the automaton is deterministic if that takes no more than
// `max_states` states (calls are letters of their own). No anchors may be left.
std::optional<Nfa> determinise(const Nfa& nfa, size_t max_states, Budget& budget);
Nfa remove_skips(const Nfa& nfa, Budget& budget);

// On deterministic automata without calls: both; all strings (over all bytes) that are not accepted; is a string
// accepted; is none.
Nfa intersect(const Nfa& a, const Nfa& b, Budget& budget);
Nfa complement(const Nfa& dfa, Budget& budget);
bool accepts(const Nfa& dfa, std::string_view text);
bool is_empty(const Nfa& dfa);
// Removes states from which no end can be reached, `alive` telling which rules can be completed. False if nothing is
// left.
bool trim(Nfa& nfa, const std::vector<bool>& alive);

}  // namespace jevons::grammar
