// AnswerShape: what a request says its answer must look like (response_format, format, tool_choice, strict functions),
// and the grammar that comes of it.
//
// A thought is free: the grammar is about what follows it. An answer in a format may be tool calls instead, where there
// are tools. Arguments must fit the function's schema if the function is strict or a call is forced; a schema that the
// grammar engine cannot follow is refused for strict functions, and is any object (with a warning) for others.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "serve/api/fields.h"
#include "text/grammar/grammar.h"
#include "text/tool_calls.h"

namespace jevons {

struct AnswerShape {
  enum class Kind { any, json_object, json_schema, regex, ebnf };
  Kind kind = Kind::any;
  Json schema;        // of json_schema
  std::string text;   // of regex and ebnf
  std::string param;  // where the request says it
  bool calls_forced = false;
  std::string only;                                  // the one function that may be called, if calls are forced
  std::string schema_param = "function.parameters";  // where tools[i] has its schema
  bool constrains() const { return kind != Kind::any || calls_forced; }
};

// OpenAI's response_format; its types regex and ebnf are our own.
void read_response_format(AnswerShape& shape, Fields& f);
// A schema (or "json") as `format` of Ollama and Anthropic have it. Throws ApiError{400} with `param`.
void read_schema(AnswerShape& shape, const Json& schema, const std::string& param);

// All that the grammar of an answer depends on.
struct AnswerGrammar {
  enum class Thought { none, open, possible };  // the prompt has opened one; the model may open one
  AnswerShape shape;
  Json tools;  // OpenAI's form; null: none
  ToolFormat format = ToolFormat::none;
  bool parallel = true;
  Thought thought = Thought::none;

  // Is the answer constrained at all?
  bool needed() const;
  // Equal for equal grammars.
  std::string key() const;
  // Throws ApiError{400}, whose `param` is the place in the request. Cost: bounded, about 0.1 s for each schema and 1 s
  // for all; for the grammars' thread.
  GrammarPtr compile(std::vector<std::string>& warnings) const;
};

}  // namespace jevons
