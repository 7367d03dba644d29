#pragma once
// The files of the chat page (web/dist), compiled into the program: gzip as they lie there, names with content hashes.
// The table is made at build time by embed.cmake; nothing here needs Node.

#include <cstdint>
#include <span>
#include <string_view>

namespace jevons {

struct WebFile {
  std::string_view path;          // as in the URL: "/", "/assets/app-1A2B3C4D.js"
  std::string_view type;          // Content-Type
  std::string_view etag;          // with its quotes
  std::span<const uint8_t> gzip;  // the body, for Content-Encoding: gzip
  bool immutable;                 // its name changes with its content: may be cached for ever
};

/// All files, ordered by path.
std::span<const WebFile> web_files();

/// The file at a path of the URL, or nullptr. Exact: no decoding, no query, no parent folders.
const WebFile* find_web_file(std::string_view path);

}  // namespace jevons
