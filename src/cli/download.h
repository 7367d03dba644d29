// Brings the bytes of a local file or of an http(s) URL into a PartialFile. The only user of libcurl.
#pragma once
#include <filesystem>
#include <string>

#include "base/error.h"
#include "cli/partial_file.h"

namespace jevons {

bool is_url(std::string_view source);  // http://, https:// or file://

// The path that a file:// URL names; nullopt for other sources.
std::optional<std::filesystem::path> local_path(const std::string& source);

// Fetches `source` to `target`, going on from an earlier attempt if the content is provably the same (for a URL: the
// ETag or Last-Modified given with If-Range; for a file: size and time). Retries transient network failures, shows
// progress, checks the disk's space first and the hash at the end. Error{not_found} if there is no such file or page.
Result<PartialFile::Finished> fetch(const std::string& source, const std::filesystem::path& target,
                                    const std::string& expected_sha256 = "");

}  // namespace jevons
