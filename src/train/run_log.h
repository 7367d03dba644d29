// The log of a run: one JSON object a line, on disk as it comes.
//   a step        {"step","loss","aux","mtp_loss","grad_norm","lr","tokens_per_s"}; runs from a configuration add
//                 "bits_per_byte" (of the training text), "tokens" (all so far), "seconds" and "joules" (of the step)
//   other events  {"event":"start" | "load" | "evaluation" | "sample" | "save" | "end", "step": steps done, ...}
#pragma once
#include <filesystem>
#include <functional>

#include "base/json.h"

namespace jevons {

class RunLog {
 public:
  // `done` < 0: begins anew. Else goes on after `done` steps: lines of later steps, which were not saved, are dropped.
  RunLog(const std::filesystem::path& path, int64_t done);
  ~RunLog();
  RunLog(const RunLog&) = delete;
  RunLog& operator=(const RunLog&) = delete;
  void write(const Json& line);  // throws Error{io}

 private:
  std::filesystem::path path_;
  int fd_ = -1;
};

// Calls `each` for every line. Errors name the file and the line; a last line that was cut short is left out.
Status read_run_log(const std::filesystem::path& path, const std::function<void(const Json& line)>& each);

}  // namespace jevons
