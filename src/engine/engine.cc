#include "engine/engine.h"

#include <algorithm>
#include <numeric>

#include "base/clock.h"
#include "base/strings.h"
#include "engine/model_drafter.h"
#include "engine/prediction_drafter.h"

namespace jevons {
namespace {

constexpr int64_t kPageTokens = 64;  // divides attention's chunk of 256; 64 tokens are what a shared prefix is cut to

// Tokens read from disk in one step at most, so that running streams do not wait long: 24 MB of a small model.
constexpr int64_t kRestoredTokens = 1024;

int64_t pages_for(int64_t tokens) { return (tokens + kPageTokens - 1) / kPageTokens; }

int64_t unix_time() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

Status check_ids(std::span<const int32_t> ids, const Config& config) {
  for (int32_t id : ids)
    if (id < 0 || id >= config.vocab_size)
      return Error(Code::invalid, cat("token id ", id, " is outside the vocabulary of ", config.vocab_size, " tokens"));
  return {};
}

}  // namespace

struct Engine::Sequence {
  int64_t id;
  Request request;
  Sampler sampler;
  std::vector<int32_t> tokens;  // prompt and what came after
  std::vector<int32_t> pages;
  int64_t computed = 0;  // positions whose cache entries exist
  bool ended = false;
  bool started = false;
  bool restoring = false;  // pages may follow on disk
  CachedTokens cached{};
  int64_t counted = 0;  // positions of the prompt that prompt_tokens_ counts
  PrefixChain chain{};
  PromptLookup lookup{};
  std::vector<Acceptance> acceptance{};  // of each source
  void push(int32_t token) {
    tokens.push_back(token);
    lookup.push(token);
  }
  int64_t pending() const { return static_cast<int64_t>(tokens.size()) - computed; }
  Drafter::View view() const { return {id, tokens, computed, pages.data(), request.scope}; }
};

// Part of a sequence in one step: positions [computed, computed + count), then guesses of what follows.
struct Engine::Slice {
  Sequence* sequence;
  int64_t count;
  bool wants_logits;
  size_t source = 0;   // of the guesses
  int64_t wanted = 0;  // from a source that computes them
  std::vector<int32_t> drafts{};
};

Engine::Engine(const Decoder& model, Exec& exec, EngineOptions options)
    : model_(model),
      exec_(exec),
      options_(options),
      pages_(pages_for(std::max(options.cache_tokens, options.context)), kPageTokens),
      store_(model.config(), model.cache_layers(), pages_.total(), kPageTokens,
             options.device == DeviceKind::ref ? DType::f64 : options.cache_type) {
  if (options.speculation == Speculation::off) return;
  if (options.guess_by_lookup) sources_.push_back({nullptr});
  if (options.guess_by_prediction && model.config().num_nextn_predict_layers > 0)
    sources_.push_back({std::make_unique<PredictionDrafter>(
        model, arena_, [this](const BatchView& batch) { return context(batch); })});
  if (options.draft)
    sources_.push_back({std::make_unique<ModelDrafter>(
        *options.draft, exec, arena_,
        ModelDrafter::Setting{options.device, options.exact, options.cache_type, options.context, pages_.total(),
                              kPageTokens, options.step_tokens, model.config().vocab_size})});
}

Engine::~Engine() = default;

Result<int64_t> Engine::submit(Request request) {
  const int64_t size = static_cast<int64_t>(request.prompt.size());
  if (size == 0) return Error(Code::invalid, "the prompt has no tokens; give at least one");
  if (size >= options_.context)
    return Error(Code::too_large, cat("the prompt has ", size, " tokens, but the context holds ", options_.context,
                                      " and an answer needs at least one; shorten the prompt or raise --ctx"));
  JEVONS_TRY_STATUS(check_ids(request.prompt, model_.config()));
  Sampler sampler(request.sampling, request.prompt);
  auto s = std::make_unique<Sequence>(Sequence{next_id_++, std::move(request), std::move(sampler), {}, {}});
  for (int32_t id : s->request.prompt) s->push(id);
  for (const Source& source : sources_) s->acceptance.push_back(source.drafter ? source.acceptance : Acceptance());
  if (options_.prefix_files)
    s->chain = PrefixChain(options_.prefix_files->root(), options_.fingerprint, s->request.scope);
  sequences_.push_back(std::move(s));
  return sequences_.back()->id;
}

void Engine::cancel(int64_t id) { end(id); }

bool Engine::runs(int64_t id) const {
  return std::any_of(sequences_.begin(), sequences_.end(), [&](const auto& s) { return s->id == id; });
}

void Engine::end(int64_t id) {
  const auto found = std::find_if(sequences_.begin(), sequences_.end(), [&](const auto& s) { return s->id == id; });
  if (found == sequences_.end()) return;
  Sequence& s = **found;
  if (options_.prefix_files && options_.share_prefixes && !s.request.on_hidden && s.computed >= kPageTokens) {
    const auto whole = static_cast<ptrdiff_t>(s.computed / kPageTokens * kPageTokens);
    saves_.push_back({{s.tokens.begin(), s.tokens.begin() + whole}, s.request.scope, std::move(s.chain), unix_time()});
  }
  release(s.pages);
  forget(s);
  sequences_.erase(found);
}

// The last page first: of a prefix in nobody's use, the end is given away before the beginning.
void Engine::release(const std::vector<int32_t>& pages) {
  for (size_t i = pages.size(); i-- > 0;) pages_.release(pages[i]);
}

void Engine::forget(const Sequence& s) {
  for (const Source& source : sources_)
    if (source.drafter) source.drafter->forget(s.id);
}

void Engine::preempt_youngest(const Sequence& keep) {
  for (size_t i = sequences_.size(); i-- > 0;) {
    Sequence& s = *sequences_[i];
    if (&s == &keep || s.pages.empty()) continue;
    release(s.pages);
    s.pages.clear();
    s.computed = 0;
    forget(s);
    s.restoring = false;
    return;
  }
}

// Makes room for `tokens` positions, from younger sequences if it must.
bool Engine::give_pages(Sequence& s, int64_t tokens) {
  while (static_cast<int64_t>(s.pages.size()) < pages_for(tokens)) {
    if (const auto page = pages_.take()) {
      s.pages.push_back(*page);
      continue;
    }
    const bool younger = std::any_of(sequences_.begin(), sequences_.end(),
                                     [&](const auto& other) { return other->id > s.id && !other->pages.empty(); });
    if (!younger) return false;
    preempt_youngest(s);
  }
  return true;
}

// Takes the pages that are there already. False: more of them come in the next step.
bool Engine::begin(Sequence& s) {
  if (s.pages.empty() && s.computed == 0 && options_.share_prefixes && !s.request.on_hidden) {
    // The last token is always computed: its logits are needed.
    s.pages = pages_.share(std::span(s.tokens).first(s.tokens.size() - 1), s.request.scope);
    s.computed = static_cast<int64_t>(s.pages.size()) * kPageTokens;
    if (!s.started) s.cached = {s.computed, 0};
    s.restoring = options_.prefix_files != nullptr;
  }
  if (s.restoring) s.restoring = restore(s);
  return !s.restoring;
}

void Engine::start(Sequence& s) {
  if (std::exchange(s.started, true)) return;
  prompt_tokens_.cached.memory += s.cached.memory;
  prompt_tokens_.cached.disk += s.cached.disk;
  s.counted = s.cached.total();
  if (s.request.on_start) s.request.on_start(s.cached);
}

// Reads the pages after those of `s` from disk. True: it stopped because the step has read enough.
bool Engine::restore(Sequence& s) {
  const auto tokens = std::span<const int32_t>(s.tokens).first(s.tokens.size() - 1);
  while (s.computed + kPageTokens <= static_cast<int64_t>(tokens.size())) {
    const PageFile file = s.chain.page(tokens, s.pages.size(), kPageTokens);
    if (!options_.prefix_files->holds(file)) return false;
    if (restored_ >= kRestoredTokens) return true;
    if (!give_pages(s, s.computed + kPageTokens)) return false;
    if (!options_.prefix_files->load(file, store_.page(s.pages.back()))) return false;
    const int64_t before = s.computed / kPageTokens;
    s.computed += kPageTokens;
    restored_ += kPageTokens;
    if (!s.started) s.cached.disk += kPageTokens;
    publish(s, before);
  }
  return false;
}

bool Engine::save(int64_t pages) {
  while (!saves_.empty() && pages > 0) {
    Save& save = saves_.front();
    PrefixFiles& files = *options_.prefix_files;
    const int64_t bytes = store_.page_bytes();
    // What other sequences have taken meanwhile is not kept.
    const std::vector<int32_t> held = pages_.share(save.tokens, save.scope);
    bool room = true;
    for (; save.next < held.size() && pages > 0 && (room = files.room(bytes)); ++save.next) {
      const PageFile file = save.chain.page(save.tokens, save.next, kPageTokens);
      const int64_t used = save.time - static_cast<int64_t>(save.next) * 1000;  // the end of a prefix goes first
      if (files.holds(file)) {
        files.touch(file, used);
        continue;
      }
      if (static_cast<int64_t>(save.next + 1) * bytes > files.limit() / 10 * 9) {
        save.next = held.size();  // it would only push out its own beginning
        break;
      }
      std::vector<std::byte> copy;
      copy.reserve(static_cast<size_t>(bytes));
      for (const auto& part : store_.page(held[save.next])) copy.insert(copy.end(), part.begin(), part.end());
      files.write(file, used, std::move(copy));
      --pages;
    }
    const bool done = save.next >= held.size();
    release(held);
    if (done) saves_.pop_front();
    if (!room) break;
  }
  return !saves_.empty();
}

void Engine::forget_prefixes() {
  saves_.clear();
  pages_.forget();
}

std::vector<Engine::Slice> Engine::plan(int64_t prompt_tokens) {
  std::vector<Slice> slices;
  restored_ = 0;
  int64_t budget = options_.step_tokens;
  const auto add = [&](Sequence& s) {
    if (!begin(s)) return;
    const int64_t count = std::min(s.pending(), budget);
    if (count <= 0 || !give_pages(s, s.computed + count)) return;
    start(s);
    slices.push_back({&s, count, count == s.pending() && s.request.on_token});
    budget -= count;
  };
  // Running sequences first (one token each), then prompts in order of arrival.
  for (auto& s : sequences_)
    if (s->pending() == 1 && !s->pages.empty()) add(*s);
  last_step_.running = static_cast<int64_t>(slices.size());
  if (prompt_tokens > 0) budget = std::min(budget, prompt_tokens);
  for (auto& s : sequences_) {
    const bool planned =
        std::any_of(slices.begin(), slices.end(), [&](const Slice& x) { return x.sequence == s.get(); });
    if (!planned) add(*s);
  }
  // A sequence planned first may have lost its pages to an older one planned later.
  std::erase_if(slices, [](const Slice& x) { return x.sequence->pages.empty(); });
  int64_t tokens = 0;
  for (const Slice& slice : slices) tokens += slice.count;
  last_step_.prompt_tokens = tokens - std::min(tokens, last_step_.running);
  draft(slices);
  return slices;
}

// Adds guesses where they pay: only to steps that read no prompt, which are bound by the reading of the weights.
void Engine::draft(std::vector<Slice>& slices) {
  if (sources_.empty() || last_step_.prompt_tokens > 0) return;
  const auto running = static_cast<int64_t>(slices.size());
  StepPlan step{running, static_cast<double>(running), 0};
  for (Slice& slice : slices)
    if (slice.wants_logits && slice.sequence->pending() == 1) choose_guesses(slice, step, running);
  for (size_t i = 0; i < sources_.size(); ++i) {
    std::vector<Drafter::Job> jobs;
    std::vector<Slice*> wanting;
    for (Slice& slice : slices) {
      if (slice.source != i || slice.wanted == 0) continue;
      jobs.push_back({slice.sequence->view(), slice.wanted, slice.sequence->sampler});
      wanting.push_back(&slice);
    }
    if (jobs.empty()) continue;
    sources_[i].drafter->draft(jobs);
    for (size_t j = 0; j < jobs.size(); ++j) {
      wanting[j]->drafts = std::move(jobs[j].guesses);
      if (wanting[j]->drafts.empty()) wanting[j]->sequence->acceptance[i].checked(1, 0);  // as good as wrong
    }
  }
}

// Picks the source and the number of guesses for one sequence, and makes those of prompt lookup.
void Engine::choose_guesses(Slice& slice, StepPlan& step, int64_t running) {
  Sequence& s = *slice.sequence;
  // At least one more token is drawn after the last right guess, and it must fit.
  const int64_t room = options_.context - static_cast<int64_t>(s.tokens.size()) - 1;
  const int64_t most = std::min({kMostDrafts, room, options_.step_tokens - step.rows});
  std::vector<int32_t> found;
  std::vector<Offer> offers;
  for (size_t i = 0; i < sources_.size(); ++i) {
    const Drafter* drafter = sources_[i].drafter.get();
    if (!drafter) found = s.lookup.draft(most);
    offers.push_back({s.acceptance[i], drafter ? most : static_cast<int64_t>(found.size()),
                      drafter ? drafter->seconds_per_guess(running) : 0});
  }
  Choice choice =
      options_.speculation == Speculation::always ? likeliest_offer(offers) : best_offer(costs_, step, offers);
  if (choice.guesses <= 0) {
    for (size_t i = 0; i < offers.size(); ++i)
      if (offers[i].most > 0) s.acceptance[i].skipped();
    return;
  }
  choice.guesses = pages_for_guesses(s, choice.guesses);
  add_guesses(step, offers[choice.offer], choice.guesses);
  slice.source = choice.offer;
  if (sources_[choice.offer].drafter) {
    slice.wanted = choice.guesses;
  } else {
    found.resize(static_cast<size_t>(choice.guesses));
    slice.drafts = std::move(found);
  }
}

// Takes pages for guesses where they are free; how many guesses have room then.
int64_t Engine::pages_for_guesses(Sequence& s, int64_t guesses) {
  while (guesses > 0 && static_cast<int64_t>(s.pages.size()) < pages_for(s.computed + 1 + guesses)) {
    if (const auto page = pages_.take())
      s.pages.push_back(*page);
    else
      --guesses;
  }
  return guesses;
}

Ctx Engine::context(const BatchView& batch) {
  return {options_.device, Env{exec_, arena_, options_.exact}, batch, store_.layers(), {}};
}

void Engine::forward(const std::vector<Slice>& slices) {
  std::vector<int32_t> ids, position, sequence, rows;
  std::vector<const int32_t*> pages;
  for (const Slice& slice : slices) {
    Sequence& s = *slice.sequence;
    for (int64_t i = 0; i < slice.count; ++i) {
      ids.push_back(s.tokens[static_cast<size_t>(s.computed + i)]);
      position.push_back(static_cast<int32_t>(s.computed + i));
      sequence.push_back(static_cast<int32_t>(pages.size()));
    }
    if (slice.wants_logits) rows.push_back(static_cast<int32_t>(ids.size()) - 1);
    for (int32_t id : slice.drafts) {
      rows.push_back(static_cast<int32_t>(ids.size()));
      ids.push_back(id);
      position.push_back(position.back() + 1);
      sequence.push_back(static_cast<int32_t>(pages.size()));
    }
    pages.push_back(s.pages.data());
  }
  const double start = now_seconds();
  arena_.reset();
  Ctx c = context({static_cast<int64_t>(ids.size()), position.data(), sequence.data(), pages.data()});
  const Tensor hidden = model_.hidden(c, ids);
  Tensor logits;
  if (!rows.empty()) logits = model_.logits(c, hidden, rows);

  if (last_step_.prompt_tokens == 0) costs_.measured(static_cast<int64_t>(ids.size()), now_seconds() - start);

  int64_t row = 0, first = 0;
  for (const Slice& slice : slices) {
    Sequence& s = *slice.sequence;
    if (s.request.on_hidden) s.request.on_hidden(s.computed, hidden.rows(first, slice.count));
    const int64_t before = s.computed;
    s.computed += slice.count;
    const int64_t read = std::min(s.computed, static_cast<int64_t>(s.request.prompt.size()));
    prompt_tokens_.computed += std::max<int64_t>(read - s.counted, 0);
    s.counted = std::max(s.counted, read);
    if (s.request.on_prefill && s.computed <= static_cast<int64_t>(s.request.prompt.size()))
      s.request.on_prefill(s.computed, static_cast<int64_t>(s.request.prompt.size()));
    if (slice.wants_logits) {
      const int64_t count = 1 + static_cast<int64_t>(slice.drafts.size());
      accept_all(slice, logits.rows(row, count));
      row += count;
    }
    for (const Source& source : sources_)
      if (source.drafter) source.drafter->saw(s.view(), hidden.rows(first, s.computed - before));
    first += slice.count + static_cast<int64_t>(slice.drafts.size());
    publish(s, before / kPageTokens);
    s.ended |= !s.request.on_token && s.pending() == 0;
  }
  follow(slices);
}

void Engine::follow(const std::vector<Slice>& slices) {
  std::vector<Drafter::View> views;
  for (const Slice& slice : slices)
    if (!slice.sequence->ended) views.push_back(slice.sequence->view());
  for (const Source& source : sources_)
    if (source.drafter) source.drafter->follow(views);
}

void Engine::publish(Sequence& s, int64_t before) {
  if (!options_.share_prefixes) return;
  for (int64_t p = before; p < s.computed / kPageTokens; ++p)
    pages_.publish(std::span(s.tokens).first(static_cast<size_t>((p + 1) * kPageTokens)),
                   s.pages[static_cast<size_t>(p)], s.request.scope);
}

// Draws from row after row while the guess that a row was computed with is what was drawn.
void Engine::accept_all(const Slice& slice, const Tensor& logits) {
  Sequence& s = *slice.sequence;
  const int64_t drafted = static_cast<int64_t>(slice.drafts.size());
  int64_t right = 0;
  for (int64_t i = 0; i <= drafted; ++i) {
    const Tensor own = logits.rows(i, 1);
    const size_t size = s.tokens.size();
    std::vector<float> narrow;
    accept(s, as_floats(own, narrow));
    if (i == drafted || s.tokens[size] != slice.drafts[static_cast<size_t>(i)]) break;
    ++s.computed, ++right;
    if (s.ended || s.tokens.size() != size + 1) break;
  }
  if (drafted == 0) return;
  s.acceptance[slice.source].checked(drafted, right);
  sources_[slice.source].acceptance = s.acceptance[slice.source];
  guesses_.drafted += drafted, guesses_.accepted += right;
  if (s.request.on_guesses) s.request.on_guesses(drafted, right);
}

void Engine::accept(Sequence& s, std::span<float> logits) {
  if (s.request.on_logits) s.request.on_logits(logits);
  std::vector<int32_t> queue{s.sampler.draw(logits, static_cast<int64_t>(s.tokens.size()))};
  for (size_t i = 0; i < queue.size() && !s.ended; ++i) {
    const int32_t token = queue[i];
    s.push(token);
    s.sampler.accept(token);
    Verdict verdict = s.request.on_token(token, i == 0);
    queue.insert(queue.end(), verdict.force.begin(), verdict.force.end());
    s.ended = verdict.stop || static_cast<int64_t>(s.tokens.size()) >= options_.context;
  }
}

bool Engine::step(int64_t prompt_tokens) {
  const std::vector<Slice> slices = plan(prompt_tokens);
  if (slices.empty()) {
    JEVONS_CHECK(sequences_.empty() || restored_ > 0, "no sequence can run");
    return !sequences_.empty();
  }
  forward(slices);
  for (size_t i = sequences_.size(); i-- > 0;)
    if (sequences_[i]->ended) end(sequences_[i]->id);
  save(1);
  return !sequences_.empty();
}

void Engine::score(std::span<const int32_t> tokens, Score what, const std::function<void(int64_t, const Tensor&)>& sink,
                   const std::function<void(std::string_view, const Tensor&)>& listener) {
  const int64_t total = static_cast<int64_t>(tokens.size());
  if (total == 0) throw Error(Code::invalid, "there are no tokens to score");
  check_ids(tokens, model_.config()).value();
  if (total > options_.context)
    throw Error(Code::too_large, cat(total, " tokens do not fit the context of ", options_.context, "; raise --ctx"));
  if (what == Score::prediction && model_.config().num_nextn_predict_layers == 0)
    throw Error(Code::unsupported, "the model has no multi-token prediction layer");
  Sequence s{0, {}, Sampler({}, {}), {}, {}};
  if (!give_pages(s, total)) throw Error(Code::too_large, "the cache has too few free pages");
  const int32_t* const table[] = {s.pages.data()};
  for (int64_t first = 0; first < total; first += options_.step_tokens) {
    const int64_t count = std::min(options_.step_tokens, total - first);
    std::vector<int32_t> position(static_cast<size_t>(count)), sequence(position.size(), 0);
    std::iota(position.begin(), position.end(), static_cast<int32_t>(first));
    arena_.reset();
    Ctx c = context({count, position.data(), sequence.data(), table});
    c.listener = listener;
    Tensor hidden = model_.hidden(c, tokens.subspan(static_cast<size_t>(first), static_cast<size_t>(count)));
    if (what == Score::prediction) {
      c.batch.tokens = std::min(count, total - 1 - first);
      if (c.batch.tokens == 0) break;
      hidden = model_.predict(c, 0, hidden.rows(0, c.batch.tokens),
                              tokens.subspan(static_cast<size_t>(first + 1), static_cast<size_t>(c.batch.tokens)));
    }
    std::vector<int32_t> rows(static_cast<size_t>(hidden.shape()[0]));
    std::iota(rows.begin(), rows.end(), 0);
    if (what == Score::last) rows.erase(rows.begin(), rows.end() - (first + count == total));
    if (!rows.empty()) sink(first + rows[0], model_.logits(c, hidden, rows));
  }
  for (int32_t page : s.pages) pages_.release(page);
}

}  // namespace jevons
