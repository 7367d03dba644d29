// Grammars for constrained decoding: what a text must look like, as a byte-level pushdown automaton.
//
//   auto grammar = Grammar::from_json_schema(schema);              // or from_regex, from_ebnf, json_object
//   if (!grammar.ok()) return grammar.error();                     // a sentence; for schemas with the JSON pointer
//   auto masks = std::make_shared<TokenMasks>(*grammar, vocab);    // vocab: one GrammarVocab per tokenizer
//   GrammarMatcher matcher(masks);                                 // one per sequence (token_masks.h, matcher.h)
//   request.on_logits = [&](std::span<float> logits) { matcher.apply(logits); };
//   request.on_token = [&](int32_t id, bool) { matcher.accept(id); ... };
//
// Text before the constrained part (a thought, prose before a tool call) is part of the grammar: see `after` and
// `with_tags`. Compiling is bounded in size, depth and steps; what exceeds it is refused with a sentence, on every
// machine alike. A Grammar is immutable and may be shared between threads.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace jevons {

namespace grammar {
struct Automaton;
struct RuleNfa;
}  // namespace grammar

struct GrammarLimits {
  size_t input_bytes = 1 << 20;
  size_t states = 1 << 16;   // of the automata under construction
  size_t steps = 2'000'000;  // about 100 ms
  int depth = 200;           // nesting of the input
};

struct JsonSchemaOptions {
  // compact: no white space. free: what pretty printers write, at most one line break and `indent` blanks per place.
  enum class Space { compact, free } space = Space::free;
  int indent = 24;
  // oneOf whose branches cannot be proved disjoint: refused, or treated as anyOf with a warning.
  bool one_of_as_any_of = false;
  GrammarLimits limits{};
};

class Grammar;
using GrammarPtr = std::shared_ptr<const Grammar>;

class Grammar {
 public:
  // The supported keywords and what is refused: docs/constrained.md.
  static Result<GrammarPtr> from_json_schema(const Json& schema, const JsonSchemaOptions& options = {});
  // The whole text must match. Syntax: ECMA 262 without look-around, back references and word boundaries.
  static Result<GrammarPtr> from_regex(std::string_view pattern, const GrammarLimits& limits = {});
  // The notation of llama.cpp's .gbnf files; the rule `root` is the text.
  static Result<GrammarPtr> from_ebnf(std::string_view text, const GrammarLimits& limits = {});
  // Any JSON object.
  static GrammarPtr json_object(const JsonSchemaOptions& options = {});

  // Free text up to and including the first `trigger` ("</think>"), then `grammar`.
  static Result<GrammarPtr> after(std::string_view trigger, const GrammarPtr& grammar);
  // Free text with constrained parts: wherever a tag's `begin` appears, its grammar and then `end` must follow.
  struct Tag {
    std::string begin;
    GrammarPtr grammar;
    std::string end;
  };
  struct TagOptions {
    bool required = false;  // at least one tag
    bool several = true;    // more than one may follow
    bool text = true;       // free text before and between tags; false: nothing but tags and white space
  };
  static Result<GrammarPtr> with_tags(const std::vector<Tag>& tags, const TagOptions& options);

  const grammar::Automaton& automaton() const { return *automaton_; }
  const std::vector<grammar::RuleNfa>& rules() const { return *rules_; }
  const std::vector<std::string>& warnings() const { return warnings_; }
  // Does the whole text fit? For checks and tests.
  bool matches(std::string_view text) const;

  Grammar(std::vector<grammar::RuleNfa> rules, int32_t start, std::vector<std::string> warnings);

 private:
  std::shared_ptr<const std::vector<grammar::RuleNfa>> rules_;
  std::shared_ptr<const grammar::Automaton> automaton_;
  std::vector<std::string> warnings_;
};

}  // namespace jevons
