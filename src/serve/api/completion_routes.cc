// /completions: plain text to be continued. Prompts as text or token ids, several at once; echo with the prompt's own
// log-probabilities (what evaluation programs ask for); a suffix for models that can fill in the middle.
#include <ctime>

#include "base/strings.h"
#include "serve/api/openai_chat.h"
#include "serve/api/prompts.h"
#include "serve/api/routes.h"
#include "text/unicode.h"

namespace jevons {
namespace {

constexpr size_t kMostPrompts = 128;

struct CompletionRequest {
  ChatRequest common;  // model, sampling, limits
  Prompts prompts;
  std::optional<std::string> suffix;
  bool echo = false;
  int64_t max_tokens = 16;
};

CompletionRequest parse_completion(Fields& f) {
  CompletionRequest r;
  ChatRequest& c = r.common;
  c.asked = f.text("model", "a name of /v1/models; empty: the default model").value_or("");
  if (const Json* prompt = f.value("prompt", "string or array", "a text, texts, token ids, or lists of token ids"))
    r.prompts = read_prompts(f, "prompt", *prompt, kMostPrompts);
  r.max_tokens = f.integer("max_tokens", 0, int64_t{1} << 40, "of each answer; default 16").value_or(16);
  r.echo =
      f.boolean("echo", "put the prompt before the answer, with its log-probabilities if asked for").value_or(false);
  r.suffix = f.text("suffix", "what comes after the text; for models trained to fill in the middle");
  if (const auto n = f.integer("logprobs", 0, 20, "log-probabilities and so many alternatives of each token"))
    c.top_logprobs = static_cast<int>(*n);
  c.n = f.integer("n", 1, 16, "answers to each prompt").value_or(1);
  if (const auto best = f.integer("best_of", 1, 16, "only as many as n"); best && *best != c.n)
    f.wrong("best_of", "differs from n; choosing the best of more is not supported");
  c.stop = f.texts("stop", 16, "texts that end the answer; not part of it");
  c.ignore_eos = f.boolean("ignore_eos", "go on past the end of the text").value_or(false);
  read_sampling(c, f);
  c.user = f.text("user", "whose turn it is when several wait").value_or("");
  c.stream = f.boolean("stream", "send server-sent events").value_or(false);
  if (const Json* options = f.value("stream_options", "object", "{\"include_usage\": true}"))
    if (const Json* usage = options->find("include_usage"); usage && usage->is_bool())
      c.include_usage = usage->as_bool();
  f.finish();
  c.warnings = f.warnings();
  return r;
}

// The prompt for filling in the middle, in the order each family was trained on.
std::vector<int32_t> fill_in(const Tokenizer& t, const std::string& before, const std::string& after) {
  struct Form {
    const char *prefix, *suffix, *middle;
  };
  static constexpr Form kForms[] = {{"<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"},
                                    {"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"}};
  for (const Form& form : kForms) {
    const auto a = t.find(form.prefix), b = t.find(form.suffix), c = t.find(form.middle);
    if (!a || !b || !c) continue;
    std::vector<int32_t> ids{*a};
    const auto add = [&](const std::string& text) {
      for (int32_t id : t.encode(text, {.parse_special = false, .add_bos = false})) ids.push_back(id);
    };
    add(before), ids.push_back(*b), add(after), ids.push_back(*c);
    return ids;
  }
  throw ApiError(400, "'suffix' needs a model that was trained to fill in the middle; this one has no tokens for it",
                 "unsupported_parameter", "suffix");
}

// A token as OpenAI's completions write it: its text, or "bytes:\\xe2\\x80" if it is no whole character.
std::string token_name(std::string_view bytes) {
  if (unicode::is_valid(bytes)) return std::string(bytes);
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out = "bytes:";
  for (char c : bytes) out += cat("\\x", kHex[(c >> 4) & 15], kHex[c & 15]);
  return out;
}

struct Choice {
  std::vector<int32_t> prompt;
  std::vector<TokenChoice> tokens;  // of the prompt (echo) and the answer
  size_t sent_tokens = 0;
  std::string text;
  Generated result;
};

struct CompletionRun : std::enable_shared_from_this<CompletionRun> {
  CompletionRun(Api& a, CompletionRequest r, Reply to) : api(a), request(std::move(r)), reply(std::move(to)) {}
  Api& api;
  CompletionRequest request;
  Reply reply;
  Model* model = nullptr;
  std::string id = "cmpl-" + new_uuid();
  int64_t created = static_cast<int64_t>(std::time(nullptr));
  std::vector<Choice> choices;
  size_t left = 0;
  bool failed = false, started = false;

