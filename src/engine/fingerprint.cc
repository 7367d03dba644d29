#include "engine/fingerprint.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <set>

#include "base/file.h"
#include "base/sha256.h"
#include "base/strings.h"

namespace jevons {
namespace {

// The program's bytes, hashed once.
const std::string& program_hash() {
  static const std::string hash = [] {
    Sha256 sum;
    const auto program = MappedFile::open("/proc/self/exe").value();
    sum.update(program->bytes().data(), program->bytes().size());
    return sum.hex();
  }();
  return hash;
}

}  // namespace

Result<std::string> cache_fingerprint(const Checkpoint& checkpoint, const LoadOptions& options, DType cache_type) {
  Sha256 sum;
  sum.update(cat("program ", program_hash(), "\n"));
  sum.update(cat("evaluation ", static_cast<int>(options.device), " ", options.exact, " ", options.expanded, " ",
                 static_cast<int>(cache_type), "\n"));
  sum.update(cat("config ", checkpoint.config().dump(), "\n"));
  std::set<const MappedFile*> files;
  for (const TensorEntry& tensor : checkpoint.tensors()) {
    sum.update(cat("tensor ", tensor.name, " ", tensor.stored_type));
    for (int64_t size : tensor.shape) sum.update(cat(" ", size));
    if (!tensor.file) continue;
    sum.update(cat(" at ", tensor.bytes.data() - tensor.file->bytes().data(), "\n"));
    if (!files.insert(tensor.file.get()).second) continue;
    const std::string path = tensor.file->path().string();
    struct stat s {};
    if (::stat(path.c_str(), &s) != 0) return Error(Code::io, cat("cannot look at ", path, ": ", std::strerror(errno)));
    sum.update(cat("file ", s.st_ino, " ", s.st_size, " ", s.st_mtim.tv_sec, ".", s.st_mtim.tv_nsec, " ",
                   s.st_ctim.tv_sec, ".", s.st_ctim.tv_nsec, "\n"));
  }
  return sum.hex().substr(0, 32);
}

}  // namespace jevons
