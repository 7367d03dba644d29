#include "serve/api/chat_run.h"

#include <exception>
#include <functional>
#include <random>

#include "base/clock.h"
#include "text/tool_grammar.h"

namespace jevons {
namespace {

// One chat with its n choices, alive until the last has ended.
struct ChatRun : std::enable_shared_from_this<ChatRun> {
  ChatRun(Service& s, ActiveChats& a, std::string chat, ChatRequest r, Reply to, std::shared_ptr<ChatSink> out)
      : service(s), active(a), id(std::move(chat)), request(std::move(r)), reply(std::move(to)), sink(std::move(out)) {}

  Service& service;
  ActiveChats& active;
  std::string id;
  ChatRequest request;
  Reply reply;
  std::shared_ptr<ChatSink> sink;
  PreparedChat prepared;
  ChatTimings timings;
  int64_t left = 0;
  bool failed = false;
  double start = now_seconds();

  void with(Result<Model*> model) {
    if (!model.ok()) return fail(api_error(model.error()));
    if (reply.closed()) return;
    timings.load = now_seconds() - start;
    guarded([&] {
      active.thoughts.recall(request.messages);
      prepared = prepare_chat(request, **model);
      const AnswerGrammar grammar = answer_grammar(request, prepared, **model);
      if (grammar.needed())
        make(grammar, **model);
      else
        begin(**model);
    });
  }

  void guarded(const std::function<void()>& work) {
    try {
      work();
    } catch (const ApiError& error) {
      fail(error);
    } catch (const Error& error) {
      fail(api_error(error));
    }
  }

  void make(const AnswerGrammar& grammar, const Model& model) {
    const auto self = shared_from_this();
    service.grammars().make(
        {.model = request.model,
         .key = grammar.key(),
         .compile = [grammar](std::vector<std::string>& warnings) { return grammar.compile(warnings); },
         .vocab = vocab_maker(model),
         .then =
             [self](const Grammars::Made& made, const std::exception_ptr& error) {
               self->service.post([self, made, error] { self->made(made, error); });
             }});
  }

  static std::function<std::shared_ptr<const GrammarVocab>()> vocab_maker(const Model& model) {
    // A copy of the tokenizer: the model may be unloaded meanwhile.
    return [tokenizer = model.tokenizer(), ends = model.stop_ids(), size = model.config().vocab_size] {
      std::vector<int32_t> as_text;
      std::vector<std::string> markers = tool_markers();
      markers.insert(markers.end(), {"<think>", "</think>"});
      for (const std::string& marker : markers)
        if (const auto id = tokenizer.find(marker)) as_text.push_back(*id);
      return std::make_shared<const GrammarVocab>(tokenizer, as_text, ends, size);
    };
  }

  void made(const Grammars::Made& made, const std::exception_ptr& error) {
    guarded([&] {
      if (error) std::rethrow_exception(error);
      prepared.options.grammar = made.masks;
      request.warnings.insert(request.warnings.end(), made.warnings.begin(), made.warnings.end());
      service.with_model(request.model, [self = shared_from_this()](Result<Model*> model) {
        if (!model.ok()) return self->fail(api_error(model.error()));
        self->guarded([&] { self->begin(**model); });
      });
    });
  }

  void begin(const Model& model) {
    if (reply.closed()) return;
    sink->begin(request, prepared, model);
    left = request.n;
    submit(0);
    request.place.reset();
  }

  // The first choice reads the prompt; the others begin when it has and share its pages.
  void submit(int64_t choice) {
    Job job;
    job.user = request.user;
    job.prompt = prepared.prompt;
    job.sampling = prepared.sampling;
    job.sampling.seed += static_cast<uint64_t>(choice);
    job.options = prepared.options;
    const auto self = shared_from_this();
    if (choice == 0 && request.n > 1)
      job.on_prompt_read = [self] {
        self->service.post([self] {
          for (int64_t i = 1; i < self->request.n && !self->failed; ++i) self->submit(i);
        });
      };
    job.on_piece = [self, choice](const Piece& piece) {
      if (!self->failed) self->sink->piece(choice, piece);
    };
    job.on_end = [self, choice](const Generated& out, double queued) {
      if (choice == 0) self->timings.queue = queued;
      self->active.thoughts.remember(out.calls, out.reasoning);
      if (out.stuck)
        self->fail({400, "the answer cannot go on: the model has no tokens for what must come next in its form",
                    "unsupported"});
      if (!self->failed) self->sink->choice_end(choice, out);
      self->one_less();
    };
    job.on_error = [self](const Error& error) { self->fail(api_error(error)); };
    const std::shared_ptr<Ticket> ticket = service.submit(request.model, std::move(job));
    active.add(id, ticket);
    reply.on_close([weak = std::weak_ptr(ticket)] {
      if (const auto t = weak.lock()) t->cancel();
    });
  }

  void one_less() {
    if (--left > 0) return;
    active.remove(id);
    if (!failed) sink->end(timings);
  }

  void fail(const ApiError& error) {
    request.place.reset();
    if (std::exchange(failed, true)) return;
    active.remove(id);
    sink->fail(error);
  }
};

}  // namespace

void ActiveChats::add(const std::string& id, const std::shared_ptr<Ticket>& ticket) {
  std::lock_guard lock(mutex_);
  tickets_[id].push_back(ticket);
}

void ActiveChats::remove(const std::string& id) {
  std::lock_guard lock(mutex_);
  tickets_.erase(id);
}

bool ActiveChats::control(const std::string& id, const std::string& action) {
  std::lock_guard lock(mutex_);
  const auto found = tickets_.find(id);
  if (found == tickets_.end()) return false;
  for (const auto& ticket : found->second) {
    if (action == "stop")
      ticket->cancel();
    else
      ticket->answer_now();
  }
  return true;
}

void run_chat(Service& service, ActiveChats& active, const std::string& id, ChatRequest request, Reply reply,
              std::shared_ptr<ChatSink> sink) {
  const auto run =
      std::make_shared<ChatRun>(service, active, id, std::move(request), std::move(reply), std::move(sink));
  service.with_model(run->request.model, [run](Result<Model*> model) { run->with(std::move(model)); });
}

std::string new_uuid() {
  static thread_local std::mt19937_64 random{std::random_device{}()};
  uint64_t high = (random() & ~uint64_t{0xF000}) | 0x4000, low = (random() >> 2) | (uint64_t{2} << 62);
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (int i = 0; i < 32; ++i) {
    if (i == 8 || i == 12 || i == 16 || i == 20) out += '-';
    const uint64_t word = i < 16 ? high : low;
    out += kHex[(word >> (60 - 4 * (i % 16))) & 15];
  }
  return out;
}

}  // namespace jevons
