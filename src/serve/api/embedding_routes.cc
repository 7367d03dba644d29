// /embeddings: texts as vectors. A text's vector is the mean over its tokens, or the last one, of the hidden states
// after the final norm, divided by its length.
#include <cmath>
#include <cstring>

#include "base/strings.h"
#include "serve/api/chat_run.h"
#include "serve/api/prompts.h"
#include "serve/api/routes.h"

namespace jevons {
namespace {

constexpr size_t kMostInputs = 2048;
constexpr size_t kAtOnce = 8;  // inputs of one request in the queue: the other requests get their turns

struct EmbeddingRequest {
  ChatRequest common;  // model, user, warnings
  Prompts prompts;
  bool base64 = false, last = false;
  std::optional<int64_t> dimensions;
};

void read_input(EmbeddingRequest& r, Fields& f) {
  const Json* input = f.value("input", "string or array", "a text, texts, token ids, or lists of token ids");
  if (!input && f.recording()) return;
  if (!input) f.wrong("input", "is missing");
  r.prompts = read_prompts(f, "input", *input, kMostInputs);
}

EmbeddingRequest parse_embedding(Fields& f) {
  EmbeddingRequest r;
  r.common.asked = f.text("model", "a name of /v1/models; empty: the default model").value_or("");
  read_input(r, f);
  r.base64 =
      f.choice("encoding_format", {"float", "base64"}, "base64: little-endian float32; default float") == "base64";
  r.last = f.choice("pooling", {"mean", "last"}, "of the tokens' hidden states; default mean") == "last";
  r.dimensions = f.integer("dimensions", 1, int64_t{1} << 31, "only the width of the model: no vector is cut");
  r.common.user = f.text("user", "whose turn it is when several wait").value_or("");
  f.finish();
  r.common.warnings = f.warnings();
  return r;
}

std::string base64_of(const std::vector<float>& values) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes(values.size() * sizeof(float), '\0'), out;
  std::memcpy(bytes.data(), values.data(), bytes.size());
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t word = 0;
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    for (size_t k = 0; k < 3; ++k) word = word << 8 | (k < count ? static_cast<uint8_t>(bytes[i + k]) : 0);
    for (size_t k = 0; k < 4; ++k) out += k <= count ? kDigits[word >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

// One input on its way: the sum of its hidden states, or the last of them. Positions that are computed again (after
// preemption) count once.
struct Pool {
  std::vector<double> sum;
  int64_t seen = 0;

  template <class T>
  void add(int64_t first, const Tensor& rows, bool last) {
    const auto [count, width] = rows.dims<2>();
    const auto values = rows.as<T>();
    sum.resize(static_cast<size_t>(width));
    for (int64_t i = std::max<int64_t>(seen - first, 0); i < count; ++i, seen = first + i)
      for (size_t d = 0; d < sum.size(); ++d)
        sum[d] = (last ? 0 : sum[d]) + values[static_cast<size_t>(i) * sum.size() + d];
  }
  void add(int64_t first, const Tensor& rows, bool last) {
    if (rows.dtype() == DType::f64)
      add<double>(first, rows, last);
    else
      add<float>(first, rows, last);
  }
  std::vector<float> vector() const {
    double squares = 0;
    for (double x : sum) squares += x * x;
    const double scale = squares > 0 ? 1 / std::sqrt(squares) : 0;
    std::vector<float> out;
    for (double x : sum) out.push_back(static_cast<float>(x * scale));
    return out;
  }
};

struct EmbeddingRun : std::enable_shared_from_this<EmbeddingRun> {
  EmbeddingRun(Api& a, EmbeddingRequest r, Reply to) : api(a), request(std::move(r)), reply(std::move(to)) {}
  Api& api;
  EmbeddingRequest request;
  Reply reply;
  Json data = Json::array();
  std::vector<std::shared_ptr<Ticket>> tickets;
  int64_t tokens = 0;
  size_t next = 0, left = 0;
  bool over = false;

  void begin(Model& model) {
    const Tokenizer& t = model.tokenizer();
    for (const std::string& text : request.prompts.texts)
      request.prompts.ids.push_back(t.encode(text, {.parse_special = false, .add_bos = t.adds_bos()}));
    const int64_t width = model.config().hidden_size;
    if (request.dimensions && *request.dimensions != width)
      throw ApiError(400,
                     cat("'dimensions' is ", *request.dimensions, ", but the vectors of ", request.common.model,
                         " have ", width, "; they were not trained to be cut"),
                     "unsupported_parameter", "dimensions");
    for (size_t i = 0; i < request.prompts.ids.size(); ++i) check(model, i);
    left = request.prompts.ids.size();
    data.as_array().resize(left);
    while (next < std::min(left, kAtOnce)) submit();
    request.common.place.reset();
    reply.on_close([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->api.service.post([self] { self->stop(); });
    });
  }

  void check(Model& model, size_t i) {
    const int64_t size = static_cast<int64_t>(request.prompts.ids[i].size()),
                  context = model.engine().options().context;
    const std::string where = cat("input[", i, "]");
    if (size == 0) throw ApiError(400, cat(where, " has no tokens"), "invalid_value", "input");
    if (size >= context)
      throw ApiError(
          400, cat(where, " has ", size, " tokens, but the context of ", request.common.model, " holds ", context),
          "context_length_exceeded", "input");
    for (int32_t id : request.prompts.ids[i])
      if (id >= model.config().vocab_size)
        throw ApiError(400, cat(where, " holds token ", id, ", but the vocabulary has ", model.config().vocab_size),
                       "invalid_value", "input");
    tokens += size;
  }

  void submit() {
    const size_t index = next++;
    const auto self = shared_from_this();
    const auto pool = std::make_shared<Pool>();
    Job job;
    job.user = request.common.user;
    job.prompt = std::move(request.prompts.ids[index]);
    job.on_hidden = [pool, last = request.last](int64_t first, const Tensor& rows) { pool->add(first, rows, last); };
    job.on_end = [self, index, pool](const Generated& out, double) {
      if (out.finish != Finish::interrupted) self->done(index, pool->vector());
    };
    job.on_error = [self](const Error& error) { self->fail(api_error(error)); };
    tickets.push_back(api.service.submit(request.common.model, std::move(job)));
  }

  void done(size_t index, const std::vector<float>& vector) {
    if (over) return;
    Json values = Json::array();
    if (request.base64)
      values = base64_of(vector);
    else
      for (float x : vector) values.push_back(x);
    data.as_array()[index] = Json::Object{{"object", "embedding"}, {"index", index}, {"embedding", std::move(values)}};
    if (next < request.prompts.ids.size()) submit();
    if (--left > 0) return;
    Json body = Json::Object{{"object", "list"},
                             {"data", std::move(data)},
                             {"model", request.common.asked.empty() ? request.common.model : request.common.asked},
                             {"usage", Json::Object{{"prompt_tokens", tokens}, {"total_tokens", tokens}}}};
    for (const std::string& w : request.common.warnings) body["warnings"].push_back(w);
    send_json(reply, body);
  }

  void stop() {
    over = true;
    for (const auto& ticket : tickets) ticket->cancel();
  }

  void fail(const ApiError& error) {
    request.common.place.reset();
    if (over) return;
    stop();
    send_error(reply, error);
  }
};

void embed(Api& api, int bad_value, const HttpRequest& http, const Reply& reply) {
  api.service.post([&api, bad_value, http, reply, place = take_place(api.service)]() mutable {
    try {
      const Json body = json_body(http);
      Fields fields(body, bad_value);
      EmbeddingRequest request = parse_embedding(fields);
      resolve_model(api.service, request.common);
      name_user(request.common, http);
      request.common.place = std::move(place);
      const std::string name = request.common.model;
      const auto run = std::make_shared<EmbeddingRun>(api, std::move(request), reply);
      with_model(api.service, name, reply, [run](Model& model) { run->begin(model); });
    } catch (const ApiError& error) {
      send_error(reply, error);
    } catch (const Error& error) {
      send_error(reply, api_error(error));
    }
  });
}

}  // namespace

void read_embedding_body(Fields& f) { parse_embedding(f); }

void add_embedding_routes(Router& router, Api& api) {
  for (const char* base : {"/v1", ""})
    router.add({"POST", cat(base, "/embeddings"), "texts as vectors",
                [&api, bad_value = *base ? 400 : 422](const HttpRequest& http, const PathParts&, const Reply& reply) {
                  embed(api, bad_value, http, reply);
                }});
}

}  // namespace jevons
