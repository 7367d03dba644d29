#include "engine/prediction_drafter.h"

#include <cstring>

#include "base/clock.h"

namespace jevons {

// Rows of one pass of the layer: a hidden state, its position and the token after it.
struct PredictionDrafter::Rows {
  std::vector<std::byte> states{};
  std::vector<int32_t> next{}, position{}, sequence{};
  std::vector<const int32_t*> pages{};
  std::vector<int32_t> last{};  // row of each sequence's last token

  void begin(const View& view) { pages.push_back(view.pages); }
  void add(std::span<const std::byte> state, int64_t at, int32_t token) {
    states.insert(states.end(), state.begin(), state.end());
    position.push_back(static_cast<int32_t>(at));
    next.push_back(token);
    sequence.push_back(static_cast<int32_t>(pages.size()) - 1);
  }
  void end() { last.push_back(static_cast<int32_t>(next.size()) - 1); }
};

void PredictionDrafter::saw(const View& sequence, const Tensor& hidden) {
  Waiting& waiting = waiting_[sequence.id];
  const auto* data = static_cast<const std::byte*>(hidden.data());
  waiting.states.insert(waiting.states.end(), data, data + hidden.bytes());
  waiting.count += hidden.shape()[0];
}

void PredictionDrafter::add_waiting(Rows& rows, const View& view) {
  const Waiting waiting = std::exchange(waiting_[view.id], {});
  const size_t size = waiting.states.size() / static_cast<size_t>(waiting.count);
  rows.begin(view);
  for (int64_t i = 0; i < waiting.count; ++i) {
    const int64_t at = view.computed - waiting.count + i;
    rows.add(std::span(waiting.states).subspan(static_cast<size_t>(i) * size, size), at,
             view.tokens[static_cast<size_t>(at + 1)]);
  }
  rows.end();
}

Tensor PredictionDrafter::pass(const Rows& rows) {
  arena_.reset();
  const auto count = static_cast<int64_t>(rows.next.size());
  Ctx c = context_({count, rows.position.data(), rows.sequence.data(), rows.pages.data()});
  const Tensor states = c.alloc({count, model_.config().hidden_size});
  std::memcpy(states.data(), rows.states.data(), rows.states.size());
  return model_.predict(c, 0, states, rows.next);
}

void PredictionDrafter::draft(std::span<Job> jobs) {
  Rows rows;
  std::vector<Job*> open;
  for (Job& job : jobs) {
    if (waiting_[job.sequence.id].count == 0) continue;
    add_waiting(rows, job.sequence);
    open.push_back(&job);
  }
  for (int64_t depth = 0; !open.empty(); ++depth) {
    const double start = now_seconds();
    const Tensor hidden = pass(rows);
    Ctx c = context_({});
    const Tensor logits = model_.logits(c, hidden, rows.last);
    Rows next;
    std::vector<Job*> going_on;
    for (size_t i = 0; i < open.size(); ++i) {
      Job& job = *open[i];
      draw(job, logits.rows(static_cast<int64_t>(i), 1));
      if (static_cast<int64_t>(job.guesses.size()) >= job.wanted) continue;
      const Tensor state = hidden.rows(rows.last[i], 1);
      next.begin(job.sequence);
      next.add({static_cast<const std::byte*>(state.data()), static_cast<size_t>(state.bytes())},
               job.sequence.computed + depth, job.guesses.back());
      next.end();
      going_on.push_back(&job);
    }
    costs_.measured(static_cast<int64_t>(rows.next.size()), now_seconds() - start);
    rows = std::move(next), open = std::move(going_on);
  }
}

void PredictionDrafter::follow(std::span<const View> sequences) {
  Rows rows;
  for (const View& view : sequences)
    if (waiting_[view.id].count >= kBatch) add_waiting(rows, view);
  if (!rows.next.empty()) (void)pass(rows);
}

}  // namespace jevons
