#include "train/token_data.h"

#include <cstring>

#include "base/strings.h"

namespace jevons {

Result<TokenData> TokenData::open(const std::filesystem::path& tokens, const std::filesystem::path& mask) {
  TokenData out;
  JEVONS_TRY(out.file_, MappedFile::open(tokens));
  const size_t bytes = out.file_->bytes().size();
  if (bytes % 4)
    return Error(Code::invalid, cat(tokens.string(), " has ", bytes, " bytes, which is no multiple of 4: a token ",
                                    "stream holds one little-endian uint32 a token"));
  if (mask.empty()) return out;
  JEVONS_TRY(out.mask_, MappedFile::open(mask));
  const Bytes marks = out.mask_->bytes();
  if (marks.size() * 4 != bytes)
    return Error(Code::invalid, cat(mask.string(), " has ", marks.size(), " bytes, ", tokens.string(), " has ",
                                    bytes / 4, " tokens; a mask holds one byte a token"));
  for (size_t i = 0; i < marks.size(); ++i)
    if (std::to_integer<int>(marks[i]) > 1)
      return Error(Code::invalid,
                   cat(mask.string(), ": byte ", i, " is ", std::to_integer<int>(marks[i]), ", expected 0 or 1"));
  return out;
}

uint32_t TokenData::operator[](int64_t i) const {
  uint32_t id;
  std::memcpy(&id, file_->bytes().data() + 4 * i, 4);
  return id;
}

Status TokenData::check(int64_t first, int64_t end, int64_t vocabulary) const {
  for (int64_t i = first; i < end; ++i)
    if ((*this)[i] >= static_cast<uint64_t>(vocabulary))
      return Error(Code::invalid, cat(file_->path().string(), ": token ", i, " is ", (*this)[i],
                                      ", outside the model's vocabulary of ", vocabulary,
                                      " tokens; encode the text with this model's tokenizer"));
  return {};
}

}  // namespace jevons
