// Grammars: what answers must look like, made ready on a thread of its own (at a lower priority, so that running
// streams go on), and kept for the next request that asks for the same.
//
// A grammar's compile time is bounded in steps (text/grammar/grammar.h), about 0.1 s. Its token masks are made while
// the prompt is read: those of the first 0.05 s before the request goes on, the others beside it; what is not there
// when it is needed is made by who needs it. Kept: 32 grammars, 256 MiB of masks; the least recently used go first.
#pragma once
#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "text/grammar/token_masks.h"

namespace jevons {

class Grammars {
 public:
  struct Made {
    std::shared_ptr<TokenMasks> masks;
    std::vector<std::string> warnings;
  };
  struct Work {
    std::string model, key;  // whose vocabulary; what distinguishes the grammar from others
    std::function<GrammarPtr(std::vector<std::string>& warnings)> compile;  // may throw
    std::function<std::shared_ptr<const GrammarVocab>()> vocab;             // for the model's first grammar
    // With what was made, or with what `compile` threw. On the grammars' thread, or at once if it is known.
    std::function<void(const Made&, std::exception_ptr)> then;
  };

  Grammars() = default;
  ~Grammars();  // drops what waits
  void make(Work work);

  struct Counts {
    std::atomic<int64_t> compiled{0}, found{0};
  };
  const Counts& counts() const { return counts_; }

 private:
  using Key = std::pair<std::string, std::string>;
  struct Kept {
    Key key;
    Made made;
  };
  void loop();
  Made made_of(const Work& work, std::shared_ptr<TokenMasks>& masks, size_t& state);
  static bool warm(TokenMasks& masks, size_t& state);
  std::shared_ptr<const GrammarVocab> vocab_of(const Work& work);
  const Made* find(const Key& key);  // mutex_ held
  void keep(Key key, const Made& made);

  static constexpr size_t kMost = 32, kMostBytes = size_t{256} << 20, kMasksBytes = size_t{32} << 20;

  std::mutex mutex_;  // guards all but the counts and the vocabularies
  std::condition_variable wake_;
  std::deque<Work> queue_;
  std::list<Kept> kept_;                                               // the newest first
  std::map<std::string, std::shared_ptr<const GrammarVocab>> vocabs_;  // by model; of the thread
  bool stopping_ = false;
  Counts counts_;
  std::thread thread_;  // begun with the first work
};

}  // namespace jevons
