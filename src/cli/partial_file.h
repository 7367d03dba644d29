// A file on its way into the store that survives any interruption: NAME.partial holds the bytes, NAME.chunks what is
// known about them: one line of JSON {"identity", "total"}, then the SHA-256 of each complete 1 MiB chunk, a line each.
// open() reads the bytes again and keeps the chunks that match, so that neither a crash nor a bad disk goes unnoticed.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>

#include "base/error.h"
#include "base/sha256.h"

namespace jevons {

class PartialFile {
 public:
  static constexpr uint64_t kChunk = uint64_t{1} << 20;

  // Goes on with what lies beside `path`, or starts empty.
  static Result<PartialFile> open(const std::filesystem::path& path);
  PartialFile(PartialFile&&) noexcept;
  PartialFile& operator=(PartialFile&&) = delete;
  ~PartialFile();

  // What the source called this content when the file was begun (an ETag, say); empty if it was not begun.
  const std::string& identity() const { return identity_; }
  uint64_t total() const { return total_; }  // bytes when complete, 0 if unknown
  uint64_t position() const { return position_; }

  // Drops all bytes and starts anew.
  Status begin(std::string identity, uint64_t total);
  Status append(const char* data, size_t size);

  struct Finished {
    uint64_t bytes;
    std::string sha256;
  };
  // Checks size and, unless empty, hash; flushes to disk; renames to `path` and removes the notes. Bytes with a wrong
  // hash are removed, since no repetition could repair them.
  Result<Finished> finish(const std::string& expected_sha256);

 private:
  PartialFile() = default;
  Error failed(const char* what) const;
  Status append_within_chunk(const char* data, size_t size);
  Status verify_chunks(const std::string& notes, size_t header);
  std::filesystem::path path_, partial_, chunks_;
  int data_fd_ = -1, chunks_fd_ = -1;
  std::string identity_;
  uint64_t total_ = 0, position_ = 0;
  Sha256 whole_, chunk_;
};

// The SHA-256 of a file's bytes, with progress.
Result<std::string> file_sha256(const std::filesystem::path& path);

}  // namespace jevons
