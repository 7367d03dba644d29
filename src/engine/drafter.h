// Drafter: a source of guesses that computes them with a network. It keeps memory of every sequence (a cache, hidden
// states) under the sequence's id. What it guesses never changes a text, only the number of steps that a text takes.
//
// A guess is drawn as the model will draw: by the same sampler with the random numbers of the same position. Where the
// two distributions agree the draws agree, so a perfect drafter is always right, at any temperature.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "engine/sampler.h"
#include "engine/speculation.h"
#include "ops/ctx.h"

namespace jevons {

class Drafter {
 public:
  // A sequence of the engine: the first `computed` of its tokens have entries in the engine's cache.
  struct View {
    int64_t id;
    std::span<const int32_t> tokens;
    int64_t computed;
    const int32_t* pages;
    std::string_view scope{};  // prefixes are shared inside it only
  };
  struct Job {
    View sequence;  // computed == tokens - 1
    int64_t wanted;
    Sampler& sampler;
    std::vector<int32_t> guesses{};
  };

  virtual ~Drafter() = default;
  // Fills the guesses of every job, at most `wanted`; it may be fewer.
  virtual void draft(std::span<Job> jobs) = 0;
  // Hidden states [n, D] of the last n of the `computed` tokens, from the step that computed them.
  virtual void saw(const View&, const Tensor& /*hidden*/) {}
  // After a step: brings the memory of these sequences up to date where much is missing.
  virtual void follow(std::span<const View> sequences) = 0;
  virtual void forget(int64_t id) = 0;  // the sequence ended, or lost its cache

  // Measured seconds of one more guess for one of so many sequences.
  double seconds_per_guess(int64_t sequences) const { return costs_.at(sequences) / static_cast<double>(sequences); }

 protected:
  static constexpr int64_t kBatch = 64;  // tokens that are worth a pass of their own
  // Draws the job's next guess from one row of logits.
  static void draw(Job& job, const Tensor& logits);
  StepCosts costs_;  // of one pass
};

// Logits as floats, whatever the device computes in; `narrow` holds them if they must be converted.
std::span<float> as_floats(const Tensor& logits, std::vector<float>& narrow);

}  // namespace jevons
