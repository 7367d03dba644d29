#include "engine/prefix_files.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>

#include "base/clock.h"
#include "base/progress.h"
#include "base/sha256.h"
#include "base/strings.h"

namespace jevons {
namespace {

constexpr double kScanSeconds = 60;  // other processes may write to the folder too

struct Header {
  std::array<char, 8> magic = {'j', 'v', 'p', 'a', 'g', 'e', '0', '1'};
  std::array<char, 64> key{};
  uint64_t bytes = 0;
  uint64_t checksum = 0;
  uint64_t reserved = 0;
};
static_assert(sizeof(Header) == 96);

// Four independent chains of xor, multiply, rotate over 64-bit words: finds damage, at the speed of memory.
class Checksum {
 public:
  void add(std::span<const std::byte> bytes) {
    JEVONS_CHECK(bytes.size() % sizeof lanes_ == 0);
    for (size_t at = 0; at < bytes.size(); at += sizeof lanes_) {
      std::array<uint64_t, 4> words;
      std::memcpy(words.data(), bytes.data() + at, sizeof words);
      for (size_t i = 0; i < 4; ++i) lanes_[i] = std::rotl((lanes_[i] ^ words[i]) * 0x9e3779b97f4a7c15, 29);
    }
  }
  uint64_t value() const {
    uint64_t out = 0;
    for (uint64_t lane : lanes_) out = (std::rotl(out, 17) ^ lane ^ (lane >> 31)) * 0xbf58476d1ce4e5b9;
    return out;
  }

