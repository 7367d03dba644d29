// Shows a thought as it comes: dimmed on stderr if that is a terminal, plain otherwise.
#pragma once
#include <unistd.h>

#include <cstdio>
#include <string_view>

namespace jevons {

class ThoughtView {
 public:
  explicit ThoughtView(bool enabled) : enabled_(enabled), colour_(::isatty(STDERR_FILENO) == 1) {}
  void show(std::string_view text) {
    if (!enabled_ || text.empty()) return;
    if (!open_ && colour_) std::fputs("\033[2m", stderr);
    open_ = true;
    std::fwrite(text.data(), 1, text.size(), stderr);
    std::fflush(stderr);
  }
  // The thought is over (or interrupted): back to normal on a line of its own.
  void end() {
    if (!open_) return;
    open_ = false;
    std::fputs(colour_ ? "\033[0m\n\n" : "\n\n", stderr);
    std::fflush(stderr);
  }

 private:
  bool enabled_, colour_, open_ = false;
};

}  // namespace jevons
