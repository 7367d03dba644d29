#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/fault.h"
#include "base/strings.h"

namespace jevons {
namespace {

constexpr size_t kBuffer = size_t{1} << 20;

Error io_error(const std::filesystem::path& path, const char* what) {
  const int number = errno;
  std::string cure;
  if (number == ENOENT) cure = "; check the path";
  if (number == EACCES) cure = "; check its permissions";
  if (number == ENOSPC) cure = "; free space on that disk and try again";
  return {number == ENOENT ? Code::not_found : Code::io,
          cat(path.string(), ": ", what, ": ", std::strerror(number), cure)};
}

std::string_view kind_of(mode_t mode) {
  if (S_ISREG(mode)) return "a file";
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a named pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return S_ISCHR(mode) || S_ISBLK(mode) ? "a device" : "something unreadable";
}

// Opens a regular file for reading and gives its size.
Result<std::pair<int, size_t>> open_regular(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0 && errno == ENXIO)  // a socket
    return Error(Code::invalid, cat(path.string(), ": is ", file_kind(path), ", expected a file"));
  if (fd < 0) return io_error(path, "cannot open");
  struct stat info {};
  if (::fstat(fd, &info) != 0) {
    Error error = io_error(path, "cannot read its size");
    ::close(fd);
    return error;
  }
  if (!S_ISREG(info.st_mode)) {
    ::close(fd);
    return Error(Code::invalid, cat(path.string(), ": is ", kind_of(info.st_mode), ", expected a file"));
  }
  return std::pair{fd, static_cast<size_t>(info.st_size)};
}

}  // namespace

Result<std::shared_ptr<const MappedFile>> MappedFile::open(const std::filesystem::path& path) {
  JEVONS_TRY(auto opened, open_regular(path));
  auto [fd, size] = opened;
  std::shared_ptr<MappedFile> file(new MappedFile);
  file->path_ = path;
  if (size > 0) {
    void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED) {
      Error error = io_error(path, "cannot map into memory");
      ::close(fd);
      return error;
    }
    file->data_ = static_cast<const std::byte*>(data);
    file->size_ = size;
    guard_mapping(file->data_, size, path.string());
  }
  ::close(fd);
  return std::shared_ptr<const MappedFile>(std::move(file));
}

MappedFile::~MappedFile() {
  if (!data_) return;
  unguard_mapping(data_);
  ::munmap(const_cast<std::byte*>(data_), size_);
}

void MappedFile::release(Bytes part) const {
  const uintptr_t page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(part.data()) + page - 1) / page * page;
  const uintptr_t end = reinterpret_cast<uintptr_t>(part.data() + part.size()) / page * page;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

std::string_view file_kind(const std::filesystem::path& path) {
  struct stat info {};
  return kind_of(::stat(path.c_str(), &info) == 0 ? info.st_mode : 0);
}

Result<std::string> read_file(const std::filesystem::path& path, size_t max_bytes) {
  JEVONS_TRY(auto opened, open_regular(path));
  auto [fd, size] = opened;
  if (size > max_bytes) {
    ::close(fd);
    return Error(Code::too_large,
                 cat(path.string(), ": has ", size, " bytes, at most ", max_bytes, " are accepted here"));
  }
  std::string text(size, '\0');
  size_t done = 0;
  while (done < size) {
    const ssize_t got = ::read(fd, text.data() + done, size - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      Error error = io_error(path, "cannot read");
      ::close(fd);
      return error;
    }
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  ::close(fd);
  text.resize(done);
  return text;
}

Result<AtomicFile> AtomicFile::create(const std::filesystem::path& path) {
  AtomicFile file;
  file.path_ = path;
  file.partial_ = path.string() + cat(".partial-", static_cast<int64_t>(::getpid()));
  file.fd_ = ::open(file.partial_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file.fd_ < 0) return io_error(path, "cannot create");
  guard_partial(file.partial_.string());
  return file;
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)),
      partial_(std::move(other.partial_)),
      fd_(std::exchange(other.fd_, -1)),
      position_(other.position_),
      buffer_(std::move(other.buffer_)) {}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(partial_.c_str());
  unguard_partial(partial_.string());
}

Error AtomicFile::failed(const char* what) const { return io_error(path_, what); }

Status AtomicFile::write(const void* data, size_t size) {
  const char* from = static_cast<const char*>(data);
  position_ += size;
  if (buffer_.size() + size < kBuffer) return buffer_.append(from, size), Status();
  const auto put = [&](const char* begin, size_t count) {
    while (count > 0) {
      const ssize_t wrote = ::write(fd_, begin, count);
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) return false;
      begin += wrote, count -= static_cast<size_t>(wrote);
    }
    return true;
  };
  if (!put(buffer_.data(), buffer_.size()) || !put(from, size)) return failed("cannot write");
  buffer_.clear();
  return {};
}

Status AtomicFile::pad_to(uint64_t multiple) {
  const std::string zeros(static_cast<size_t>((multiple - position_ % multiple) % multiple), '\0');
  return write(zeros);
}

Status AtomicFile::commit() {
  std::string rest = std::move(buffer_);
  buffer_.clear();
  position_ -= rest.size();
  for (size_t done = 0; done < rest.size();) {
    const ssize_t wrote = ::write(fd_, rest.data() + done, rest.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return failed("cannot write");
    done += static_cast<size_t>(wrote), position_ += static_cast<uint64_t>(wrote);
  }
  if (::fsync(fd_) != 0) return failed("cannot write to disk");
  if (::close(std::exchange(fd_, -1)) != 0 || ::rename(partial_.c_str(), path_.c_str()) != 0) {
    Error error = failed("cannot finish");
    ::unlink(partial_.c_str());
    unguard_partial(partial_.string());
    return error;
  }
  unguard_partial(partial_.string());
  return {};
}

Status write_file(const std::filesystem::path& path, std::string_view text) {
  JEVONS_TRY(AtomicFile file, AtomicFile::create(path));
  JEVONS_TRY_STATUS(file.write(text));
  return file.commit();
}

}  // namespace jevons
