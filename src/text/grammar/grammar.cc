#include "text/grammar/grammar.h"

#include "base/strings.h"
#include "text/grammar/configs.h"
#include "text/grammar/pattern.h"

namespace jevons {

using namespace grammar;  // NOLINT: this file is the front of that namespace

Grammar::Grammar(std::vector<RuleNfa> rules, int32_t start, std::vector<std::string> warnings)
    : rules_(std::make_shared<const std::vector<RuleNfa>>(std::move(rules))),
      automaton_(std::make_shared<const Automaton>(link(*rules_, start))),
      warnings_(std::move(warnings)) {}

namespace {

template <class Build>
Result<GrammarPtr> guarded(Build&& build) {
  try {
    return build();
  } catch (const Error& error) {
    return error;
  }
}

Status check_size(std::string_view text, const GrammarLimits& limits) {
  if (text.size() > limits.input_bytes)
    return Error(Code::too_large,
                 cat("the grammar has ", text.size(), " bytes; at most ", limits.input_bytes, " are read"));
  return {};
}

}  // namespace

Result<GrammarPtr> Grammar::from_regex(std::string_view pattern, const GrammarLimits& limits) {
  JEVONS_TRY_STATUS(check_size(pattern, limits));
  return guarded([&]() -> GrammarPtr {
    Budget budget(limits.states, limits.steps);
    Exprs exprs(budget);
    const RuleId root = exprs.declare("regex");
    const ExprId parsed = parse_pattern(exprs, pattern, limits.depth);
    const Nfa plain = resolve_anchors(exprs.to_nfa(parsed), budget);
    exprs.define(root, exprs.automaton(std::make_shared<const Nfa>(plain)));
    return std::make_shared<const Grammar>(compile_rules(exprs), root, std::vector<std::string>{});
  });
}

bool Grammar::matches(std::string_view text) const {
  Configs configs(*automaton_);
  int32_t config = configs.start();
  for (const char c : text)
    if ((config = configs.step(config, static_cast<uint8_t>(c))) == Configs::kDead) return false;
  return configs.complete(config);
}

}  // namespace jevons
