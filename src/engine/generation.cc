#include "engine/generation.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/clock.h"

namespace jevons {
namespace {

constexpr std::string_view kCloseThought = "\n</think>\n\n";
constexpr size_t kMatcherBytes = size_t{8} << 20;

int64_t thought_limit(const GenerateOptions& o, int64_t room) {
  const int64_t whole = o.max_tokens > 0 ? std::min(o.max_tokens, room) : room;
  const int64_t leaving =
      o.answer_allowance > 0 ? std::max<int64_t>(whole - o.answer_allowance, 0) : std::numeric_limits<int64_t>::max();
  return std::min(leaving, o.thought_budget.value_or(std::numeric_limits<int64_t>::max()));
}

}  // namespace

const char* finish_name(Finish finish) {
  return finish == Finish::stop ? "stop" : finish == Finish::length ? "length" : "interrupted";
}

bool LoopDetector::push(int32_t token) {
  tokens_.push_back(token);
  const size_t n = tokens_.size();
  bool looping = false;
  for (size_t period = 1; period <= std::min(kLongest, n - 1); ++period) {
    int64_t& same = same_[period];
    same = tokens_[n - 1 - period] == token ? same + 1 : 0;
    looping |= same >= std::max<int64_t>(96, 3 * static_cast<int64_t>(period));
  }
  return looping;
}

std::string Generation::StopScanner::push(std::string_view text) {
  held_ += text;
  size_t begin = std::string::npos, end = std::string::npos;
  for (const std::string& stop : stops_) {
    const size_t at = stop.empty() ? std::string::npos : held_.find(stop);
    if (at == std::string::npos) continue;
    if (at + stop.size() < end || (at + stop.size() == end && at < begin))
      begin = at, end = at + stop.size(), hit_ = &stop;
  }
  if (hit_) {
    held_.resize(begin);
    return flush();
  }
  size_t keep = 0;
  for (const std::string& stop : stops_)
    for (size_t n = std::min(stop.size(), held_.size() + 1) - (stop.empty() ? 0 : 1); n > keep; --n)
      if (held_.size() >= n && held_.compare(held_.size() - n, n, stop, 0, n) == 0) keep = n;
  std::string out = held_.substr(0, held_.size() - keep);
  held_.erase(0, held_.size() - keep);
  return out;
}

Generation::Generation(const Tokenizer& tokenizer, GenerateOptions options, int64_t room, OnPiece on_piece,
                       std::function<Interrupt()> interrupted)
    : tokenizer_(tokenizer),
      options_(std::move(options)),
      thought_limit_(thought_limit(options_, room)),
      on_piece_(std::move(on_piece)),
      interrupted_(std::move(interrupted)),
      decoder_(tokenizer),
      thought_(options_.starts_in_thought),
      scanner_(options_.stop) {
  if (options_.tools.format != ToolFormat::none) calls_.emplace(options_.tools.format, options_.tools.names);
  if (options_.grammar) matcher_.emplace(options_.grammar, kMatcherBytes);
}

Request Generation::request(std::vector<int32_t> prompt, Sampling sampling) {
  out_.prompt_tokens = static_cast<int64_t>(prompt.size());
  start_ = now_seconds();
  Request request{std::move(prompt), std::move(sampling), {}, {}, {}, {}, {}};
  request.on_start = [this](CachedTokens cached) {
    out_.cached_tokens = cached.total();
    out_.disk_tokens = cached.disk;
  };
  request.on_token = [this](int32_t id, bool drawn) { return token(id, drawn); };
  request.on_guesses = [this](int64_t made, int64_t right) { out_.guessed += made, out_.guessed_right += right; };
  if (options_.logprobs >= 0 || matcher_)
    request.on_logits = [this](std::span<float> logits) {
      if (options_.logprobs >= 0) logits_.assign(logits.begin(), logits.end());
      if (matcher_) matcher_->apply(logits);
    };
  return request;
}

TokenChoice weigh(std::span<const float> logits, int32_t id, int likeliest) {
  TokenChoice out{.id = id, .likeliest = {}};
  const float top = *std::max_element(logits.begin(), logits.end());
  double sum = 0, weighted = 0;
  for (float l : logits) {
    const double e = std::exp(static_cast<double>(l) - top);
    sum += e;
    if (e > 0) weighted += e * (static_cast<double>(l) - top);
  }
  const double log_sum = std::log(sum);
  const auto logprob = [&](int32_t i) {
    return static_cast<float>(static_cast<double>(logits[static_cast<size_t>(i)]) - top - log_sum);
  };
  out.logprob = logprob(id);
  out.entropy = static_cast<float>(log_sum - weighted / sum);
  std::vector<int32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  const auto count = static_cast<ptrdiff_t>(std::min(ids.size(), static_cast<size_t>(likeliest)));
  std::partial_sort(ids.begin(), ids.begin() + count, ids.end(), [&](int32_t a, int32_t b) {
    const float la = logits[static_cast<size_t>(a)], lb = logits[static_cast<size_t>(b)];
    return la != lb ? la > lb : a < b;
  });
  for (ptrdiff_t i = 0; i < count; ++i)
    out.likeliest.emplace_back(ids[static_cast<size_t>(i)], logprob(ids[static_cast<size_t>(i)]));
  return out;
}

TokenChoice Generation::choice(int32_t id, bool drawn) const {
  TokenChoice out =
      drawn && !logits_.empty() ? weigh(logits_, id, options_.logprobs) : TokenChoice{.id = id, .likeliest = {}};
  out.thought = in_thought();
  out.drawn = drawn;
  return out;
}

bool Generation::must_close(Interrupt wish) {
  if (wish == Interrupt::end_thought) return true;
  if (out_.thought_tokens >= thought_limit_) return out_.thought_cut = true;
  if (options_.break_loops && loop_.push(out_.tokens.back())) return out_.loop_closed = true;
  return false;
}

Verdict Generation::token(int32_t id, bool drawn) {
  const double now = now_seconds();
  if (out_.tokens.empty()) first_ = now;
  last_ = now;
  const bool is_stop = std::find(options_.stop_ids.begin(), options_.stop_ids.end(), id) != options_.stop_ids.end();
  if (drawn && is_stop && !options_.ignore_eos) return end(Finish::stop);
  if (matcher_ && !matcher_->accept(id)) {
    out_.stuck = true;
    return end(Finish::stop);
  }
  out_.tokens.push_back(id);
  const bool thinking = in_thought();
  out_.thought_tokens += thinking;
  if (options_.logprobs >= 0) choices_.push_back(choice(id, drawn));
  emit(decoder_.push(id));
  if (thinking && !in_thought()) thought_end_ = now;
  if (scanner_.hit() || (called_ && !options_.tools.parallel)) return end(Finish::stop);
  if (matcher_ && matcher_->over()) return end(Finish::stop);
  if (options_.max_tokens > 0 && static_cast<int64_t>(out_.tokens.size()) >= options_.max_tokens)
    return end(Finish::length);
  const Interrupt wish = interrupted_ ? interrupted_() : Interrupt::none;
  if (wish == Interrupt::end_all) return end(Finish::interrupted);
  if (drawn && in_thought() && !closing_ && must_close(wish)) {
    closing_ = true;
    return {false, tokenizer_.encode(kCloseThought, {.parse_special = true, .add_bos = false})};
  }
  return {};
}

const Generated& Generation::finish() {
  emit(decoder_.flush());
  if (options_.split_thought && !scanner_.hit()) {
    const auto rest = thought_.finish();
    deliver(rest.reasoning, scanner_.push(rest.content));
  }
  if (!scanner_.hit()) deliver({}, scanner_.flush());
  if (calls_) deliver(calls_->finish());
  if (calls_ && out_.calls.empty() && out_.finish == Finish::stop && in_thought()) recover_calls();
  if (!choices_.empty() && on_piece_) on_piece_({{}, {}, choices_});
  choices_.clear();
  if (scanner_.hit()) out_.stop_string = *scanner_.hit(), out_.finish = Finish::stop;
  out_.prompt_seconds = first_ > 0 ? first_ - start_ : 0;
  out_.seconds = last_ - first_;
  if (out_.thought_tokens > 0) out_.thought_seconds = (thought_end_ > 0 ? thought_end_ : last_) - first_;
  return out_;
}

Verdict Generation::end(Finish why) {
  out_.finish = why;
  return {true, {}};
}

void Generation::emit(const std::string& text) {
  if (text.empty()) return;
  if (!options_.split_thought) return deliver({}, scanner_.push(text));
  const auto piece = thought_.push(text);
  deliver(piece.reasoning, scanner_.push(piece.content));
}

void Generation::deliver(const std::string& reasoning, const std::string& text) {
  out_.reasoning += reasoning;
  if (!calls_) {
    out_.text += text;
    return give({reasoning, text, {}});
  }
  give({reasoning, {}, {}});
  deliver(calls_->push(text));
}

void Generation::deliver(std::vector<ToolEvent> events) {
  for (ToolEvent& e : events) {
    if (e.kind == ToolEvent::Kind::text) {
      out_.text += e.text;
      give({{}, e.text, {}});
      continue;
    }
    if (e.kind == ToolEvent::Kind::begin) {
      if (options_.tools.new_id) e.id = options_.tools.new_id(e.call);
      out_.calls.push_back({e.id, e.text, {}, false});
    }
    if (e.kind == ToolEvent::Kind::arguments) out_.calls.back().arguments += e.text;
    if (e.kind == ToolEvent::Kind::end) out_.calls.back().whole = e.whole, called_ = true;
    give({{}, {}, {}, {&e, 1}});
  }
}

void Generation::give(const Piece& piece) {
  if (piece.reasoning.empty() && piece.text.empty() && piece.calls.empty()) return;
  if (on_piece_) on_piece_({piece.reasoning, piece.text, choices_, piece.calls});
  choices_.clear();
}

// Some models call without closing their thought first: whole calls in it count, if it was never closed.
void Generation::recover_calls() {
  ToolCallParser parser(options_.tools.format, options_.tools.names);
  std::vector<ToolEvent> events = parser.push(out_.reasoning);
  for (ToolEvent& e : parser.finish()) events.push_back(std::move(e));
  bool whole = true;
  std::erase_if(events, [&](const ToolEvent& e) {
    whole &= e.whole;
    return e.kind == ToolEvent::Kind::text;
  });
  if (!whole || events.empty()) return;
  out_.calls_recovered = true;
  deliver(std::move(events));
}

}  // namespace jevons
