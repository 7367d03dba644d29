// One tool call as a model writes it, from behind its marker to the end of its JSON, byte by byte:
//   object  {"name": "f", "arguments": {...}}, members in any order, "parameters" for "arguments", others passed over
//   fenced  function<｜tool▁sep｜>f\n```json\n{...}      (DeepSeek V3, R1)
//   plain   f<｜tool▁sep｜>{...}                          (DeepSeek V3.1)
#pragma once
#include <string>
#include <vector>

#include "text/json_scanner.h"

namespace jevons {

class ToolCallBody {
 public:
  enum class Form { object, fenced, plain };
  using Step = JsonScanner::Step;

  // `names`: the functions that can be called; must outlive this object.
  ToolCallBody(Form form, const std::vector<std::string>& names)
      : form_(form), names_(&names), state_(form == Form::object ? State::open : State::header) {}

  // The next byte; appends to `arguments` what of them is certain. `error`: this byte cannot belong to a call of a
  // known function. Cost: O(1); O(names) once.
  Step push(char c, std::string& arguments);
  // The name is known and the arguments have begun: it is a call.
  bool begun() const { return begun_; }
  const std::string& name() const { return name_; }
  // No more bytes follow: whether the call is whole nevertheless.
  bool finish() const { return begun_ && state_ == State::value && scanner_.whole_number() && form_ != Form::object; }

 private:
  enum class State { header, open, first_key, next_key, key, colon, before_value, value, comma };
  Step header(char c);
  Step object(char c);
  Step value(char c, std::string& arguments);
  bool member_ended(std::string& arguments);
  bool known(std::string name);
  Step to(State state) {
    state_ = state;
    return Step::more;
  }

  Form form_;
  const std::vector<std::string>* names_;
  State state_;
  JsonScanner scanner_;
  std::string text_;       // the header, the key, or the value of "name", so far
  std::string key_;        // of the member being read
  std::string name_;       // once it is known
  std::string arguments_;  // that came before the name
  bool begun_ = false, have_arguments_ = false;
};

}  // namespace jevons
