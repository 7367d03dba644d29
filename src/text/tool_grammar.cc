#include "text/tool_grammar.h"

#include "base/json.h"
#include "base/strings.h"
#include "text/grammar/builder.h"

namespace jevons {
namespace {

constexpr const char *kHermes = "<tool_call>", *kHermesEnd = "</tool_call>", *kPython = "<|python_tag|>",
                     *kList = "<｜tool▁calls▁begin｜>", *kListEnd = "<｜tool▁calls▁end｜>",
                     *kCall = "<｜tool▁call▁begin｜>", *kCallEnd = "<｜tool▁call▁end｜>",
                     *kSeparator = "<｜tool▁sep｜>";

// How a form writes calls, inside what begins and ends a list of them.
struct Form {
  std::string before_name, before_arguments, after;  // the name is JSON text if `quoted`
  bool quoted = true;
  std::string between;
};

Form form_of(ToolFormat format) {
  switch (format) {
    case ToolFormat::deepseek:
      return {cat("function", kSeparator), "\n```json\n", "\n```", false, "\n"};
    case ToolFormat::deepseek_plain:
      return {"", kSeparator, "", false, ""};
    case ToolFormat::llama:
      return {"{\"name\": ", ", \"parameters\": ", "}", true, "; "};
    default:
      return {"{\"name\": ", ", \"arguments\": ", "}", true, "\n"};
  }
}

class ToolGrammar {
 public:
  ToolGrammar(ToolFormat format, const std::vector<CallableFunction>& functions, const ToolGrammarOptions& options)
      : format_(format), form_(form_of(format)), functions_(functions), options_(options) {}

  GrammarPtr build() {
    if (format_ == ToolFormat::llama) return options_.required ? calls("", "") : llama_text();
    if (format_ == ToolFormat::hermes) {
      if (options_.required) return calls(cat(kHermes, "\n"), cat("\n", kHermesEnd));
      return text({{kHermes, made([&](GrammarBuilder& b) {
                      return b.sequence({b.text("\n"), call(b), b.text("\n")});
                    }),
                    kHermesEnd}});
    }
    const GrammarPtr list = calls(kCall, kCallEnd);
    if (options_.required)
      return made([&](GrammarBuilder& b) { return b.sequence({b.text(kList), b.grammar(list), b.text(kListEnd)}); });
    return text({{kList, list, kListEnd}, {kCall, made([&](GrammarBuilder& b) { return call(b); }), kCallEnd}});
  }

 private:
  template <class Make>
  static GrammarPtr made(Make&& make) {
    GrammarBuilder b;
    const GrammarBuilder::Part root = make(b);
    return b.build(root).value();
  }

  GrammarBuilder::Part call(GrammarBuilder& b) const {
    std::vector<GrammarBuilder::Part> all;
    for (const CallableFunction& f : functions_)
      all.push_back(b.sequence(
          {b.text(cat(form_.before_name, form_.quoted ? Json(f.name).dump() : f.name, form_.before_arguments)),
           b.grammar(f.arguments), b.text(form_.after)}));
    return b.choice(std::move(all));
  }

  // One call, or several, each between `begin` and `end`.
  GrammarPtr calls(const std::string& begin, const std::string& end) const {
    const GrammarPtr one = made([&](GrammarBuilder& b) { return b.sequence({b.text(begin), call(b), b.text(end)}); });
    if (!options_.several) return one;
    return made([&](GrammarBuilder& b) {
      const auto more = b.sequence({b.text(form_.between), b.grammar(one)});
      return b.sequence({b.grammar(one), b.repeat(more, 0, -1)});
    });
  }

  GrammarPtr text(const std::vector<Grammar::Tag>& tags) const {
    return Grammar::with_tags(tags, {.required = false, .several = options_.several, .text = true}).value();
  }

  // An answer that begins with a brace is calls from there to its end; behind the tag there are calls, too.
  GrammarPtr llama_text() const {
    const GrammarPtr all = calls("", "");
    const GrammarPtr blank = Grammar::from_regex("[ \\t\\r\\n]*").value();
    const GrammarPtr other = Grammar::from_regex("[^ \\t\\r\\n{<]|<[^|]").value();
    const GrammarPtr rest = text({{kPython, all, ""}});
    return made([&](GrammarBuilder& b) {
      const auto called = b.sequence({b.choice({b.text(""), b.text(kPython)}), b.grammar(all)});
      const auto spoken = b.sequence({b.grammar(other), b.grammar(rest)});
      return b.sequence({b.grammar(blank), b.choice({b.text(""), called, spoken})});
    });
  }

  const ToolFormat format_;
  const Form form_;
  const std::vector<CallableFunction>& functions_;
  const ToolGrammarOptions& options_;
};

}  // namespace

Result<GrammarPtr> tool_grammar(ToolFormat format, const std::vector<CallableFunction>& functions,
                                const ToolGrammarOptions& options) {
  JEVONS_CHECK(format != ToolFormat::none && !functions.empty());
  try {
    return ToolGrammar(format, functions, options).build();
  } catch (const Error& error) {
    return error;
  }
}

const std::vector<std::string>& tool_markers() {
  static const std::vector<std::string> all = {kHermes,  kHermesEnd, kPython,  kList,
                                               kListEnd, kCall,      kCallEnd, kSeparator};
  return all;
}

}  // namespace jevons
