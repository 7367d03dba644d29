// The name of all that the bits of a cache page depend on besides its tokens: this very program, the weights' files,
// the configuration and the evaluation. Pages on disk are found under it, so another quantisation, an edited file or a
// new version of the program never meets the pages of the old.
#pragma once
#include <string>

#include "models/loader.h"

namespace jevons {

// 32 hexadecimal digits. A file is known by size, times of change and inode, and by its tensor table; the program by
// its bytes. Not in it: threads, instruction set, batch and context, which change no bit. Error: a file that is gone.
Result<std::string> cache_fingerprint(const Checkpoint& checkpoint, const LoadOptions& options, DType cache_type);

}  // namespace jevons
