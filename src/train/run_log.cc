#include "train/run_log.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/strings.h"

namespace jevons {
namespace {

// Steps that were done when the line was written.
int64_t done_at(const Json& line) {
  const Json* step = line.find("step");
  if (!step || !step->is_int()) return 0;
  return step->as_int() + (line.find("event") ? 0 : 1);
}

void drop_after(const std::filesystem::path& path, int64_t done) {
  if (!std::filesystem::exists(path)) return;
  AtomicFile kept = AtomicFile::create(path).value();
  read_run_log(path, [&](const Json& line) {
    if (done_at(line) <= done) kept.write(line.dump() + "\n").value();
  }).value();
  kept.commit().value();
}

}  // namespace

RunLog::RunLog(const std::filesystem::path& path, int64_t done) : path_(path) {
  if (path.empty()) return;
  if (done >= 0) drop_after(path, done);
  fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | (done >= 0 ? O_APPEND : O_TRUNC), 0644);
  if (fd_ < 0) throw Error(Code::io, cat(path.string(), ": cannot write the log; check the folder"));
}

RunLog::~RunLog() {
  if (fd_ >= 0) ::close(fd_);
}

void RunLog::write(const Json& line) {
  if (fd_ < 0) return;
  const std::string text = line.dump() + "\n";
  if (::write(fd_, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    throw Error(Code::io, cat(path_.string(), ": cannot write the log; is the disk full?"));
}

Status read_run_log(const std::filesystem::path& path, const std::function<void(const Json& line)>& each) {
  JEVONS_TRY(const std::string text, read_file(path));
  int64_t number = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    if (end == std::string::npos) return {};
    ++number;
    const Result<Json> line = Json::parse(std::string_view(text).substr(at, end - at));
    if (!line.ok()) return line.error().within(cat(path.string(), " line ", number));
    each(*line);
    at = end + 1;
  }
  return {};
}

}  // namespace jevons
