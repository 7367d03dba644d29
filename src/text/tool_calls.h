// Finds the tool calls in what a model answers, while it arrives, whatever form the model was taught:
//   hermes          <tool_call>\n{"name": "f", "arguments": {...}}\n</tool_call>                 Qwen 2.5, QwQ, Qwen3
//   deepseek        <｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n{...}\n```
//                   <｜tool▁call▁end｜>...<｜tool▁calls▁end｜>                                     V2.5, V3, R1
//   deepseek_plain  the same with f<｜tool▁sep｜>{...}                                            V3.1
//   llama           {"name": "f", "parameters": {...}} at the start of the answer or after <|python_tag|>; more of them
//                   after a semicolon or white space                                              Llama 3.x
// Sources: the chat templates of these models (tests/golden/templates).
//
// Policy, the same at every split of the stream:
//   A call counts from its first byte of arguments on, if its name is one of the request's functions. The arguments are
//   the exact text the model wrote. Whatever is no such call (another name, broken JSON, an end before the arguments)
//   stays in the content, marker and all, and so does what follows a break within the arguments; such a call ends with
//   whole = false.
//   Markup around a call is no content, nor is white space there; between text before and after calls stays the white
//   space that followed the former.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/tool_call_body.h"

namespace jevons {

enum class ToolFormat { none, hermes, deepseek, deepseek_plain, llama };

// The form that a chat template teaches its model; none if it does not write tool calls.
ToolFormat tool_format(std::string_view chat_template);

struct ToolCall {
  std::string id, name, arguments;
  bool whole = true;  // the arguments are a JSON value from begin to end
};

struct ToolEvent {
  enum class Kind { text, begin, arguments, end };
  Kind kind = Kind::text;
  int64_t call = 0;     // which, counted from 0
  std::string text;     // content; the name; the next bytes of the arguments
  bool whole = true;    // of `end`
  std::string id = {};  // of `begin`, for who gives ids
};

class ToolCallParser {
 public:
  ToolCallParser(ToolFormat format, std::vector<std::string> names);
  ToolCallParser(const ToolCallParser&) = delete;

  // What the next text adds. Cost: O(bytes of text).
  std::vector<ToolEvent> push(std::string_view text);
  // What was held back; the text is over.
  std::vector<ToolEvent> finish();

 private:
  enum class State { start, text, list, call, after };
  bool step(bool last);
  bool start(bool last);
  bool text(bool last);
  bool list(bool last);
  bool call(bool last);
  bool after(bool last);
  void open(std::string_view marker, size_t at);
  void begin_call();
  void call_ended(bool whole);
  bool give_up();
  void emit_text(std::string_view text);
  void emit(ToolEvent::Kind kind, std::string text, bool whole = true);

  ToolFormat format_;
  std::vector<std::string> names_;
  State state_;
  std::vector<ToolEvent> out_;
  std::string held_;  // not yet decided
  std::string raw_;   // decided to be of a call that has not begun: content if it turns out to be none
  std::string gap_;   // white space between content and a call: content if more content follows
  bool content_ = false;
  bool list_open_ = false;  // before <｜tool▁calls▁end｜>
  std::optional<ToolCallBody> body_;
  int64_t calls_ = 0;
};

}  // namespace jevons
