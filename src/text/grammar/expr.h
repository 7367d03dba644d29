// Expressions: what the front ends (JSON Schema, regex, EBNF) are translated to, and their way to byte automata.
//
// An Exprs is an arena; an ExprId names a node in it. Rules may refer to each other and to themselves, except leftmost.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/grammar/nfa.h"

namespace jevons::grammar {

using ExprId = int32_t;
using RuleId = int32_t;

// A set of code points without surrogates, as sorted disjoint ranges.
class CharSet {
 public:
  struct Range {
    uint32_t lo, hi;
    auto operator<=>(const Range&) const = default;
  };
  CharSet() = default;
  CharSet(std::initializer_list<Range> ranges) {
    for (const Range& r : ranges) add(r.lo, r.hi);
  }
  void add(uint32_t lo, uint32_t hi) { ranges_.push_back({lo, hi}); }
  void add(const CharSet& other) { ranges_.insert(ranges_.end(), other.ranges_.begin(), other.ranges_.end()); }
  CharSet complement() const;
  std::vector<Range> ranges() const;  // sorted, merged, without surrogates

 private:
  std::vector<Range> ranges_;
};

class Exprs {
 public:
  struct GraphEdge {
    int32_t from, to;
    ExprId label;
  };

  explicit Exprs(Budget& budget) : budget_(budget) {}
  Budget& budget() { return budget_; }

  ExprId empty() { return sequence({}); }
  ExprId never() { return choice({}); }
  ExprId literal(std::string text);
  ExprId bytes(uint8_t lo, uint8_t hi);
  ExprId chars(const CharSet& set);  // one character, in UTF-8
  ExprId sequence(std::vector<ExprId> parts);
  ExprId choice(std::vector<ExprId> options);
  ExprId repeat(ExprId what, int64_t min, int64_t max);  // max < 0: no limit
  ExprId optional(ExprId what) { return repeat(what, 0, 1); }
  ExprId anchor(bool end);
  ExprId rule(RuleId id);
  ExprId automaton(std::shared_ptr<const Nfa> nfa);
  // All ways from node 0 to the last one.
  ExprId graph(int32_t nodes, std::vector<GraphEdge> edges);

  RuleId declare(std::string name);
  void define(RuleId id, ExprId body) { rules_[id].body = body; }
  bool defined(RuleId id) const { return rules_[id].body >= 0; }
  const std::string& name(RuleId id) const { return rules_[id].name; }
  size_t rule_count() const { return rules_.size(); }

  Nfa to_nfa(ExprId id);       // one expression; calls stay calls
  Nfa rule_to_nfa(RuleId id);  // throws if the rule is not defined
  // A deterministic automaton of an expression without rules, anchors resolved. Throws if it takes over `max_states`.
  Nfa to_dfa(ExprId id, size_t max_states = 1 << 14);

 private:
  enum class Kind : uint8_t { literal, bytes, sequence, choice, repeat, begin, end, rule, automaton, graph };
  struct Node {
    Kind kind;
    uint8_t lo = 0, hi = 0;
    int32_t nodes = 0;
    int64_t min = 0, max = 0;
    std::string text{};
    std::vector<ExprId> parts{};
    std::vector<GraphEdge> edges{};
    std::shared_ptr<const Nfa> nfa{};
  };
  struct Rule {
    std::string name;
    ExprId body = -1;
  };
  ExprId push(Node node);
  void build(Nfa& nfa, ExprId id, int32_t from, int32_t to);
  void build_repeat(Nfa& nfa, const Node& node, int32_t from, int32_t to);

  Budget& budget_;
  std::vector<Node> nodes_;
  std::vector<Rule> rules_;
};

}  // namespace jevons::grammar
