// Documents of text files, one after another, without holding a file in memory.
//   .txt    a document ends with a line that is exactly `end`, and with the file
//   .jsonl  every line is an object whose string `field` is a document
// each optionally packed (.zst). Other names are refused. Text must be UTF-8; a document may have up to 256 MiB.
#pragma once
#include <filesystem>
#include <functional>
#include <string>

#include "base/error.h"

namespace jevons {

struct DocumentRules {
  std::string end = "<|endoftext|>", field = "text";
};

// That the file is there and has such a name, or that of a token stream (.u32).
Status check_data_file(const std::filesystem::path& file);

// Empty documents are left out. Errors name the file and the line; an error of `each` ends the reading.
Status for_each_document(const std::filesystem::path& file, const DocumentRules& rules,
                         const std::function<Status(std::string&& document)>& each);

}  // namespace jevons
