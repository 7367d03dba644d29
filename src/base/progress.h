// Diagnostics and progress on stderr. Answers go to stdout; nothing here ever does.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace jevons {

// One line "jevons: TEXT" on stderr, above a running progress line.
void note(std::string_view text);

// Progress of a long piece of work: on a terminal a line rewritten in place ("loading 43 %, 12 s left"), elsewhere one
// plain line every ten seconds. Nothing is shown for work that ends within half a second. One at a time per process.
class Progress {
 public:
  Progress(std::string label, uint64_t total, std::string unit = "");
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void advance(uint64_t amount) { set(done_ + amount); }
  // `detail`: what else to say at the moment, "loss 2.31".
  void set(uint64_t done, std::string_view detail = {});

 private:
  void show(double now, std::string_view detail);
  std::string label_, unit_;
  uint64_t total_, done_ = 0;
  double start_, shown_;
  bool visible_ = false;
};

// Set by --quiet.
void set_quiet(bool quiet);

}  // namespace jevons
