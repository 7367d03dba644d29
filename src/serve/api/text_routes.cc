// Tokens, prompts and what the tokenizer is: for those who want to see what a model really reads.
#include "base/strings.h"
#include "serve/api/routes.h"

namespace jevons {
namespace {

Json ids_json(const std::vector<int32_t>& ids) {
  Json out = Json::array();
  for (int32_t id : ids) out.push_back(id);
  return out;
}

std::string model_name(const Service& service, Fields& f) {
  ChatRequest request;
  request.asked = f.text("model", "a name of /v1/models; empty: the default model").value_or("");
  resolve_model(service, request);
  return request.model;
}

void tokenize(Api& api, const HttpRequest& http, const Reply& reply) {
  const Json body = json_body(http);
  Fields f(body);
  const std::string name = model_name(api.service, f);
  auto text = f.text("content", "the text");
  if (!text) text = f.text("prompt", "the same, as vLLM calls it");
  if (!text) f.wrong("content", "is missing; give the text to be tokenized");
  auto bos = f.boolean("add_special", "put the beginning-of-text token in front");
  if (!bos) bos = f.boolean("add_special_tokens", "the same, as vLLM calls it");
  const bool special = f.boolean("parse_special", "special tokens in the text become their ids").value_or(true);
  const bool pieces = f.boolean("with_pieces", "the text of each token too").value_or(false);
  with_model(api.service, name, reply, [=](Model& model) {
    const auto ids = model.tokenizer().encode(*text, {.parse_special = special, .add_bos = bos.value_or(false)});
    Json out = Json::Object{
        {"tokens", ids_json(ids)}, {"count", ids.size()}, {"max_model_len", model.engine().options().context}};
    if (pieces) {
      Json list = Json::array();
      for (int32_t id : ids) list.push_back(Json::Object{{"id", id}, {"piece", model.tokenizer().token_bytes(id)}});
      out["tokens"] = list;
    }
    send_json(reply, out);
  });
}

void detokenize(Api& api, const HttpRequest& http, const Reply& reply) {
  const Json body = json_body(http);
  Fields f(body);
  const std::string name = model_name(api.service, f);
  const Json* tokens = f.value("tokens", "array", "token ids");
  if (!tokens || !tokens->is_array()) f.wrong("tokens", "must be a list of token ids");
  std::vector<int32_t> ids;
  for (const Json& id : tokens->as_array()) {
    if (!id.is_int() || id.as_int() < 0 || id.as_int() > INT32_MAX)
      f.wrong("tokens", cat("holds ", id.dump().substr(0, 40), ", no token id"));
    ids.push_back(static_cast<int32_t>(id.as_int()));
  }
  with_model(api.service, name, reply, [=](Model& model) {
    const std::string text = model.tokenizer().decode(ids);
    send_json(reply, Json::Object{{"content", text}, {"prompt", text}});
  });
}

void apply_template(Api& api, const HttpRequest& http, const Reply& reply) {
  const Json body = json_body(http);
  Fields f(body);
  ChatRequest request = parse_chat(f, Dialect::openai);
  if (request.messages.is_null()) f.wrong("messages", "is missing");
  resolve_model(api.service, request);
  with_model(api.service, request.model, reply, [=](Model& model) {
    const std::string text = render_prompt(request, model);
    const auto ids = model.tokenizer().encode(text, {.parse_special = true, .add_bos = false});
    send_json(reply, Json::Object{{"prompt", text}, {"tokens", ids_json(ids)}});
  });
}

void tokenizer_info(Api& api, const HttpRequest& http, const Reply& reply) {
  ChatRequest request;
  request.asked = http.parameter("model").value_or("");
  resolve_model(api.service, request);
  with_model(api.service, request.model, reply, [=](Model& model) {
    const Tokenizer& t = model.tokenizer();
    const auto text = [&](std::optional<int32_t> id) { return id ? Json(t.token_bytes(*id)) : Json(); };
    const auto ends = model.stop_ids();
    send_json(reply,
              Json::Object{{"model", request.model},
                           {"vocab_size", t.vocab_size()},
                           {"bos_token_id", t.bos() ? Json(*t.bos()) : Json()},
                           {"bos_token", text(t.bos())},
                           {"eos_token_ids", ids_json(ends)},
                           {"eos_token", text(ends.empty() ? std::nullopt : std::optional(ends.front()))},
                           {"add_bos", t.adds_bos()},
                           {"chat_template", model.chat_template() ? Json(model.chat_template()->source()) : Json()}});
  });
}

}  // namespace

void add_text_routes(Router& router, Api& api) {
  const auto add = [&](const char* method, const char* path, const char* about, auto handler) {
    router.add({method, path, about, [&api, handler](const HttpRequest& http, const PathParts&, const Reply& reply) {
                  handler(api, http, reply);
                }});
  };
  add("POST", "/tokenize", "text to token ids", tokenize);
  add("POST", "/detokenize", "token ids to text", detokenize);
  add("POST", "/apply-template", "the prompt of a conversation, as text and ids", apply_template);
  add("GET", "/tokenizer_info", "vocabulary, special tokens and chat template of a model", tokenizer_info);
}

}  // namespace jevons
