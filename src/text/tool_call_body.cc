#include "text/tool_call_body.h"

#include <algorithm>

#include "base/json.h"

namespace jevons {
namespace {

constexpr size_t kLongestHeader = 256;
constexpr std::string_view kSeparator = "<｜tool▁sep｜>", kFence = "\n```json\n";

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_arguments(std::string_view key) { return key == "arguments" || key == "parameters"; }

}  // namespace

bool ToolCallBody::known(std::string name) {
  if (std::find(names_->begin(), names_->end(), name) == names_->end()) return false;
  name_ = std::move(name);
  return true;
}

ToolCallBody::Step ToolCallBody::header(char c) {
  text_ += c;
  if (text_.size() > kLongestHeader) return Step::error;
  const std::string_view end = form_ == Form::fenced ? kFence : kSeparator;
  if (!std::string_view(text_).ends_with(end)) return Step::more;
  std::string_view name = std::string_view(text_).substr(0, text_.size() - end.size());
  if (form_ == Form::fenced) {
    const size_t at = name.find(kSeparator);
    if (at == std::string_view::npos) return Step::error;
    name.remove_prefix(at + kSeparator.size());
  }
  if (!known(std::string(name))) return Step::error;
  key_ = "arguments";
  return to(State::before_value);
}

// Everything of an object but its values.
ToolCallBody::Step ToolCallBody::object(char c) {
  if (state_ == State::key) {
    text_ += c;
    const Step step = scanner_.push(c);
    if (step != Step::done) return step;
    Result<Json> key = Json::parse(text_);
    if (!key.ok()) return Step::error;
    key_ = key->as_string();
    return to(State::colon);
  }
  if (is_space(c)) return Step::more;
  if (state_ == State::open) return c == '{' ? to(State::first_key) : Step::error;
  if (state_ == State::colon) return c == ':' ? to(State::before_value) : Step::error;
  if (state_ == State::comma && c == ',') return to(State::next_key);
  if (c == '}' && state_ != State::next_key) return begun_ ? Step::done : Step::error;
  if (c != '"' || state_ == State::comma) return Step::error;
  text_ = c;
  scanner_ = {};
  scanner_.push(c);
  return to(State::key);
}

// False: this is no call.
bool ToolCallBody::member_ended(std::string& arguments) {
  state_ = State::comma;
  if (is_arguments(key_)) return have_arguments_ = true;
  if (key_ != "name") return true;
  Result<Json> name = Json::parse(text_);
  if (!name_.empty() || !name.ok() || !name->is_string() || !known(name->as_string())) return false;
  if (have_arguments_) begun_ = true, arguments += arguments_;
  return true;
}

ToolCallBody::Step ToolCallBody::value(char c, std::string& arguments) {
  if (state_ == State::before_value) {
    if (is_space(c)) return Step::more;
    if (is_arguments(key_) && have_arguments_) return Step::error;  // twice
    scanner_ = {};
    text_.clear();
    state_ = State::value;
  }
  const Step step = scanner_.push(c);
  if (step == Step::error) return step;
  if (step != Step::before) {
    if (!is_arguments(key_))
      text_ += c;
    else if (name_.empty())
      arguments_ += c;
    else
      begun_ = true, arguments += c;
  }
  if (step == Step::more || form_ != Form::object) return step;
  if (!member_ended(arguments)) return Step::error;
  return step == Step::before ? object(c) : Step::more;
}

ToolCallBody::Step ToolCallBody::push(char c, std::string& arguments) {
  if (state_ == State::header) return header(c);
  if (state_ == State::before_value || state_ == State::value) return value(c, arguments);
  return object(c);
}

}  // namespace jevons