  void begin(Model& loaded) {
    model = &loaded;
    const Tokenizer& t = model->tokenizer();
    if (request.suffix && request.prompts.texts.size() != 1)
      throw ApiError(400, "'suffix' needs one prompt, as text", "invalid_value", "suffix");
    if (request.suffix) request.prompts.ids = {fill_in(t, request.prompts.texts[0], *request.suffix)};
    if (request.prompts.ids.empty())
      for (const std::string& text : request.prompts.texts)
        request.prompts.ids.push_back(t.encode(text, {.parse_special = true, .add_bos = t.adds_bos()}));
    for (const auto& ids : request.prompts.ids) check(ids);
    for (const auto& ids : request.prompts.ids)
      for (int64_t i = 0; i < request.common.n; ++i) choices.push_back({ids, {}, 0, {}, {}});
    if (request.echo)
      for (size_t i = 0; i < choices.size(); ++i) echo(choices[i]);
    left = choices.size();
    if (request.common.stream) {
      reply.start(200, {{"content-type", "text/event-stream; charset=utf-8"}, {"cache-control", "no-store"}});
      started = true;
    }
    for (size_t i = 0; i < choices.size(); ++i) submit(i);
    request.common.place.reset();
  }

  void check(const std::vector<int32_t>& ids) const {
    const int64_t context = model->engine().options().context, size = static_cast<int64_t>(ids.size());
    if (size == 0) throw ApiError(400, "'prompt' has no tokens", "invalid_value", "prompt");
    if (size >= context)
      throw ApiError(
          400, cat("the prompt has ", size, " tokens, but the context of ", request.common.model, " holds ", context),
          "context_length_exceeded", "prompt");
    for (int32_t token : ids)
      if (token >= model->config().vocab_size)
        throw ApiError(400,
                       cat("'prompt' holds token ", token, ", but the vocabulary has ", model->config().vocab_size),
                       "invalid_value", "prompt");
  }

  void echo(Choice& choice) {
    choice.text = model->tokenizer().decode(choice.prompt);
    choice.tokens.push_back({.id = choice.prompt[0], .drawn = false, .likeliest = {}});
    if (request.common.top_logprobs < 0) return;
    model->engine().score(choice.prompt, Engine::Score::all, [&](int64_t first, const Tensor& logits) {
      const int64_t rows = logits.shape()[0], width = logits.shape()[1];
      for (int64_t row = 0; row < rows; ++row) {
        const size_t next = static_cast<size_t>(first + row + 1);
        if (next >= choice.prompt.size()) break;
        choice.tokens.push_back(
            weigh(logits.as<float>().subspan(static_cast<size_t>(row * width), static_cast<size_t>(width)),
                  choice.prompt[next], request.common.top_logprobs));
      }
    });
  }

  void submit(size_t index) {
    Choice& choice = choices[index];
    const auto self = shared_from_this();
    Job job;
    job.user = request.common.user;
    job.prompt = choice.prompt;
    job.sampling = sampling_of(request.common, *model);
    job.sampling.seed += index % static_cast<size_t>(request.common.n);
    job.options.max_tokens = std::max<int64_t>(request.max_tokens, 1);
    job.options.stop = request.common.stop;
    job.options.stop_ids = model->stop_ids();
    job.options.ignore_eos = request.common.ignore_eos;
    job.options.split_thought = false;
    job.options.logprobs = request.common.top_logprobs;
    if (request.max_tokens == 0) return finish(index, {});
    job.on_piece = [self, index](const Piece& piece) { self->piece(index, piece); };
    job.on_end = [self, index](const Generated& out, double) { self->finish(index, out); };
    job.on_error = [self](const Error& error) { self->fail(api_error(error)); };
    const auto ticket = api.service.submit(request.common.model, std::move(job));
    reply.on_close([weak = std::weak_ptr(ticket)] {
      if (const auto t = weak.lock()) t->cancel();
    });
  }

  void piece(size_t index, const Piece& piece) {
    if (failed) return;
    Choice& choice = choices[index];
    choice.text += piece.text;
    choice.tokens.insert(choice.tokens.end(), piece.tokens.begin(), piece.tokens.end());
    if (request.common.stream) send(index, std::string(piece.text), {});
  }

  void finish(size_t index, const Generated& out) {
    choices[index].result = out;
    choices[index].result.prompt_tokens = static_cast<int64_t>(choices[index].prompt.size());
    if (request.common.stream && !failed) send(index, "", out.finish == Finish::length ? "length" : "stop");
    if (--left == 0 && !failed) end();
  }

  void fail(const ApiError& error) {
    request.common.place.reset();
    if (std::exchange(failed, true)) return;
    if (!started) return send_error(reply, error);
    reply.write("data: " + error.json().dump() + "\n\n");
    reply.end();
  }

  Json head() const {
    const ChatRequest& c = request.common;
    return Json::Object{{"id", id},
                        {"object", "text_completion"},
                        {"created", created},
                        {"model", c.asked.empty() ? c.model : c.asked}};
  }

