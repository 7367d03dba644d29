#include "engine/generate.h"

#include <algorithm>

#include "base/clock.h"

namespace jevons {
namespace {

constexpr std::string_view kCloseThought = "\n</think>\n\n";

// Holds text back while it may be the beginning of a stop string.
class StopScanner {
 public:
  explicit StopScanner(const std::vector<std::string>& stops) : stops_(stops) {}
  bool hit() const { return hit_; }

  std::string push(std::string_view text) {
    held_ += text;
    size_t end = std::string::npos;
    for (const std::string& stop : stops_)
      if (!stop.empty()) end = std::min(end, held_.find(stop));
    if (end != std::string::npos) {
      hit_ = true;
      held_.resize(end);
      return std::exchange(held_, {});
    }
    size_t keep = 0;
    for (const std::string& stop : stops_)
      for (size_t n = std::min(stop.size(), held_.size() + 1) - (stop.empty() ? 0 : 1); n > keep; --n)
        if (held_.size() >= n && held_.compare(held_.size() - n, n, stop, 0, n) == 0) keep = n;
    std::string out = held_.substr(0, held_.size() - keep);
    held_.erase(0, held_.size() - keep);
    return out;
  }
  std::string flush() { return std::exchange(held_, {}); }

 private:
  const std::vector<std::string>& stops_;
  std::string held_;
  bool hit_ = false;
};

class Generation {
 public:
  Generation(const Tokenizer& tokenizer, const GenerateOptions& options,
             const std::function<void(const Piece&)>& on_piece, const std::function<Interrupt()>& interrupted)
      : tokenizer_(tokenizer),
        options_(options),
        on_piece_(on_piece),
        interrupted_(interrupted),
        decoder_(tokenizer),
        thought_(options.starts_in_thought),
        scanner_(options.stop) {}

  Generated out;
  bool ended_ = false;

  Verdict token(int32_t id, bool drawn) {
    const double now = now_seconds();
    if (out.tokens.empty()) first_ = now;
    last_ = now;
    const bool is_stop = std::find(options_.stop_ids.begin(), options_.stop_ids.end(), id) != options_.stop_ids.end();
    if (drawn && is_stop && !options_.ignore_eos) return end(Finish::stop);
    out.tokens.push_back(id);
    const bool thinking = in_thought();
    out.thought_tokens += thinking;
    emit(decoder_.push(id));
    if (scanner_.hit()) return end(Finish::stop);
    if (options_.max_tokens > 0 && static_cast<int64_t>(out.tokens.size()) >= options_.max_tokens)
      return end(Finish::length);
    const Interrupt wish = interrupted_ ? interrupted_() : Interrupt::none;
    if (wish == Interrupt::end_all) return end(Finish::interrupted);
    const bool over = options_.thought_budget && out.thought_tokens >= *options_.thought_budget;
    if (drawn && in_thought() && !closing_ && (over || wish == Interrupt::end_thought)) {
      closing_ = true;
      return {false, tokenizer_.encode(kCloseThought, {.parse_special = true, .add_bos = false})};
    }
    return {};
  }

  void finish(double start) {
    emit(decoder_.flush());
    if (options_.split_thought && !scanner_.hit()) {
      const auto rest = thought_.finish();
      deliver(rest.reasoning, scanner_.push(rest.content));
    }
    if (!scanner_.hit()) deliver({}, scanner_.flush());
    out.prompt_seconds = first_ > 0 ? first_ - start : 0;
    out.seconds = last_ - first_;
  }

  Verdict end(Finish why) {
    out.finish = why;
    ended_ = true;
    return {true, {}};
  }

 private:
  bool in_thought() const { return options_.split_thought && thought_.in_thought(); }

  void emit(const std::string& text) {
    if (text.empty()) return;
    if (!options_.split_thought) return deliver({}, scanner_.push(text));
    const auto piece = thought_.push(text);
    deliver(piece.reasoning, scanner_.push(piece.content));
  }

  void deliver(const std::string& reasoning, const std::string& text) {
    out.reasoning += reasoning;
    out.text += text;
    if (on_piece_ && (!reasoning.empty() || !text.empty())) on_piece_({reasoning, text});
  }

  const Tokenizer& tokenizer_;
  const GenerateOptions& options_;
  const std::function<void(const Piece&)>& on_piece_;
  const std::function<Interrupt()>& interrupted_;
  StreamDecoder decoder_;
  ThoughtParser thought_;
  StopScanner scanner_;
  bool closing_ = false;
  double first_ = 0, last_ = 0;
};

}  // namespace

const char* finish_name(Finish finish) {
  return finish == Finish::stop ? "stop" : finish == Finish::length ? "length" : "interrupted";
}

Result<Generated> generate(Engine& engine, const Tokenizer& tokenizer, std::vector<int32_t> prompt,
                           const Sampling& sampling, const GenerateOptions& options,
                           const std::function<void(const Piece&)>& on_piece,
                           const std::function<Interrupt()>& interrupted,
                           const std::function<void(int64_t, int64_t)>& on_prefill) {
  Generation generation(tokenizer, options, on_piece, interrupted);
  generation.out.prompt_tokens = static_cast<int64_t>(prompt.size());
  Request request{std::move(prompt), sampling, [&](int32_t id, bool drawn) { return generation.token(id, drawn); },
                  on_prefill};
  const double start = now_seconds();
  JEVONS_TRY(const int64_t id, engine.submit(std::move(request)));
  for (bool more = true; more;) {
    more = engine.step();
    if (more) generation.out.cached_tokens = engine.cached_tokens(id);
    if (more && interrupted && generation.out.tokens.empty() && interrupted() != Interrupt::none) {
      engine.cancel(id);
      generation.end(Finish::interrupted);
      more = false;
    }
  }
  generation.finish(start);
  return std::move(generation.out);
}

}  // namespace jevons
