// What a sudden end must not leave unsaid or behind. Touching a mapped page that its file no longer has (truncated
// meanwhile, or a failing disk) raises SIGBUS: a handler, installed with the first mapping, writes one sentence that
// names the file, removes the files that this process has half written, and ends it with exit code 1. A SIGBUS
// elsewhere stays what it is.
#pragma once
#include <cstddef>
#include <string>

namespace jevons {

void guard_mapping(const std::byte* data, size_t size, const std::string& path);
void unguard_mapping(const std::byte* data);

// A file that is being written and is no result yet.
void guard_partial(const std::string& path);
void unguard_partial(const std::string& path);

// Unlinks the partial files. May be called by a signal handler; does nothing if it interrupted one of the above.
void remove_partials();

}  // namespace jevons
