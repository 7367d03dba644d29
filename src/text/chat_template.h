// The chat template of a checkpoint: conversation to prompt text, byte for byte what the publisher's template gives.
//
// The variables a template sees are those of Hugging Face transformers: messages, tools, documents (none),
// add_generation_prompt, the special tokens by name (bos_token, eos_token, ...) and the caller's extra ones
// (enable_thinking, thinking, date_string, ...). The messages are passed as they are: a null content stays none. A
// content made of parts is the template's business.
//
// A model without template: if its vocabulary has <|im_start|> and <|im_end|> it is spoken to in ChatML, the format
// these tokens exist for; any other is refused, because a wrong format gives wrong answers without an error.
#pragma once
#include <ctime>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "text/jinja_template.h"

namespace jevons {

class ChatTemplate {
 public:
  // `specials`: an object of texts, e.g. {"bos_token":"<s>","eos_token":"</s>"}; a token the model lacks is left out.
  // Errors: as jinja::Template::parse.
  static Result<ChatTemplate> parse(std::string source, Json specials, const jinja::Limits& limits = {});

  // The template of a model: `source` if it has one, else ChatML if `has_im_start`, else Error{unsupported}.
  static Result<ChatTemplate> of_model(std::optional<std::string> source, Json specials, bool has_im_start);

  // `messages`: an array of objects, each with a text "role"; `tools`: an array, or null if there are none; `extra`: an
  // object or null, whose members win over the variables above; `now`: the date that strftime_now shows.
  // Errors: invalid for other shapes and for what the template itself refuses; too_large past a limit.
  Result<std::string> render(const Json& messages, const Json& tools, bool add_generation_prompt,
                             const Json& extra = {}, std::time_t now = std::time(nullptr)) const;

  const std::string& source() const { return source_; }
  // Whether the template knows `name`, e.g. "tools" or "enable_thinking": whether its source has the word.
  bool mentions(std::string_view name) const { return source_.find(name) != std::string::npos; }

 private:
  ChatTemplate(std::string source, Json specials, jinja::Template parsed)
      : source_(std::move(source)), specials_(std::move(specials)), template_(std::move(parsed)) {}
  std::string source_;
  Json specials_;
  jinja::Template template_;
};

}  // namespace jevons
