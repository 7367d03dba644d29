// A file read from front to back: as it is, or unpacked if it begins with the magic number of zstd (RFC 8878; windows
// up to 128 MiB, several frames one after another).
#pragma once
#include <filesystem>
#include <memory>

#include "base/file.h"

namespace jevons {

class ByteStream {
 public:
  static Result<ByteStream> open(const std::filesystem::path& path);
  ByteStream(ByteStream&&) noexcept;
  ByteStream& operator=(ByteStream&&) = delete;
  ~ByteStream();
  // Up to `size` bytes; 0 only at the end. Errors name the file: broken or cut short.
  Result<size_t> read(char* to, size_t size);
  uint64_t position() const;   // bytes of the file that are behind, as it lies on disk
  uint64_t file_size() const;  // of all

 private:
  struct Impl;
  explicit ByteStream(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace jevons
