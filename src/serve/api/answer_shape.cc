#include "serve/api/answer_shape.h"

#include <algorithm>

#include "base/strings.h"
#include "text/grammar/builder.h"
#include "text/tool_grammar.h"

namespace jevons {
namespace {

constexpr size_t kStepsOfAllTools = 20'000'000;

bool is_strict(const Json& function) {
  const Json* strict = function.find("strict");
  return strict && strict->is_bool() && strict->as_bool();
}

// "/a/0/b~1c" -> ".a[0].b/c"
std::string dotted(std::string_view pointer) {
  std::string out;
  for (size_t at = 0; at < pointer.size();) {
    const size_t end = std::min(pointer.find('/', at + 1), pointer.size());
    std::string key(pointer.substr(at + 1, end - at - 1));
    for (size_t t = 0; (t = key.find('~', t)) != std::string::npos; ++t)
      key.replace(t, 2, key[t + 1] == '1' ? "/" : "~");
    const bool index = !key.empty() && key.find_first_not_of("0123456789") == std::string::npos;
    out += index ? cat("[", key, "]") : cat(".", key);
    at = end;
  }
  return out;
}

// An error of the grammar engine; one of a schema begins with "schema at #/POINTER: ".
[[noreturn]] void refuse(const Error& error, const std::string& param, const char* code) {
  constexpr std::string_view kAt = "schema at #";
  std::string what = error.message(), place = param;
  if (what.starts_with(kAt)) {
    const size_t end = what.find(": ");
    place += dotted(std::string_view(what).substr(kAt.size(), end - kAt.size()));
    what.erase(0, end + 2);
  }
  throw ApiError(400, cat("'", place, "': ", what), code, place);
}

GrammarPtr schema_grammar(const Json& schema, const std::string& param) {
  Result<GrammarPtr> out = Grammar::from_json_schema(schema);
  if (!out.ok()) refuse(out.error(), param, "invalid_json_schema");
  return std::move(out).value();
}

GrammarPtr text_grammar(Result<GrammarPtr> made, const std::string& param) {
  if (!made.ok()) refuse(made.error(), param, "invalid_grammar");
  return std::move(made).value();
}

}  // namespace

void read_schema(AnswerShape& shape, const Json& schema, const std::string& param) {
  if (!schema.is_object())
    throw ApiError(400, cat("'", param, "' is ", schema.type_name(), ", expected a JSON Schema, an object"),
                   "invalid_json_schema", param);
  shape.kind = AnswerShape::Kind::json_schema;
  shape.schema = schema;
  shape.param = param;
}

void read_response_format(AnswerShape& shape, Fields& f) {
  const Json* format = f.value("response_format", "object",
                               "type: text, json_object, json_schema (json_schema.schema), regex (pattern) or ebnf "
                               "(grammar); what the answer is");
  if (!format) return;
  const Json* given = format->find("type");
  const std::string type = given && given->is_string() ? given->as_string() : "";
  constexpr std::string_view kTypes[] = {"text", "json_object", "json_schema", "regex", "ebnf"};
  if (std::find(std::begin(kTypes), std::end(kTypes), type) == std::end(kTypes))
    f.wrong("response_format", cat("has the type ", given ? given->dump().substr(0, 60) : "(none)",
                                   ", expected text, json_object, json_schema, regex or ebnf"));
  if (type == "json_object") shape.kind = AnswerShape::Kind::json_object;
  if (type == "json_schema") {
    const Json* outer = format->find("json_schema");
    const Json* schema = outer ? outer->find("schema") : nullptr;
    if (!schema) f.wrong("response_format.json_schema.schema", "is missing; give a JSON Schema, or use json_object");
    read_schema(shape, *schema, "response_format.json_schema.schema");
  }
  if (type == "regex" || type == "ebnf") {
    const char* key = type == "regex" ? "pattern" : "grammar";
    const Json* text = format->find(key);
    shape.param = cat("response_format.", key);
    if (!text || !text->is_string()) f.wrong(shape.param, "must be a text");
    shape.kind = type == "regex" ? AnswerShape::Kind::regex : AnswerShape::Kind::ebnf;
    shape.text = text->as_string();
  }
}

bool AnswerGrammar::needed() const {
  const auto strict = [](const Json& tool) { return is_strict(tool.at("function")); };
  return shape.constrains() ||
         (tools.is_array() && std::any_of(tools.as_array().begin(), tools.as_array().end(), strict));
}

std::string AnswerGrammar::key() const {
  Json functions = Json::array();
  if (tools.is_array())
    for (const Json& tool : tools.as_array()) {
      const Json& function = tool.at("function");
      const Json* parameters = function.find("parameters");
      functions.push_back(
          Json::Array{function.at("name"), parameters ? *parameters : Json(), Json(is_strict(function))});
    }
  return Json(Json::Array{static_cast<int>(shape.kind), shape.schema, shape.text, shape.calls_forced, shape.only,
                          functions, static_cast<int>(format), parallel, static_cast<int>(thought)})
      .dump();
}

namespace {

class Compiler {
 public:
  Compiler(const AnswerGrammar& wanted, std::vector<std::string>& warnings) : wanted_(wanted), warnings_(warnings) {}

