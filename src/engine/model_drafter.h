// ModelDrafter: guesses from a small model of the same tokenizer (Leviathan et al. 2023). It has its own cache, which
// follows the sequences of the engine: what it read of a wrong guess is taken back (overwritten), whole pages of a
// common beginning are shared, and long prompts are read step by step beside the engine's own.
//
// Cost: one pass of the small model per guess, for all sequences together. A sequence for which it has no page, or that
// is longer than its context, gets no guesses.
#pragma once
#include <unordered_map>

#include "engine/drafter.h"
#include "engine/kv_pages.h"
#include "engine/kv_store.h"
#include "models/decoder.h"

namespace jevons {

class ModelDrafter : public Drafter {
 public:
  struct Setting {
    DeviceKind device;
    bool exact;
    DType cache_type;
    int64_t context, pages, page_tokens;
    int64_t step_tokens;  // of one pass at most
    int64_t vocabulary;   // of the engine's model; a guess beyond it ends the guesses
  };
  ModelDrafter(const Decoder& model, Exec& exec, Arena& arena, const Setting& setting);
  void draft(std::span<Job> jobs) override;
  void follow(std::span<const View> sequences) override;
  void forget(int64_t id) override;

 private:
  struct Track {
    std::vector<int32_t> read{};  // tokens with cache entries, the last of which may be guesses
    std::vector<int32_t> pages{};
    int64_t published = 0;  // pages
  };
  struct Rows;
  Track& track(const View& sequence);
  bool give_pages(Track& track, int64_t tokens);
  bool read(Rows& rows, const View& sequence, int64_t until);
  Tensor pass(const Rows& rows, bool wants_logits);
  void publish(Track& track, const View& sequence);

  const Decoder& model_;
  Exec& exec_;
  Arena& arena_;
  Setting setting_;
  KvPages pages_;
  KvStore store_;
  std::unordered_map<int64_t, Track> tracks_;
};

}  // namespace jevons
