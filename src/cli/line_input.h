// One line of input from a person (editing and history by libedit) or from a pipe.
#pragma once
#include <optional>
#include <string>

namespace jevons {

class LineInput {
 public:
  LineInput();
  // nullopt at the end of the input, or on Ctrl-C at an empty prompt.
  std::optional<std::string> read(const std::string& prompt);

 private:
  bool terminal_;
};

}  // namespace jevons
