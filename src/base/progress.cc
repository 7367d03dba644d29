#include "base/progress.h"

#include <unistd.h>

#include <cstdio>
#include <utility>

#include "base/clock.h"
#include "base/strings.h"

namespace jevons {
namespace {

bool quiet = false;
bool line_open = false;  // a progress line stands on the terminal

bool terminal() {
  static const bool result = ::isatty(STDERR_FILENO) == 1;
  return result;
}

void clear_line() {
  if (std::exchange(line_open, false)) std::fputs("\r\033[K", stderr);
}

}  // namespace

void set_quiet(bool value) { quiet = value; }

void note(std::string_view text) {
  if (quiet) return;
  clear_line();
  std::fprintf(stderr, "jevons: %.*s\n", static_cast<int>(text.size()), text.data());
}

Progress::Progress(std::string label, uint64_t total, std::string unit)
    : label_(std::move(label)), unit_(std::move(unit)), total_(total), start_(now_seconds()), shown_(start_) {}

Progress::~Progress() { clear_line(); }

void Progress::set(uint64_t done, std::string_view detail) {
  done_ = done;
  const double now = now_seconds();
  const double pause = !terminal() ? 10.0 : visible_ ? 0.1 : 0.5;
  if (!quiet && now - shown_ >= pause) show(now, detail);
}

void Progress::show(double now, std::string_view detail) {
  shown_ = now;
  visible_ = true;
  const double part = total_ ? static_cast<double>(done_) / static_cast<double>(total_) : 0;
  std::string line = cat(label_, " ", fixed(100 * part, 0), " %");
  if (unit_ == "B")
    line += cat(", ", human_bytes(static_cast<double>(done_)), " of ", human_bytes(static_cast<double>(total_)));
  else if (!unit_.empty())
    line += cat(", ", done_, " of ", total_, " ", unit_);
  if (part > 0) line += cat(", ", human_seconds((now - start_) * (1 - part) / part), " left");
  if (!detail.empty()) line += cat(": ", detail);
  if (!terminal()) return note(line);
  std::fprintf(stderr, "\r\033[K%s", line.c_str());
  std::fflush(stderr);
  line_open = true;
}

}  // namespace jevons