  GrammarPtr compile() {
    const AnswerShape& shape = wanted_.shape;
    const bool has_tools = wanted_.tools.is_array() && wanted_.tools.size() > 0;
    GrammarPtr answer;
    if (!shape.calls_forced && shape.kind != AnswerShape::Kind::any) answer = format();
    if (has_tools && answer) {
      GrammarBuilder b;
      const GrammarPtr called = calls(true);
      answer = b.build(b.choice({b.grammar(called), b.grammar(answer)})).value();
    } else if (has_tools) {
      answer = calls(shape.calls_forced);
    }
    note(answer->warnings());
    return behind_thought(answer);
  }

 private:
  GrammarPtr format() const {
    const AnswerShape& shape = wanted_.shape;
    switch (shape.kind) {
      case AnswerShape::Kind::json_schema:
        return schema_grammar(shape.schema, shape.param);
      case AnswerShape::Kind::regex:
        return text_grammar(Grammar::from_regex(shape.text), shape.param);
      case AnswerShape::Kind::ebnf:
        return text_grammar(Grammar::from_ebnf(shape.text), shape.param);
      default:
        return Grammar::json_object();
    }
  }

  GrammarPtr calls(bool required) {
    std::vector<CallableFunction> functions;
    for (size_t i = 0; i < wanted_.tools.size(); ++i) {
      const Json& function = wanted_.tools.as_array()[i].at("function");
      const std::string& name = function.at("name").as_string();
      if (wanted_.shape.only.empty() || name == wanted_.shape.only)
        functions.push_back({name, arguments(function, cat("tools[", i, "].", wanted_.shape.schema_param))});
    }
    return tool_grammar(wanted_.format, functions, {.required = required, .several = wanted_.parallel}).value();
  }

  // A function without parameters takes none.
  GrammarPtr arguments(const Json& function, const std::string& param) {
    const Json* given = function.find("parameters");
    Json schema = given && given->is_object()
                      ? *given
                      : Json(Json::Object{{"properties", Json::object()}, {"additionalProperties", false}});
    if (!schema.find("type")) schema["type"] = "object";
    JsonSchemaOptions options;
    options.one_of_as_any_of = !is_strict(function);
    options.limits.steps = std::min(options.limits.steps, kStepsOfAllTools / wanted_.tools.size());
    Result<GrammarPtr> made = Grammar::from_json_schema(schema, options);
    if (made.ok()) return std::move(made).value();
    if (is_strict(function)) refuse(made.error(), param, "invalid_json_schema");
    warnings_.push_back(cat(param, ": ", made.error().message(), "; the arguments can be any object"));
    return Grammar::json_object();
  }

  // The answer after the thought, less the line breaks that the thought's parser drops.
  GrammarPtr behind_thought(const GrammarPtr& answer) const {
    if (wanted_.thought == AnswerGrammar::Thought::none) return answer;
    GrammarBuilder lines;
    const GrammarPtr behind =
        lines.build(lines.sequence({lines.repeat(lines.text("\n"), 0, 2), lines.grammar(answer)})).value();
    const GrammarPtr thought = Grammar::after("</think>", behind).value();
    if (wanted_.thought == AnswerGrammar::Thought::open) return thought;
    GrammarBuilder b;
    return b.build(b.choice({b.sequence({b.text("<think>"), b.grammar(thought)}), b.grammar(answer)})).value();
  }

  void note(const std::vector<std::string>& more) {
    for (const std::string& warning : more)
      if (std::find(warnings_.begin(), warnings_.end(), warning) == warnings_.end()) warnings_.push_back(warning);
  }

  const AnswerGrammar& wanted_;
  std::vector<std::string>& warnings_;
};

}  // namespace

GrammarPtr AnswerGrammar::compile(std::vector<std::string>& warnings) const {
  return Compiler(*this, warnings).compile();
}

}  // namespace jevons
