#include "text/tool_calls.h"

#include <algorithm>
#include <span>
#include <utility>

namespace jevons {
namespace {

constexpr std::string_view kSpaces = " \t\r\n";
constexpr std::string_view kList = "<｜tool▁calls▁begin｜>", kListEnd = "<｜tool▁calls▁end｜>";
constexpr std::string_view kCall = "<｜tool▁call▁begin｜>", kCallEnd = "<｜tool▁call▁end｜>";
constexpr std::string_view kHermes = "<tool_call>", kHermesEnd = "</tool_call>", kPython = "<|python_tag|>";

using Markers = std::span<const std::string_view>;

Markers openers(ToolFormat format) {
  static constexpr std::string_view hermes[] = {kHermes}, deepseek[] = {kList, kCall}, llama[] = {kPython};
  switch (format) {
    case ToolFormat::none:
      return {};
    case ToolFormat::hermes:
      return hermes;
    case ToolFormat::llama:
      return llama;
    default:
      return deepseek;
  }
}

// What may stand between a call and what follows it, without being content.
Markers closers(ToolFormat format) {
  static constexpr std::string_view hermes[] = {kHermesEnd}, fenced[] = {"```", kCallEnd, kListEnd},
                                    plain[] = {kCallEnd, kListEnd}, llama[] = {";"};
  switch (format) {
    case ToolFormat::none:
      return {};
    case ToolFormat::hermes:
      return hermes;
    case ToolFormat::llama:
      return llama;
    case ToolFormat::deepseek:
      return fenced;
    default:
      return plain;
  }
}

ToolCallBody::Form form(ToolFormat format) {
  return format == ToolFormat::deepseek         ? ToolCallBody::Form::fenced
         : format == ToolFormat::deepseek_plain ? ToolCallBody::Form::plain
                                                : ToolCallBody::Form::object;
}

// The length of the longest end of `text` that is a proper start of a marker.
size_t partial_marker(std::string_view text, Markers markers) {
  size_t longest = 0;
  for (const std::string_view marker : markers)
    for (size_t size = std::min(text.size(), marker.size() - 1); size > longest; --size)
      if (text.ends_with(marker.substr(0, size))) longest = size;
  return longest;
}

// The marker at the start of `text`; `open`: `text` is a proper start of one.
std::string_view marker_at(std::string_view text, Markers markers, bool& open) {
  for (const std::string_view marker : markers) {
    if (text.starts_with(marker)) return marker;
    open |= marker.starts_with(text);
  }
  return {};
}

size_t leading_spaces(std::string_view text) { return std::min(text.find_first_not_of(kSpaces), text.size()); }

}  // namespace

ToolFormat tool_format(std::string_view source) {
  const auto has = [&](std::string_view words) { return source.find(words) != std::string_view::npos; };
  if (has(kList)) return has("```json") ? ToolFormat::deepseek : ToolFormat::deepseek_plain;
  if (has(kHermes) && has("\\\"arguments\\\"") && !has("<function=")) return ToolFormat::hermes;
  if (has("{\"name\": function name, \"parameters\"")) return ToolFormat::llama;
  return ToolFormat::none;
}

ToolCallParser::ToolCallParser(ToolFormat format, std::vector<std::string> names)
    : format_(format), names_(std::move(names)), state_(format == ToolFormat::llama ? State::start : State::text) {}

std::vector<ToolEvent> ToolCallParser::push(std::string_view text) {
  held_ += text;
  while (step(false)) {
  }
  return std::exchange(out_, {});
}

std::vector<ToolEvent> ToolCallParser::finish() {
  while (step(true)) {
  }
  return std::exchange(out_, {});
}

void ToolCallParser::emit(ToolEvent::Kind kind, std::string text, bool whole) {
  const int64_t call = kind == ToolEvent::Kind::text ? 0 : calls_;
  const bool joins = kind == ToolEvent::Kind::text || kind == ToolEvent::Kind::arguments;
  if (joins && !out_.empty() && out_.back().kind == kind)
    out_.back().text += text;
  else
    out_.push_back({kind, call, std::move(text), whole});
}

void ToolCallParser::emit_text(std::string_view text) {
  if (text.empty()) return;
  emit(ToolEvent::Kind::text, std::exchange(gap_, {}).append(text));
  content_ = true;
}

// Decides as much of `held_` as is certain (all of it if this is the `last`); true if there may be more to decide.
bool ToolCallParser::step(bool last) {
  switch (state_) {
    case State::start:
      return start(last);
    case State::text:
      return text(last);
    case State::list:
      return list(last);
    case State::call:
      return call(last);
    default:
      return after(last);
  }
}

// Takes a marker at `at` and the white space before it.
void ToolCallParser::open(std::string_view marker, size_t at) {
  raw_ = held_.substr(0, at + marker.size());
  held_.erase(0, raw_.size());
  state_ = State::list;
  list_open_ = true;
  if (marker != kList) begin_call();
}

void ToolCallParser::begin_call() {
  body_.emplace(form(format_), names_);
  state_ = State::call;
}

// What was taken for a call is content.
bool ToolCallParser::give_up() {
  emit_text(std::exchange(raw_, {}));
  state_ = State::text;
  return true;
}

// Llama: a call may be the answer itself, without a marker.
bool ToolCallParser::start(bool last) {
  const size_t spaces = leading_spaces(held_);
  if (spaces == held_.size() && !last) return false;
  if (held_[spaces] == '{')
    open({}, spaces);
  else
    state_ = State::text;
  return true;
}

bool ToolCallParser::text(bool last) {
  size_t at = std::string::npos;
  std::string_view marker;
  for (const std::string_view m : openers(format_))
    if (const size_t place = held_.find(m); place < at) at = place, marker = m;
  const bool found = at != std::string::npos;
  size_t end = found ? at : held_.size() - (last ? 0 : partial_marker(held_, openers(format_)));
  if (format_ != ToolFormat::none && (found || !last))  // white space before a call is no content
    while (end > 0 && kSpaces.find(held_[end - 1]) != std::string_view::npos) --end;
  emit_text(std::string_view(held_).substr(0, end));
  held_.erase(0, end);
  if (!found) return false;
  open(marker, at - end);
  return true;
}

// DeepSeek: between the marker of the list and that of its first call.
bool ToolCallParser::list(bool last) {
  const size_t spaces = leading_spaces(held_);
  const std::string_view rest = std::string_view(held_).substr(spaces);
  if (rest.starts_with(kCall)) {
    raw_.append(held_, 0, spaces + kCall.size());
    held_.erase(0, spaces + kCall.size());
    begin_call();
    return true;
  }
  if (!last && kCall.starts_with(rest)) return false;
  return give_up();
}

void ToolCallParser::call_ended(bool whole) {
  emit(ToolEvent::Kind::end, {}, whole);
  ++calls_;
  state_ = whole ? State::after : State::text;
}

bool ToolCallParser::call(bool last) {
  for (size_t i = 0; i < held_.size(); ++i) {
    std::string arguments;
    const bool begun = body_->begun();
    const JsonScanner::Step result = body_->push(held_[i], arguments);
    if (!begun && body_->begun()) {
      const size_t spaces = leading_spaces(raw_);
      if (content_ && gap_.empty()) gap_ = raw_.substr(0, spaces);
      raw_.clear();
      emit(ToolEvent::Kind::begin, body_->name());
    }
    if (!arguments.empty()) emit(ToolEvent::Kind::arguments, std::move(arguments));
    if (!body_->begun() && result != JsonScanner::Step::error) raw_ += held_[i];
    if (result == JsonScanner::Step::more) continue;
    held_.erase(0, result == JsonScanner::Step::done ? i + 1 : i);
    if (!body_->begun()) return give_up();
    call_ended(result != JsonScanner::Step::error);
    return true;
  }
  held_.clear();
  if (!last) return false;
  if (!body_->begun()) return give_up();
  call_ended(body_->finish());
  return true;
}

// White space and closing markup behind a call, up to the next call or content.
bool ToolCallParser::after(bool last) {
  const size_t spaces = leading_spaces(held_);
  const std::string_view rest = std::string_view(held_).substr(spaces);
  if (rest.empty()) {
    if (last) held_.clear();
    return false;
  }
  bool open_end = false;
  const std::string_view closer = list_open_ ? marker_at(rest, closers(format_), open_end) : std::string_view();
  if (!closer.empty()) {
    held_.erase(0, spaces + closer.size());
    if (closer == kListEnd) list_open_ = false;
    return true;
  }
  const std::string_view opener = marker_at(rest, openers(format_), open_end);
  if (!opener.empty() || (format_ == ToolFormat::llama && rest[0] == '{')) {
    open(opener, spaces);
    return true;
  }
  if (open_end && !last) return false;
  held_.erase(0, spaces);
  state_ = State::text;
  return true;
}

}  // namespace jevons