  // {"tokens", "token_logprobs", "top_logprobs", "text_offset"} of the tokens from `first` on.
  Json logprobs_json(const Choice& choice, size_t first) const {
    if (request.common.top_logprobs < 0) return {};
    const Tokenizer& t = model->tokenizer();
    Json tokens = Json::array(), values = Json::array(), top = Json::array(), offsets = Json::array();
    int64_t offset = 0;
    for (size_t i = 0; i < choice.tokens.size(); ++i) {
      const TokenChoice& token = choice.tokens[i];
      if (i >= first) {
        tokens.push_back(token_name(t.token_bytes(token.id)));
        values.push_back(token.drawn ? Json(token.logprob) : Json());
        Json alternatives = Json::object();
        for (const auto& [other, logprob] : token.likeliest) alternatives[token_name(t.token_bytes(other))] = logprob;
        top.push_back(token.drawn ? alternatives : Json());
        offsets.push_back(offset);
      }
      offset += static_cast<int64_t>(t.token_bytes(token.id).size());
    }
    return Json::Object{
        {"tokens", tokens}, {"token_logprobs", values}, {"top_logprobs", top}, {"text_offset", offsets}};
  }

  void send(size_t index, std::string text, const Json& finish) {
    Choice& choice = choices[index];
    if (request.echo && choice.sent_tokens == 0) text = model->tokenizer().decode(choice.prompt) + text;
    Json event = head();
    event["choices"] = Json::Array{Json::Object{{"index", index},
                                                {"text", text},
                                                {"logprobs", logprobs_json(choice, choice.sent_tokens)},
                                                {"finish_reason", finish}}};
    choice.sent_tokens = choice.tokens.size();
    reply.write("data: " + event.dump() + "\n\n");
  }

  Json usage() const {
    int64_t prompt = 0, cached = 0, completion = 0;
    for (size_t i = 0; i < choices.size(); ++i) {
      completion += static_cast<int64_t>(choices[i].result.tokens.size());
      if (i % static_cast<size_t>(request.common.n) != 0) continue;
      prompt += choices[i].result.prompt_tokens;
      cached += choices[i].result.cached_tokens;
    }
    return Json::Object{{"prompt_tokens", prompt},
                        {"completion_tokens", completion},
                        {"total_tokens", prompt + completion},
                        {"prompt_cache_hit_tokens", cached},
                        {"prompt_cache_miss_tokens", prompt - cached},
                        {"prompt_tokens_details", Json::Object{{"cached_tokens", cached}}}};
  }

  void end() {
    Json body = head();
    Json list = Json::array();
    if (!request.common.stream)
      for (size_t i = 0; i < choices.size(); ++i)
        list.push_back(Json::Object{{"index", i},
                                    {"text", choices[i].text},
                                    {"logprobs", logprobs_json(choices[i], 0)},
                                    {"finish_reason", choices[i].result.finish == Finish::length ? "length" : "stop"}});
    body["choices"] = list;
    body["usage"] = usage();
    Json warnings = Json::array();
    for (const std::string& w : request.common.warnings) warnings.push_back(w);
    if (warnings.size() > 0) body["warnings"] = warnings;
    if (!request.common.stream) return send_json(reply, body);
    if (request.common.include_usage) reply.write("data: " + body.dump() + "\n\n");
    reply.write("data: [DONE]\n\n");
    reply.end();
  }
};

void complete(Api& api, int bad_value, const HttpRequest& http, const Reply& reply) {
  api.service.post([&api, bad_value, http, reply, place = take_place(api.service)]() mutable {
    try {
      const Json body = json_body(http);
      Fields fields(body, bad_value);
      CompletionRequest request = parse_completion(fields);
      if (request.prompts.texts.empty() && request.prompts.ids.empty())
        throw ApiError(400, "'prompt' is missing", "invalid_value", "prompt");
      resolve_model(api.service, request.common);
      name_user(request.common, http);
      request.common.place = std::move(place);
      const std::string name = request.common.model;
      const auto run = std::make_shared<CompletionRun>(api, std::move(request), reply);
      api.service.with_model(name, [run](Result<Model*> model) {
        try {
          run->begin(*model.value());
        } catch (const ApiError& error) {
          run->fail(error);
        } catch (const Error& error) {
          run->fail(api_error(error));
        }
      });
    } catch (const ApiError& error) {
      send_error(reply, error);
    } catch (const Error& error) {
      send_error(reply, api_error(error));
    }
  });
}

}  // namespace

void read_completion_body(Fields& f) { parse_completion(f); }

void add_completion_routes(Router& router, Api& api) {
  for (const char* base : {"/v1", "", "/beta"})
    router.add({"POST", cat(base, "/completions"), "the continuation of a text",
                [&api, bad_value = std::string(base) == "/v1" ? 400 : 422](const HttpRequest& http, const PathParts&,
                                                                           const Reply& reply) {
                  complete(api, bad_value, http, reply);
                }});
}

}  // namespace jevons