 private:
  std::array<uint64_t, 4> lanes_ = {1, 2, 3, 4};
};

// A descriptor that closes itself.
struct File {
  explicit File(int descriptor) : fd(descriptor) {}
  ~File() {
    if (fd >= 0) ::close(fd);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd;
};

bool read_all(int fd, void* to, size_t size) {
  for (size_t done = 0; done < size;) {
    const ssize_t got = ::read(fd, static_cast<char*>(to) + done, size - done);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    done += static_cast<size_t>(got);
  }
  return true;
}

bool write_all(int fd, const void* from, size_t size) {
  for (size_t done = 0; done < size;) {
    const ssize_t wrote = ::write(fd, static_cast<const char*>(from) + done, size - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return false;
    done += static_cast<size_t>(wrote);
  }
  return true;
}

// Why the open file is not the page `key`; null if it is, and then `into` is filled.
const char* read_page(int fd, const std::string& key, std::span<const std::span<std::byte>> into) {
  uint64_t wanted = 0;
  for (const auto& place : into) wanted += place.size();
  struct stat facts {};
  Header header;
  if (::fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode)) return "is no regular file";
  if (static_cast<uint64_t>(facts.st_size) != sizeof header + wanted) return "has the wrong size";
  if (!read_all(fd, &header, sizeof header)) return "cannot be read";
  if (header.magic != Header{}.magic || header.bytes != wanted) return "is no cache page of this version";
  if (!std::equal(header.key.begin(), header.key.end(), key.begin(), key.end())) return "is the page of another prefix";
  Checksum sum;
  for (const auto& place : into) {
    if (!read_all(fd, place.data(), place.size())) return "cannot be read";
    sum.add(place);
  }
  return sum.value() == header.checksum ? nullptr : "is damaged: its checksum is wrong";
}

timespec time_of(int64_t nanoseconds) { return {nanoseconds / 1'000'000'000, nanoseconds % 1'000'000'000}; }

Error failed(const char* what, const std::filesystem::path& path) {
  return {Code::io, cat("cannot ", what, " ", path.string(), ": ", std::strerror(errno))};
}

// Makes the folder and those above it, for the owner alone.
Status make_folders(const std::filesystem::path& folder) {
  std::error_code error;
  if (std::filesystem::is_directory(folder, error)) return {};
  if (folder.has_parent_path() && folder != folder.parent_path()) JEVONS_TRY_STATUS(make_folders(folder.parent_path()));
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return failed("make the folder", folder);
  return {};
}

struct Kept {
  std::filesystem::path path;
  int64_t bytes;
  std::filesystem::file_time_type used;
};

// All files at ROOT/MODEL/USER/KEY, half-written ones too.
std::vector<Kept> all_files(const std::filesystem::path& root) {
  std::vector<Kept> out;
  std::error_code error;
  std::filesystem::recursive_directory_iterator at(root, error), end;
  for (; !error && at != end; at.increment(error)) {
    std::error_code gone;
    if (!at->is_regular_file(gone) || at->is_symlink(gone)) continue;
    const auto bytes = at->file_size(gone);
    const auto used = at->last_write_time(gone);
    if (!gone) out.push_back({at->path(), static_cast<int64_t>(bytes), used});
  }
  return out;
}

}  // namespace

PrefixChain::PrefixChain(const std::filesystem::path& root, const std::string& model, std::string_view user) {
  Sha256 whose;
  whose.update(user);
  folder_ = root / model / whose.hex().substr(0, 32);
  Sha256 first;
  first.update(cat("jevons page 1\n", model, "\n"));
  first.update(user);
  keys_.push_back(first.hex());
}

PageFile PrefixChain::page(std::span<const int32_t> tokens, size_t index, size_t page_tokens) {
  while (keys_.size() <= index + 1) {
    const auto own = tokens.subspan((keys_.size() - 1) * page_tokens, page_tokens);
    Sha256 next;
    next.update(keys_.back());
    next.update(own.data(), own.size_bytes());
    keys_.push_back(next.hex());
  }
  return {folder_, keys_[index + 1]};
}

PrefixFiles::PrefixFiles(std::filesystem::path root, int64_t limit)
    : root_(std::move(root)), limit_(limit), thread_([this] { loop(); }) {}

PrefixFiles::~PrefixFiles() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

bool PrefixFiles::load(const PageFile& file, std::span<const std::span<std::byte>> into) {
  {
    // Just handed over by a model that was unloaded: written in a moment.
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [&] { return !waiting_.contains(file.key); });
  }
  const std::filesystem::path path = file.path();
  const File open(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (open.fd < 0 && (errno == ENOENT || errno == ENOTDIR)) return false;
  const char* wrong = open.fd < 0 ? "cannot be opened" : read_page(open.fd, file.key, into);
  if (!wrong) return ++counts_.read, true;
  ++counts_.discarded;
  std::error_code error;
  std::filesystem::remove_all(path, error);
  note(cat("prefix cache: ", path.string(), " ", wrong, "; it is discarded and computed again"));
  return false;
}

bool PrefixFiles::holds(const PageFile& file) const {
  {
    std::lock_guard lock(mutex_);
    if (clearing_) return false;  // what is there, or just being written, goes in a moment
    if (waiting_.contains(file.key)) return true;
  }
  return ::access(file.path().c_str(), F_OK) == 0;
}

bool PrefixFiles::room(int64_t bytes) const {
  std::lock_guard lock(mutex_);
  return waiting_bytes_ == 0 || waiting_bytes_ + bytes <= kWaitingBytes;
}

void PrefixFiles::push(Task task) {
  {
    std::lock_guard lock(mutex_);
    waiting_bytes_ += static_cast<int64_t>(task.bytes.size());
    if (!task.bytes.empty()) waiting_.insert(task.file.key);
    tasks_.push_back(std::move(task));
  }
  wake_.notify_all();
}

void PrefixFiles::write(PageFile file, int64_t used, std::vector<std::byte> bytes) {
  push({std::move(file), used, std::move(bytes)});
}

void PrefixFiles::touch(PageFile file, int64_t used) { push({std::move(file), used, {}}); }

void PrefixFiles::clear() {
  {
    std::lock_guard lock(mutex_);
    for (const Task& task : tasks_) {
      waiting_bytes_ -= static_cast<int64_t>(task.bytes.size());
      waiting_.erase(task.file.key);
    }
    tasks_.clear();
    clearing_ = true;
  }
  idle_.notify_all();
  push({});
}

void PrefixFiles::flush() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [&] { return tasks_.empty() && !busy_; });
}

