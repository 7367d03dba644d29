#include "text/chat_template.h"

#include "base/strings.h"

namespace jevons {
namespace {

constexpr const char* kChatMl =
    "{%- for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"
    "{%- endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

Status check_messages(const Json& messages) {
  if (!messages.is_array())
    return Error(Code::invalid, cat("messages: expected an array, found ", messages.type_name()));
  for (size_t i = 0; i < messages.size(); ++i) {
    const Json& message = messages.as_array()[i];
    const Json* role = message.find("role");
    if (!role || !role->is_string())
      return Error(Code::invalid, cat("messages[", i, "]: expected an object with a text \"role\", found ",
                                      quote(message.dump(), 60)));
  }
  return {};
}

}  // namespace

Result<ChatTemplate> ChatTemplate::parse(std::string source, Json specials, const jinja::Limits& limits) {
  if (!specials.is_object() && !specials.is_null())
    return Error(Code::invalid, cat("special tokens: expected an object, found ", specials.type_name()));
  JEVONS_TRY(jinja::Template parsed, jinja::Template::parse(source, limits));
  return ChatTemplate(std::move(source), std::move(specials), std::move(parsed));
}

Result<ChatTemplate> ChatTemplate::of_model(std::optional<std::string> source, Json specials, bool has_im_start) {
  if (source) return parse(std::move(*source), std::move(specials));
  if (has_im_start) return parse(kChatMl, std::move(specials));
  return Error(Code::unsupported,
               "the model has no chat template and no <|im_start|> token, so its prompt format is unknown; give the "
               "prompt as plain text (--raw), or put the model's chat_template.jinja beside its weights");
}

Result<std::string> ChatTemplate::render(const Json& messages, const Json& tools, bool add_generation_prompt,
                                         const Json& extra, std::time_t now) const {
  JEVONS_TRY_STATUS(check_messages(messages));
  if (!tools.is_null() && !tools.is_array())
    return Error(Code::invalid, cat("tools: expected an array or null, found ", tools.type_name()));
  if (!extra.is_null() && !extra.is_object())
    return Error(Code::invalid, cat("template variables: expected an object, found ", extra.type_name()));
  Json variables = specials_.is_null() ? Json::object() : specials_;
  variables["messages"] = messages;
  variables["tools"] = tools;
  variables["documents"] = nullptr;
  variables["add_generation_prompt"] = add_generation_prompt;
  if (extra.is_object())
    for (const auto& [name, value] : extra.as_object()) variables[name] = value;
  return template_.render(variables, now);
}

}  // namespace jevons
