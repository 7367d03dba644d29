// TokenData: the training stream, a mapped file of little-endian uint32 token ids, with,
// optionally, one byte a token that says whether the token counts as a target.
#pragma once
#include <filesystem>
#include <memory>

#include "base/file.h"

namespace jevons {

class TokenData {
 public:
  // `mask` may be empty. Errors name the file: not a multiple of 4 bytes, another length than the mask.
  static Result<TokenData> open(const std::filesystem::path& tokens, const std::filesystem::path& mask);
  int64_t size() const { return static_cast<int64_t>(file_->bytes().size() / 4); }
  uint32_t operator[](int64_t i) const;
  bool counts(int64_t i) const { return !mask_ || mask_->bytes()[static_cast<size_t>(i)] == std::byte{1}; }
  // That the tokens [first, end) lie inside the vocabulary.
  Status check(int64_t first, int64_t end, int64_t vocabulary) const;
  const std::filesystem::path& path() const { return file_->path(); }

 private:
  std::shared_ptr<const MappedFile> file_, mask_;
};

}  // namespace jevons
