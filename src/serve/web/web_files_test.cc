#include "serve/web/web_files.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace jevons {
namespace {

TEST(WebFiles, ThePageIsAtTheRoot) {
  const WebFile* page = find_web_file("/");
  ASSERT_NE(page, nullptr);
  EXPECT_EQ(page->type, "text/html; charset=utf-8");
  EXPECT_FALSE(page->immutable);
}

TEST(WebFiles, BytesAreThoseOfDist) {
  std::ifstream file(JEVONS_SOURCE_DIR "/web/dist/index.html.gz", std::ios::binary);
  const std::vector<uint8_t> bytes{std::istreambuf_iterator<char>(file), {}};
  ASSERT_FALSE(bytes.empty());
  EXPECT_TRUE(std::ranges::equal(find_web_file("/")->gzip, bytes));
}

TEST(WebFiles, EachIsGzipWithTypeAndTag) {
  ASSERT_GE(web_files().size(), 5u);
  for (const WebFile& file : web_files()) {
    ASSERT_GE(file.gzip.size(), 18u) << file.path;
    EXPECT_EQ(file.gzip[0], 0x1f) << file.path;
    EXPECT_EQ(file.gzip[1], 0x8b) << file.path;
    EXPECT_FALSE(file.type.empty()) << file.path;
    EXPECT_EQ(file.etag.size(), 18u) << file.path;
    EXPECT_EQ(find_web_file(file.path), &file);
    EXPECT_EQ(file.immutable, file.path.starts_with("/assets/")) << file.path;
  }
}

TEST(WebFiles, OthersAreNotThere) {
  for (const char* path : {"", "/index.html.gz", "/assets/", "/assets/../", "/../index.html", "//", "/%2e%2e/"})
    EXPECT_EQ(find_web_file(path), nullptr) << path;
}

}  // namespace
}  // namespace jevons
