// Splits what a reasoning model writes into its thought and its answer, while it arrives.
//
// Policy, the same at every split of the stream:
//   thought  the text between the tags, less one newline right after the opening tag and one right before the closing
//   tag answer   the text after the closing tag, less the newlines at its start; later tags are ordinary text A model
//   that opens the thought itself may have white space before the tag; that white space is dropped. An answer that does
//   not start with the opening tag has no thought and keeps every byte.
// The parser starts where the prompt ended: after "<think>" (DeepSeek R1) or before it (Qwen3). Nothing of a tag is
// ever given out, also not when the tag arrives in pieces. If the text ends inside the thought, it is all thought.
#pragma once
#include <string>
#include <string_view>

namespace jevons {

class ThoughtParser {
 public:
  struct Piece {
    std::string reasoning, content;
  };

  explicit ThoughtParser(bool starts_in_thought, std::string open_tag = "<think>", std::string close_tag = "</think>");

  // What the next text adds to the two fields. Cost: O(bytes of text).
  Piece push(std::string_view text);
  // What was held back; the text is over.
  Piece finish();
  bool in_thought() const { return state_ == State::thought_start || state_ == State::thought; }

 private:
  enum class State { start, thought_start, thought, answer_start, answer };
  bool step(Piece& out, bool last);

  std::string open_tag_, close_tag_;
  State state_;
  std::string held_;  // not yet given out: what may be the start of a tag or a newline that may be dropped
};

// Whether a prompt ends inside a thought: its last opening tag is followed by white space only.
bool prompt_opens_thought(std::string_view prompt_tail, std::string_view open_tag = "<think>");

}  // namespace jevons
