#include "base/error.h"

#include <cstdio>
#include <cstdlib>

namespace jevons {

void check_failed(const char* condition, const char* file, int line, const std::string& detail) {
  std::fprintf(stderr, "jevons: internal error at %s:%d: %s%s%s\n", file, line, condition, detail.empty() ? "" : ": ",
               detail.c_str());
  std::abort();
}

}  // namespace jevons
