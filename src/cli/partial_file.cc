#include "cli/partial_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "base/progress.h"
#include "base/strings.h"

namespace jevons {
namespace {

bool write_all(int fd, const char* data, size_t size) {
  while (size > 0) {
    const ssize_t wrote = ::write(fd, data, size);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return false;
    data += wrote, size -= static_cast<size_t>(wrote);
  }
  return true;
}

// Reads up to `size` bytes; fewer only at the end of the file.
ssize_t read_all(int fd, char* data, size_t size) {
  size_t done = 0;
  while (done < size) {
    const ssize_t got = ::read(fd, data + done, size - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  return static_cast<ssize_t>(done);
}

}  // namespace

Error PartialFile::failed(const char* what) const {
  const char* const cure = errno == ENOSPC ? "; free space on that disk and repeat the command" : "";
  return {Code::io, cat(partial_.string(), ": ", what, ": ", std::strerror(errno), cure)};
}

Result<PartialFile> PartialFile::open(const std::filesystem::path& path) {
  PartialFile file;
  file.path_ = path;
  file.partial_ = path.string() + ".partial";
  file.chunks_ = path.string() + ".chunks";
  file.data_fd_ = ::open(file.partial_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  file.chunks_fd_ = ::open(file.chunks_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_APPEND, 0644);
  if (file.data_fd_ < 0 || file.chunks_fd_ < 0) return file.failed("cannot create");
  JEVONS_TRY(const std::string notes, read_file(file.chunks_));
  const size_t header = notes.find('\n');
  const auto json = header == notes.npos ? Json::parse("") : Json::parse(std::string_view(notes).substr(0, header));
  if (json.ok() && json->find("identity") && json->find("total")) {
    file.identity_ = json->at("identity").as_string();
    file.total_ = static_cast<uint64_t>(json->at("total").as_int());
    JEVONS_TRY_STATUS(file.verify_chunks(notes, header + 1));
  } else {
    JEVONS_TRY_STATUS(file.begin("", 0));
  }
  return file;
}

PartialFile::PartialFile(PartialFile&& other) noexcept
    : path_(std::move(other.path_)),
      partial_(std::move(other.partial_)),
      chunks_(std::move(other.chunks_)),
      data_fd_(std::exchange(other.data_fd_, -1)),
      chunks_fd_(std::exchange(other.chunks_fd_, -1)),
      identity_(std::move(other.identity_)),
      total_(other.total_),
      position_(other.position_),
      whole_(other.whole_),
      chunk_(other.chunk_) {}

PartialFile::~PartialFile() {
  if (data_fd_ >= 0) ::close(data_fd_);
  if (chunks_fd_ >= 0) ::close(chunks_fd_);
}

// Keeps the chunks whose bytes have the noted hash, up to the first that has not.
Status PartialFile::verify_chunks(const std::string& notes, size_t header) {
  std::vector<char> buffer(kChunk);
  size_t line = header;
  for (; line + 65 <= notes.size(); line += 65) {
    check_interrupt();
    if (read_all(data_fd_, buffer.data(), kChunk) != static_cast<ssize_t>(kChunk)) break;
    Sha256 hash;
    hash.update(buffer.data(), kChunk);
    if (hash.hex() != std::string_view(notes).substr(line, 64)) break;
    whole_.update(buffer.data(), kChunk);
    position_ += kChunk;
  }
  if (::ftruncate(data_fd_, static_cast<off_t>(position_)) != 0 ||
      ::ftruncate(chunks_fd_, static_cast<off_t>(line)) != 0 ||
      ::lseek(data_fd_, static_cast<off_t>(position_), SEEK_SET) < 0) {
    return failed("cannot shorten");
  }
  return {};
}

Status PartialFile::begin(std::string identity, uint64_t total) {
  identity_ = std::move(identity);
  total_ = total;
  position_ = 0;
  whole_ = chunk_ = Sha256();
  const std::string line = Json(Json::Object{{"identity", identity_}, {"total", total}}).dump() + "\n";
  if (::ftruncate(data_fd_, 0) != 0 || ::lseek(data_fd_, 0, SEEK_SET) < 0 || ::ftruncate(chunks_fd_, 0) != 0 ||
      !write_all(chunks_fd_, line.data(), line.size())) {
    return failed("cannot write");
  }
  return {};
}

Status PartialFile::append_within_chunk(const char* data, size_t size) {
  if (!write_all(data_fd_, data, size)) return failed("cannot write");
  whole_.update(data, size);
  chunk_.update(data, size);
  position_ += size;
  if (position_ % kChunk == 0) {
    const std::string line = std::exchange(chunk_, Sha256()).hex() + "\n";
    if (!write_all(chunks_fd_, line.data(), line.size())) return failed("cannot write");
  }
  return {};
}

Status PartialFile::append(const char* data, size_t size) {
  while (size > 0) {
    const size_t part = std::min<size_t>(size, kChunk - position_ % kChunk);
    JEVONS_TRY_STATUS(append_within_chunk(data, part));
    data += part, size -= part;
  }
  return {};
}

Result<PartialFile::Finished> PartialFile::finish(const std::string& expected_sha256) {
  if (total_ != 0 && position_ != total_) {
    return Error(Code::io, cat(path_.filename().string(), ": ended after ", position_, " of ", total_,
                               " bytes; repeat the command to go on from there"));
  }
  const std::string hash = whole_.hex();
  if (!expected_sha256.empty() && hash != expected_sha256) {
    ::unlink(partial_.c_str());
    ::unlink(chunks_.c_str());
    return Error(Code::invalid, cat(path_.filename().string(), ": has SHA-256 ", hash, ", expected ", expected_sha256,
                                    "; it is another file or damaged, and was not kept"));
  }
  if (::fsync(data_fd_) != 0) return failed("cannot write to disk");
  if (::rename(partial_.c_str(), path_.c_str()) != 0) return failed("cannot finish");
  ::unlink(chunks_.c_str());
  return Finished{position_, hash};
}

Result<std::string> file_sha256(const std::filesystem::path& path) {
  JEVONS_TRY(const auto file, MappedFile::open(path));
  const Bytes bytes = file->bytes();
  Progress progress(cat("checking ", path.filename().string()), bytes.size(), "B");
  Sha256 hash;
  for (size_t at = 0; at < bytes.size(); at += PartialFile::kChunk) {
    check_interrupt();
    const Bytes part = bytes.subspan(at, std::min<size_t>(PartialFile::kChunk, bytes.size() - at));
    hash.update(part.data(), part.size());
    file->release(part);
    progress.advance(part.size());
  }
  return hash.hex();
}

}  // namespace jevons
