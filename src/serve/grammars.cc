#include "serve/grammars.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <limits>

#include "base/clock.h"
#include "text/grammar/automaton.h"

namespace jevons {
namespace {

constexpr int kNice = 5;
constexpr double kFirst = 0.05;  // seconds of making masks before the request goes on

}  // namespace

Grammars::~Grammars() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Grammars::make(Work work) {
  Made made;
  {
    std::lock_guard lock(mutex_);
    if (const Made* known = find({work.model, work.key})) {
      made = *known;
      ++counts_.found;
    } else {
      queue_.push_back(std::move(work));
      if (!thread_.joinable()) thread_ = std::thread([this] { loop(); });
    }
  }
  if (made.masks) return work.then(made, nullptr);
  wake_.notify_all();
}

void Grammars::loop() {
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNice);  // Linux: of this thread
  std::shared_ptr<TokenMasks> masks;  // of the newest grammar: the rest of its masks are made while nothing else is
  size_t state = 0;
  for (;;) {
    Work work;
    {
      std::unique_lock lock(mutex_);
      if (!masks) wake_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
      if (stopping_) return;
      if (!queue_.empty()) {
        work = std::move(queue_.front());
        queue_.pop_front();
      }
    }
    if (!work.then) {
      if (!warm(*masks, state)) masks.reset();
      continue;
    }
    Made made;
    std::exception_ptr error;
    try {
      made = made_of(work, masks, state);
    } catch (...) {
      error = std::current_exception();
    }
    work.then(made, error);
  }
}

Grammars::Made Grammars::made_of(const Work& work, std::shared_ptr<TokenMasks>& masks, size_t& state) {
  const Key key{work.model, work.key};
  {
    std::lock_guard lock(mutex_);
    if (const Made* known = find(key)) {
      ++counts_.found;
      return *known;
    }
  }
  Made made;
  const GrammarPtr grammar = work.compile(made.warnings);
  ++counts_.compiled;
  made.masks = std::make_shared<TokenMasks>(grammar, vocab_of(work), kMasksBytes);
  masks = made.masks;
  state = 0;
  const double until = now_seconds() + kFirst;
  while (now_seconds() < until && warm(*masks, state)) {
  }
  keep(key, made);
  return made;
}

// The masks of one more state; false if there are no more, or they fill half of their memory.
bool Grammars::warm(TokenMasks& masks, size_t& state) {
  const auto& states = masks.grammar().automaton().states;
  if (state >= states.size() || masks.bytes() > kMasksBytes / 2) return false;
  if (states[state].edges < states[state].edges_end) masks.at(static_cast<int32_t>(state));
  ++state;
  return true;
}

std::shared_ptr<const GrammarVocab> Grammars::vocab_of(const Work& work) {
  auto& vocab = vocabs_[work.model];
  if (!vocab) vocab = work.vocab();
  return vocab;
}

const Grammars::Made* Grammars::find(const Key& key) {
  const auto at = std::find_if(kept_.begin(), kept_.end(), [&](const Kept& k) { return k.key == key; });
  if (at == kept_.end()) return nullptr;
  kept_.splice(kept_.begin(), kept_, at);
  return &kept_.front().made;
}

void Grammars::keep(Key key, const Made& made) {
  std::lock_guard lock(mutex_);
  kept_.push_front({std::move(key), made});
  size_t bytes = 0, count = 0;
  for (auto k = kept_.begin(); k != kept_.end();) {
    bytes += k->made.masks->bytes();
    if (++count > 1 && (count > kMost || bytes > kMostBytes))
      k = kept_.erase(k);
    else
      ++k;
  }
}

}  // namespace jevons
