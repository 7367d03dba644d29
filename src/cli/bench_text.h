// What the bench commands share: figures as aligned text.
#pragma once
#include <string>

#include "base/strings.h"
#include "base/thread_pool.h"
#include "cli/command.h"
#include "cli/output.h"

namespace jevons {

inline int thread_count(const Common& common) { return common.threads > 0 ? common.threads : usable_cores(); }
inline std::string giga(double value, int digits = 1) { return fixed(value / 1e9, digits); }
inline std::string percent(double share) { return cat(fixed(100 * share, 0), " %"); }
inline std::string pad_left(std::string text, size_t width) {
  return text.size() < width ? std::string(width - text.size(), ' ') + text : text;
}
inline std::string pad_right(std::string text, size_t width) {
  return text.size() < width ? text + std::string(width - text.size(), ' ') : text;
}

}  // namespace jevons
