// PredictionDrafter: guesses from the model's own multi-token prediction layer (V3 report 2.2, 5.4.3).
//   layer: (h_i, t_{i+1}) -> h'_i, which predicts t_{i+2};  the next guess: (h'_i, guess) at position i + 1, and so on
// h is the hidden state after the model's final norm; h' is recycled after the layer's own. With several prediction
// layers the first is used for all guesses.
//
// The layer's cache lies in the engine's pages, one position behind the model: the entry of position i needs token
// i + 1. Entries made from guesses are overwritten when the true tokens are known. In a page shared by several
// sequences the last entry may be another's (it needs a token beyond the page): guesses only.
//
// Cost: a pass of one layer and the head per guess; hidden states of at most 64 tokens and a step wait per sequence.
#pragma once
#include <functional>
#include <unordered_map>

#include "engine/drafter.h"
#include "models/decoder.h"

namespace jevons {

class PredictionDrafter : public Drafter {
 public:
  using Context = std::function<Ctx(const BatchView&)>;  // of a pass over the engine's cache
  PredictionDrafter(const Decoder& model, Arena& arena, Context context)
      : model_(model), arena_(arena), context_(std::move(context)) {}
  void draft(std::span<Job> jobs) override;
  void saw(const View& sequence, const Tensor& hidden) override;
  void follow(std::span<const View> sequences) override;
  void forget(int64_t id) override { waiting_.erase(id); }

 private:
  struct Rows;
  void add_waiting(Rows& rows, const View& sequence);
  Tensor pass(const Rows& rows);
  const Decoder& model_;
  Arena& arena_;
  Context context_;
  struct Waiting {
    std::vector<std::byte> states{};  // of the last `count` tokens computed
    int64_t count = 0;
  };
  std::unordered_map<int64_t, Waiting> waiting_;
};

}  // namespace jevons
