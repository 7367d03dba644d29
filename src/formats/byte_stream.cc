#include "formats/byte_stream.h"

#include <zstd.h>

#include <algorithm>
#include <cstring>

#include "base/strings.h"

namespace jevons {

namespace {
constexpr unsigned char kMagic[4] = {0x28, 0xb5, 0x2f, 0xfd};
constexpr int kLargestWindow = 27;  // binary logarithm
}  // namespace

struct ByteStream::Impl {
  std::shared_ptr<const MappedFile> file;
  size_t at = 0;
  std::unique_ptr<ZSTD_DStream, decltype(&ZSTD_freeDStream)> zstd{nullptr, &ZSTD_freeDStream};
  bool inside = false;  // a frame has begun and not ended

  Result<size_t> plain(char* to, size_t size) {
    const size_t count = std::min(size, file->bytes().size() - at);
    if (count > 0) std::memcpy(to, file->bytes().data() + at, count);
    file->release(file->bytes().subspan(at, count));
    at += count;
    return count;
  }

  Result<size_t> unpacked(char* to, size_t size) {
    const Bytes all = file->bytes();
    ZSTD_inBuffer in{all.data(), all.size(), at};
    ZSTD_outBuffer out{to, size, 0};
    while (out.pos == 0) {
      if (in.pos == in.size && !inside) break;
      const size_t before = in.pos, left = ZSTD_decompressStream(zstd.get(), &out, &in);
      if (ZSTD_isError(left))
        return Error(Code::invalid, cat(file->path().string(), ": broken zstd data near byte ", before, ": ",
                                        ZSTD_getErrorName(left), "; copy the file again"));
      inside = left != 0;
      if (in.pos == in.size && inside && out.pos == 0)
        return Error(Code::invalid, cat(file->path().string(), ": the zstd data end in the middle of a frame after ",
                                        in.size, " bytes; the file is cut short, copy it again"));
    }
    at = in.pos;
    return out.pos;
  }
};

ByteStream::ByteStream(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ByteStream::ByteStream(ByteStream&&) noexcept = default;
ByteStream::~ByteStream() = default;

Result<ByteStream> ByteStream::open(const std::filesystem::path& path) {
  auto impl = std::make_unique<Impl>();
  JEVONS_TRY(impl->file, MappedFile::open(path));
  const Bytes all = impl->file->bytes();
  if (all.size() >= sizeof kMagic && std::memcmp(all.data(), kMagic, sizeof kMagic) == 0) {
    impl->zstd.reset(ZSTD_createDStream());
    if (!impl->zstd) return Error(Code::too_large, "out of memory for unpacking zstd data");
    ZSTD_DCtx_setParameter(impl->zstd.get(), ZSTD_d_windowLogMax, kLargestWindow);
  }
  return ByteStream(std::move(impl));
}

Result<size_t> ByteStream::read(char* to, size_t size) {
  return impl_->zstd ? impl_->unpacked(to, size) : impl_->plain(to, size);
}

uint64_t ByteStream::position() const { return impl_->at; }
uint64_t ByteStream::file_size() const { return impl_->file->bytes().size(); }

}  // namespace jevons
