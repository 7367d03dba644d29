#include "text/thought.h"

#include <algorithm>

namespace jevons {
namespace {

constexpr std::string_view kSpaces = " \t\r\n";

// The length of the longest end of `text` that is a proper start of `tag`.
size_t partial_tag(std::string_view text, std::string_view tag) {
  for (size_t size = std::min(text.size(), tag.size() - 1); size > 0; --size)
    if (text.ends_with(tag.substr(0, size))) return size;
  return 0;
}

}  // namespace

ThoughtParser::ThoughtParser(bool starts_in_thought, std::string open_tag, std::string close_tag)
    : open_tag_(std::move(open_tag)),
      close_tag_(std::move(close_tag)),
      state_(starts_in_thought ? State::thought_start : State::start) {}

ThoughtParser::Piece ThoughtParser::push(std::string_view text) {
  Piece out;
  held_ += text;
  while (step(out, false)) {
  }
  return out;
}

ThoughtParser::Piece ThoughtParser::finish() {
  Piece out;
  while (step(out, true)) {
  }
  return out;
}

// Decides as much of `held_` as is certain (all of it if this is the `last`); true if the state changed.
bool ThoughtParser::step(Piece& out, bool last) {
  if (state_ == State::start) {
    const size_t begin = std::min(held_.find_first_not_of(kSpaces), held_.size());
    const std::string_view rest = std::string_view(held_).substr(begin);
    if (rest.starts_with(open_tag_)) {
      held_.erase(0, begin + open_tag_.size());
      state_ = State::thought_start;
      return true;
    }
    if (!last && std::string_view(open_tag_).starts_with(rest)) return false;  // may become the tag
    state_ = State::answer;
    return true;
  }
  if (state_ == State::thought_start) {
    if (held_.empty()) return false;
    if (held_[0] == '\n') held_.erase(0, 1);
    state_ = State::thought;
    return true;
  }
  if (state_ == State::thought) {
    if (const size_t at = held_.find(close_tag_); at != std::string::npos) {
      out.reasoning.append(held_, 0, at > 0 && held_[at - 1] == '\n' ? at - 1 : at);
      held_.erase(0, at + close_tag_.size());
      state_ = State::answer_start;
      return true;
    }
    size_t keep = last ? 0 : partial_tag(held_, close_tag_);
    if (!last && keep < held_.size() && held_[held_.size() - keep - 1] == '\n') ++keep;
    out.reasoning.append(held_, 0, held_.size() - keep);
    held_.erase(0, held_.size() - keep);
    return false;
  }
  if (state_ == State::answer_start) {
    held_.erase(0, held_.find_first_not_of('\n'));
    if (held_.empty()) return false;
    state_ = State::answer;
  }
  out.content += held_;
  held_.clear();
  return false;
}

bool prompt_opens_thought(std::string_view prompt_tail, std::string_view open_tag) {
  const size_t at = prompt_tail.rfind(open_tag);
  return at != std::string_view::npos &&
         prompt_tail.find_first_not_of(kSpaces, at + open_tag.size()) == std::string_view::npos;
}

}  // namespace jevons
