// TextFiles: texts read in parts of a few megabytes that can be cut into words independently of each other.
//
// A file is UTF-8 text, or, named .jsonl, one JSON object a line whose "text" counts; both may be packed with zstd. A
// part ends behind a line end that a visible ASCII character follows, which every pre-tokeniser here takes for the
// end of a word (.jsonl: behind any line end).
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "formats/byte_stream.h"

namespace jevons {

struct TextPart {
  std::string bytes;
  std::filesystem::path file;
  bool jsonl = false;
  uint64_t offset = 0, lines = 0;  // bytes and lines of the file (unpacked) before this part

  // Calls text(std::string_view) with the part, or with each line's text. Errors name file, place and what was
  // expected: text that is not UTF-8, a line without "text".
  Status each_text(const std::function<void(std::string_view)>& text) const;
};

class TextFiles {
 public:
  // Opens every file once, so that an unreadable one is refused before any work.
  static Result<TextFiles> open(const std::vector<std::string>& paths);
  // The next part; none at the end of the last file.
  Result<std::optional<TextPart>> next();
  uint64_t total_bytes() const { return total_; }  // as the files lie on disk
  uint64_t done_bytes() const { return done_ + (stream_ ? stream_->position() : 0); }

  static constexpr size_t kPart = size_t{4} << 20, kLongestLine = size_t{256} << 20;

 private:
  Result<bool> fill(size_t size);
  TextPart take(size_t size);
  std::vector<std::filesystem::path> paths_;
  uint64_t total_ = 0, done_ = 0;
  size_t file_ = 0;                   // the next to be opened
  std::optional<ByteStream> stream_;  // of the one before
  TextPart part_;                     // where the next part begins; its bytes are those read already
};

}  // namespace jevons
