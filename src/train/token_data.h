// TokenData: the training stream, a mapped file of little-endian uint32 token ids, read in order.
//   step k, row b: inputs tokens[(k B + b) S + j], targets one further, j = 0 .. S-1
// and, optionally, one byte a token that says whether the token counts as a target.
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
  // That the steps [first, last) of `batch` rows of `seq` tokens are there and inside the vocabulary.
  Status check(int64_t first, int64_t last, int64_t batch, int64_t seq, int64_t vocabulary) const;

 private:
  std::shared_ptr<const MappedFile> file_, mask_;
};

}  // namespace jevons
