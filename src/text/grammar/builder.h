// Puts grammars together: fixed texts and whole grammars one after another, one of several, repeated. The parts are
// copied once each, however often they are used.
//
//   GrammarBuilder b;
//   const auto item = b.sequence({b.text("<a>"), b.grammar(number), b.text("</a>")});
//   Result<GrammarPtr> list = b.build(b.repeat(item, 1, -1));
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "text/grammar/automaton.h"
#include "text/grammar/grammar.h"

namespace jevons {

namespace grammar {

// The rules of several grammars in one list, behind a first one that is still to be made.
class RuleImports {
 public:
  explicit RuleImports(std::string first_name) { rules_.push_back({std::move(first_name), {}}); }
  RuleId add(const GrammarPtr& grammar);  // the rule of its whole text
  // With the first rule, which may call the others; its edges that read nothing are removed.
  GrammarPtr finish(Nfa first, Budget& budget);

 private:
  std::vector<RuleNfa> rules_;
  std::vector<std::string> warnings_;
  std::map<const Grammar*, RuleId> starts_;
  std::vector<GrammarPtr> kept_;
};

}  // namespace grammar

class GrammarBuilder {
 public:
  using Part = grammar::ExprId;

  Part text(std::string_view literal) { return exprs_.literal(std::string(literal)); }
  Part grammar(const GrammarPtr& grammar) { return exprs_.rule(imports_.add(grammar)); }
  Part sequence(std::vector<Part> parts) { return exprs_.sequence(std::move(parts)); }
  Part choice(std::vector<Part> options) { return exprs_.choice(std::move(options)); }
  Part repeat(Part what, int64_t min, int64_t max) { return exprs_.repeat(what, min, max); }  // max < 0: no limit
  Result<GrammarPtr> build(Part root);

 private:
  grammar::Budget budget_;
  grammar::Exprs exprs_{budget_};
  grammar::RuleImports imports_{"whole"};
};

}  // namespace jevons