// --- the thread that writes
// ------------------------------------------------------------------------------------------------

void PrefixFiles::loop() {
  // Of this thread alone, on Linux. Without the right to it, nothing is lost.
  static_cast<void>(::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), 19));
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [&] { return ending_ || !tasks_.empty(); });
    if (tasks_.empty()) return;
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    busy_ = true;
    lock.unlock();
    run(task);
    lock.lock();
    busy_ = false;
    if (task.file.key.empty())
      clearing_ = std::any_of(tasks_.begin(), tasks_.end(), [](const Task& t) { return t.file.key.empty(); });
    waiting_bytes_ -= static_cast<int64_t>(task.bytes.size());
    if (!task.bytes.empty()) waiting_.erase(task.file.key);
    idle_.notify_all();
  }
}

void PrefixFiles::run(Task& task) {
  const std::filesystem::path path = task.file.path();
  if (task.file.key.empty()) {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(root_, error)) {
      std::error_code one;
      std::filesystem::remove_all(entry.path(), one);
      if (one) note(cat("prefix cache: cannot remove ", entry.path().string(), ": ", one.message()));
    }
    last_scan_ = -1;
    return;
  }
  if (task.bytes.empty()) {
    const std::array<timespec, 2> times = {time_of(task.used), time_of(task.used)};
    static_cast<void>(::utimensat(AT_FDCWD, path.c_str(), times.data(), AT_SYMLINK_NOFOLLOW));  // it may be gone
    return;
  }
  make_room(static_cast<int64_t>(task.bytes.size() + sizeof(Header)));
  const Status stored = store(task);
  if (stored.ok()) {
    ++counts_.written;
    counts_.bytes += static_cast<int64_t>(task.bytes.size() + sizeof(Header));
  } else {
    ++counts_.failed;
    if (!failing_) note(cat("prefix cache: ", stored.error().message(), "; pages are not kept until this works again"));
  }
  failing_ = !stored.ok();
}

Status PrefixFiles::store(const Task& task) {
  JEVONS_TRY_STATUS(make_folders(task.file.folder));
  const std::filesystem::path path = task.file.path();
  const std::filesystem::path partial = path.string() + cat(".partial-", static_cast<int64_t>(::getpid()));
  Header header;
  std::copy(task.file.key.begin(), task.file.key.end(), header.key.begin());
  header.bytes = task.bytes.size();
  Checksum sum;
  sum.add(task.bytes);
  header.checksum = sum.value();
  const std::array<timespec, 2> times = {time_of(task.used), time_of(task.used)};
  const File file(::open(partial.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (file.fd < 0) return failed("create", partial);
  if (write_all(file.fd, &header, sizeof header) && write_all(file.fd, task.bytes.data(), task.bytes.size()) &&
      ::futimens(file.fd, times.data()) == 0 && ::rename(partial.c_str(), path.c_str()) == 0)
    return {};
  Error error = failed("write", path);
  ::unlink(partial.c_str());
  return error;
}

// Removes the least recently used files, down to nine tenths of the limit, if `bytes` more would exceed it.
void PrefixFiles::make_room(int64_t bytes) {
  const bool scanned = last_scan_ >= 0 && now_seconds() - last_scan_ < kScanSeconds;
  if (scanned && counts_.bytes + bytes <= limit_) return;
  last_scan_ = now_seconds();
  std::vector<Kept> files = all_files(root_);
  int64_t total = 0;
  for (const Kept& file : files) total += file.bytes;
  if (total + bytes > limit_) {
    std::sort(files.begin(), files.end(), [](const Kept& a, const Kept& b) { return a.used < b.used; });
    for (const Kept& file : files) {
      if (total + bytes <= limit_ - limit_ / 10) break;
      std::error_code error;
      if (!std::filesystem::remove(file.path, error)) continue;
      total -= file.bytes;
      ++counts_.evicted;
    }
  }
  counts_.bytes = total;
}

}  // namespace jevons
