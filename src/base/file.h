// Files: read-only mappings, whole reads, and writes that either appear complete under their name or not at all.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace jevons {

using Bytes = std::span<const std::byte>;

// A whole file mapped read-only. Pages come in on first touch and can be given back.
class MappedFile {
 public:
  static Result<std::shared_ptr<const MappedFile>> open(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  Bytes bytes() const { return {data_, size_}; }
  const std::filesystem::path& path() const { return path_; }
  // Hint: the pages that lie wholly inside `part` will not be needed again; they leave this process's memory.
  void release(Bytes part) const;

 private:
  MappedFile() = default;
  std::filesystem::path path_;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// What lies at a path that exists: "a file", "a folder", "a named pipe", "a socket", "a device", "something
// unreadable".
std::string_view file_kind(const std::filesystem::path& path);

Result<std::string> read_file(const std::filesystem::path& path, size_t max_bytes = size_t{1} << 30);

// Writes beside the target ("NAME.partial-PID") and renames on commit(). Without commit() nothing is left behind.
class AtomicFile {
 public:
  static Result<AtomicFile> create(const std::filesystem::path& path);
  AtomicFile(AtomicFile&&) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  Status write(const void* data, size_t size);
  Status write(std::string_view text) { return write(text.data(), text.size()); }
  Status pad_to(uint64_t multiple);  // zero bytes up to the next multiple
  uint64_t position() const { return position_; }
  Status commit();  // flush to disk, close, rename

 private:
  AtomicFile() = default;
  Error failed(const char* what) const;
  std::filesystem::path path_, partial_;
  int fd_ = -1;
  uint64_t position_ = 0;
  std::string buffer_;
};

Status write_file(const std::filesystem::path& path, std::string_view text);

}  // namespace jevons
