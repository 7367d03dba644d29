#include "cli/output.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/strings.h"

namespace jevons {

void print(std::string_view text) {
  while (!text.empty()) {
    const ssize_t wrote = ::write(STDOUT_FILENO, text.data(), text.size());
    if (wrote >= 0) {
      text.remove_prefix(static_cast<size_t>(wrote));
    } else if (errno == EPIPE || errno == EBADF) {
      throw OutputClosed();
    } else if (errno != EINTR) {
      throw Error(Code::io, cat("cannot write to standard output: ", std::strerror(errno)));
    }
  }
}

void print_json(const Json& value) { print(value.dump() + "\n"); }

}  // namespace jevons
