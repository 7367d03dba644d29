#include "text/grammar/builder.h"

namespace jevons {
namespace grammar {

RuleId RuleImports::add(const GrammarPtr& grammar) {
  const auto known = starts_.find(grammar.get());
  if (known != starts_.end()) return known->second;
  const auto base = static_cast<RuleId>(rules_.size());
  for (RuleNfa rule : grammar->rules()) {
    for (auto& state : rule.nfa.states)
      for (auto& call : state.calls) call.rule += base;
    rules_.push_back(std::move(rule));
  }
  warnings_.insert(warnings_.end(), grammar->warnings().begin(), grammar->warnings().end());
  kept_.push_back(grammar);  // so that its address is not taken by another
  return starts_[grammar.get()] = base + grammar->automaton().start;
}

GrammarPtr RuleImports::finish(Nfa first, Budget& budget) {
  for (auto& state : first.states)
    for (const auto& call : state.calls)
      if (rules_[call.rule].nfa.states[0].final) state.skips.push_back({call.to});  // it may be empty
  rules_[0].nfa = remove_skips(first, budget);
  return std::make_shared<const Grammar>(std::move(rules_), 0, std::move(warnings_));
}

}  // namespace grammar

Result<GrammarPtr> GrammarBuilder::build(Part root) {
  try {
    return imports_.finish(exprs_.to_nfa(root), budget_);
  } catch (const Error& error) {
    return error;
  }
}

}  // namespace jevons
