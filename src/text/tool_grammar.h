// Tool calls as a grammar, in the form that a model was taught (tool_calls.h): what it produces, ToolCallParser reads.
#pragma once
#include <string>
#include <vector>

#include "text/grammar/grammar.h"
#include "text/tool_calls.h"

namespace jevons {

struct CallableFunction {
  std::string name;
  GrammarPtr arguments;
};

struct ToolGrammarOptions {
  bool required = false;  // nothing but calls, at least one; else text, in which every call must fit
  bool several = true;    // more than one call
};

// Of hermes, deepseek, deepseek_plain or llama; at least one function.
Result<GrammarPtr> tool_grammar(ToolFormat format, const std::vector<CallableFunction>& functions,
                                const ToolGrammarOptions& options);

// The markers of all formats: special tokens that occur in such texts.
const std::vector<std::string>& tool_markers();

}  // namespace jevons
