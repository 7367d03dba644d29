#include "engine/generate.h"

namespace jevons {

Result<Generated> generate(Engine& engine, const Tokenizer& tokenizer, std::vector<int32_t> prompt,
                           const Sampling& sampling, const GenerateOptions& options,
                           const std::function<void(const Piece&)>& on_piece,
                           const std::function<Interrupt()>& interrupted,
                           const std::function<void(int64_t, int64_t)>& on_prefill) {
  const int64_t room = engine.options().context - static_cast<int64_t>(prompt.size());
  Generation generation(tokenizer, options, room, on_piece, interrupted);
  Request request = generation.request(std::move(prompt), sampling);
  request.on_prefill = on_prefill;
  JEVONS_TRY(const int64_t id, engine.submit(std::move(request)));
  for (bool more = true; more;) {
    more = engine.step();
    if (more && interrupted && generation.result().tokens.empty() && interrupted() != Interrupt::none) {
      engine.cancel(id);
      generation.interrupt();
      more = false;
    }
  }
  return generation.finish();
}

}  // namespace jevons
