#include "train/run_page.h"

#include "base/file.h"

namespace jevons {

extern const char* const kRunPage;  // run_page.html (embed.cmake)

Status write_run_page(const std::filesystem::path& log, const std::filesystem::path& page) {
  constexpr std::string_view kMark = "/*RUN*/null";
  JEVONS_TRY(const Json summary, summarise_run(log));
  std::string data;
  for (char c : summary.dump()) c == '<' ? data += "\\u003c" : data += c;  // no text can end the script
  std::string html = kRunPage;
  const size_t at = html.find(kMark);
  JEVONS_CHECK(at != std::string::npos);
  return write_file(page, html.replace(at, kMark.size(), data));
}

}  // namespace jevons
