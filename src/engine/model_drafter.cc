#include "engine/model_drafter.h"

#include <algorithm>

#include "base/clock.h"

namespace jevons {

// Rows of one pass: tokens and their positions, sequence after sequence.
struct ModelDrafter::Rows {
  std::vector<int32_t> ids{}, position{}, sequence{};
  std::vector<const int32_t*> pages{};
  std::vector<int32_t> last{};  // row of each sequence's last token

  int64_t count() const { return static_cast<int64_t>(ids.size()); }
  void add(Track& track, std::span<const int32_t> tokens) {
    for (int32_t token : tokens) {
      ids.push_back(token);
      position.push_back(static_cast<int32_t>(track.read.size()));
      sequence.push_back(static_cast<int32_t>(pages.size()));
      track.read.push_back(token);
    }
    pages.push_back(track.pages.data());
    last.push_back(static_cast<int32_t>(ids.size()) - 1);
  }
};

ModelDrafter::ModelDrafter(const Decoder& model, Exec& exec, Arena& arena, const Setting& setting)
    : model_(model),
      exec_(exec),
      arena_(arena),
      setting_(setting),
      pages_(setting.pages, setting.page_tokens),
      store_(model.config(), model.cache_layers(), setting.pages, setting.page_tokens,
             setting.device == DeviceKind::ref ? DType::f64 : setting.cache_type) {
  setting_.context = std::min(setting.context, model.config().max_position_embeddings);
}

// The memory of a sequence, cut back to what agrees with the sequence's tokens.
ModelDrafter::Track& ModelDrafter::track(const View& view) {
  const auto [found, fresh] = tracks_.try_emplace(view.id);
  Track& track = found->second;
  if (fresh) {
    track.pages = pages_.share(view.tokens.first(view.tokens.size() - 1), view.scope);
    track.published = static_cast<int64_t>(track.pages.size());
    const auto shared = static_cast<size_t>(track.published * setting_.page_tokens);
    track.read.assign(view.tokens.begin(), view.tokens.begin() + static_cast<int64_t>(shared));
  }
  // What is published is certain.
  const auto certain = static_cast<int64_t>(track.published * setting_.page_tokens);
  const auto wrong = std::mismatch(track.read.begin() + certain, track.read.end(), view.tokens.begin() + certain,
                                   view.tokens.end() - 1);
  track.read.erase(wrong.first, track.read.end());
  publish(track, view);
  return track;
}

void ModelDrafter::publish(Track& track, const View& view) {
  for (; (track.published + 1) * setting_.page_tokens <= static_cast<int64_t>(track.read.size()); ++track.published)
    pages_.publish(view.tokens.first(static_cast<size_t>((track.published + 1) * setting_.page_tokens)),
                   track.pages[static_cast<size_t>(track.published)], view.scope);
}

bool ModelDrafter::give_pages(Track& track, int64_t tokens) {
  if (tokens > setting_.context) return false;
  while (static_cast<int64_t>(track.pages.size()) * setting_.page_tokens < tokens) {
    const auto page = pages_.take();
    if (!page) return false;
    track.pages.push_back(*page);
  }
  return true;
}

// Adds the tokens before `until` that were not read yet, as many as the pass holds; false if some are left.
bool ModelDrafter::read(Rows& rows, const View& view, int64_t until) {
  Track& own = track(view);
  const auto begin = static_cast<int64_t>(own.read.size());
  const int64_t end = std::min(until, begin + setting_.step_tokens - rows.count());
  if (end <= begin || !give_pages(own, end)) return false;
  const auto tokens = view.tokens.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
  const int64_t words = model_.config().vocab_size;
  if (std::any_of(tokens.begin(), tokens.end(), [&](int32_t id) { return id >= words; })) return false;
  rows.add(own, tokens);
  return end == until;
}

Tensor ModelDrafter::pass(const Rows& rows, bool wants_logits) {
  arena_.reset();
  Ctx c{setting_.device,
        {exec_, arena_, setting_.exact},
        {rows.count(), rows.position.data(), rows.sequence.data(), rows.pages.data()},
        store_.layers(),
        {}};
  const Tensor hidden = model_.hidden(c, rows.ids);
  return wants_logits ? model_.logits(c, hidden, rows.last) : Tensor();
}

void ModelDrafter::draft(std::span<Job> jobs) {
  Rows rows;
  std::vector<Job*> open;
  std::vector<int32_t> last;
  for (Job& job : jobs) {
    // All pages now: rows keep the address of the list.
    const bool room = give_pages(track(job.sequence), job.sequence.computed + job.wanted);
    if (!read(rows, job.sequence, job.sequence.computed + 1) || !room) continue;
    open.push_back(&job), last.push_back(rows.last.back());
  }
  rows.last = std::move(last);
  while (rows.count() > 0) {
    const double start = now_seconds();
    const Tensor logits = pass(rows, !open.empty());
    Rows next;
    std::vector<Job*> going_on;
    for (size_t i = 0; i < open.size(); ++i) {
      Job& job = *open[i];
      draw(job, logits.rows(static_cast<int64_t>(i), 1));
      const int32_t guess = job.guesses.back();
      if (guess >= setting_.vocabulary) job.guesses.pop_back();
      if (guess >= setting_.vocabulary || static_cast<int64_t>(job.guesses.size()) >= job.wanted) continue;
      next.add(tracks_.at(job.sequence.id), std::span(&guess, 1));
      going_on.push_back(&job);
    }
    costs_.measured(rows.count(), now_seconds() - start);
    rows = std::move(next), open = std::move(going_on);
  }
}

void ModelDrafter::follow(std::span<const View> sequences) {
  Rows rows;
  for (const View& view : sequences)
    if (view.computed - static_cast<int64_t>(track(view).read.size()) >= kBatch) read(rows, view, view.computed);
  if (rows.count() > 0) (void)pass(rows, false);
}

void ModelDrafter::forget(int64_t id) {
  const auto found = tracks_.find(id);
  if (found == tracks_.end()) return;
  for (int32_t page : found->second.pages) pages_.release(page);
  tracks_.erase(found);
}

}  // namespace jevons
