// Pages on disk: what comes back is what was written, or nothing.
#include "engine/prefix_files.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <fstream>
#include <functional>

#include "base/file.h"

namespace jevons {
namespace {

using Path = std::filesystem::path;
constexpr size_t kBytes = 4096, kFileBytes = kBytes + 96;

class PrefixFilesTest : public testing::Test {
 protected:
  PrefixFilesTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "jevons-prefix-XXXXXX").string();
    root_ = Path(::mkdtemp(pattern.data())) / "cache/prefix";
  }
  ~PrefixFilesTest() override { std::filesystem::remove_all(root_.parent_path().parent_path()); }

  // Page `index` of a user's only sequence.
  PageFile file(size_t index = 0, const std::string& user = "anna", const std::string& model = "m") const {
    std::vector<int32_t> tokens(1000 * 4);
    for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<int32_t>(i);
    return PrefixChain(root_, model, user).page(tokens, index, 4);
  }
  static std::vector<std::byte> page(int seed) {
    std::vector<std::byte> out(kBytes);
    for (size_t i = 0; i < kBytes; ++i) out[i] = static_cast<std::byte>((i * 31 + static_cast<size_t>(seed)) >> 3);
    return out;
  }
  // In two places, as keys and values are; nothing if load() says so.
  static std::vector<std::byte> load(PrefixFiles& files, const PageFile& file) {
    std::vector<std::byte> out(kBytes);
    const std::span<std::byte> places[] = {std::span(out).first(1024), std::span(out).subspan(1024)};
    return files.load(file, places) ? out : std::vector<std::byte>{};
  }
  Path root_;
};

TEST_F(PrefixFilesTest, APageComesBack) {
  PrefixFiles files(root_, 1 << 20);
  EXPECT_FALSE(files.holds(file()));
  EXPECT_TRUE(load(files, file()).empty());
  files.write(file(), 1'000'000'000, page(1));
  EXPECT_TRUE(files.holds(file()));
  files.flush();
  EXPECT_TRUE(files.holds(file()));
  EXPECT_EQ(load(files, file()), page(1));
  PrefixFiles again(root_, 1 << 20);
  EXPECT_EQ(load(again, file()), page(1));
  EXPECT_EQ(files.counts().written, 1);
  EXPECT_EQ(again.counts().read, 1);
  EXPECT_EQ(files.counts().discarded + again.counts().discarded, 0);
}

TEST_F(PrefixFilesTest, OnlyTheOwnerMayRead) {
  PrefixFiles files(root_, 1 << 20);
  files.write(file(), 0, page(1));
  files.flush();
  const auto mode = [](const Path& path) {
    struct stat s {};
    EXPECT_EQ(::stat(path.c_str(), &s), 0) << path;
    return s.st_mode & 07777;
  };
  EXPECT_EQ(mode(file().path()), 0600u);
  for (Path folder = file().folder; folder != root_.parent_path().parent_path(); folder = folder.parent_path())
    EXPECT_EQ(mode(folder), 0700u) << folder;
}

// A key stands for the tokens up to its page's end, the user and the model; neither their text nor their ids are
// written anywhere.
TEST_F(PrefixFilesTest, KeysTellTokensUsersAndModelsApart) {
  std::vector<int32_t> tokens = {1, 2, 3, 4, 5, 6, 7, 8};
  const auto key = [&](size_t index, const std::string& user = "anna", const std::string& model = "m") {
    return PrefixChain(root_, model, user).page(tokens, index, 4).key;
  };
  const std::string first = key(0), second = key(1);
  EXPECT_NE(first, second);
  EXPECT_NE(key(0, "bert"), first);
  EXPECT_NE(key(0, "anna", "n"), first);
  EXPECT_NE(file(0, "bert").folder, file(0, "anna").folder);
  EXPECT_NE(file(0, "anna", "n").folder, file(0, "anna").folder);
  EXPECT_EQ(file().path().string().find("anna"), std::string::npos);
  tokens[7] = 9;
  EXPECT_EQ(key(0), first);
  EXPECT_NE(key(1), second);
  tokens[0] = 9, tokens[7] = 8;
  EXPECT_NE(key(1), second);  // a page whose own tokens are the same, after others
}

// Whatever lies there instead of the page: it is removed, and the page is computed again.
TEST_F(PrefixFilesTest, WhatIsNotThePageIsDiscarded) {
  const auto write = [](const Path& path, const std::string& bytes) { std::ofstream(path) << bytes; };
  const std::vector<std::pair<const char*, std::function<void(const Path&, std::string)>>> cases = {
      {"empty", [&](const Path& p, const std::string&) { write(p, ""); }},
      {"cut", [&](const Path& p, const std::string& good) { write(p, good.substr(0, good.size() - 1)); }},
      {"only a header", [&](const Path& p, const std::string& good) { write(p, good.substr(0, 96)); }},
      {"longer", [&](const Path& p, const std::string& good) { write(p, good + "x"); }},
      {"zeros", [&](const Path& p, const std::string& good) { write(p, std::string(good.size(), '\0')); }},
      {"another version", [&](const Path& p, std::string bad) { bad[7] = '2', write(p, bad); }},
      {"another page",
       [&](const Path& p, const std::string&) {
         std::filesystem::copy_file(file(1).path(), p, std::filesystem::copy_options::overwrite_existing);
       }},
      {"a size that lies", [&](const Path& p, std::string bad) { bad[79] = '\x7f', write(p, bad); }},
      {"a folder",
       [](const Path& p, const std::string&) {
         std::filesystem::remove(p), std::filesystem::create_directories(p / "x");
       }},
      {"a pipe", [](const Path& p, const std::string&) { std::filesystem::remove(p), ::mkfifo(p.c_str(), 0600); }},
      {"a link",
       [&](const Path& p, const std::string&) {
         std::filesystem::remove(p), std::filesystem::create_symlink(file(1).path(), p);
       }},
  };
  PrefixFiles files(root_, 1 << 20);
  int64_t discarded = 0;
  const auto expect_discarded = [&](const std::string& what) {
    EXPECT_TRUE(load(files, file()).empty()) << what;
    EXPECT_FALSE(std::filesystem::exists(std::filesystem::symlink_status(file().path()))) << what;
    EXPECT_EQ(files.counts().discarded, ++discarded) << what;
  };
  const auto put_good = [&] {
    files.write(file(), 0, page(1));
    files.flush();
    return read_file(file().path()).value();
  };
  files.write(file(1), 0, page(2));
  for (const auto& [what, damage] : cases) {
    damage(file().path(), put_good());
    expect_discarded(what);
  }
  // One wrong bit anywhere but in the reserved words.
  for (size_t at = 0; at < kFileBytes; at += at < 88 ? 1 : 97) {
    if (at == 88) at = 96;
    std::string bad = put_good();
    bad[at] = static_cast<char>(bad[at] ^ (1 << (at % 8)));
    write(file().path(), bad);
    expect_discarded("byte " + std::to_string(at));
  }
  EXPECT_EQ(load(files, file(1)), page(2));
}

TEST_F(PrefixFilesTest, TheLeastRecentlyUsedGoFirst) {
  PrefixFiles files(root_, 10 * kFileBytes);
  for (size_t i = 0; i < 10; ++i) files.write(file(i), static_cast<int64_t>(i + 1) * 1'000'000'000, page(1));
  files.touch(file(0), 20'000'000'000);
  files.flush();
  EXPECT_EQ(files.counts().evicted, 0);
  files.write(file(10), 21'000'000'000, page(1));
  files.flush();
  // Down to nine tenths of the limit, the new one counted.
  EXPECT_EQ(files.counts().evicted, 2);
  for (size_t i = 0; i < 11; ++i) EXPECT_EQ(files.holds(file(i)), i != 1 && i != 2) << i;
  EXPECT_EQ(files.counts().bytes, static_cast<int64_t>(9 * kFileBytes));
  // Files of other models and users count, too.
  PrefixFiles other(root_, 5 * kFileBytes);
  other.write(file(0, "bert", "n"), 30'000'000'000, page(1));
  other.flush();
  EXPECT_EQ(other.counts().evicted, 6);
  EXPECT_TRUE(other.holds(file(0, "bert", "n")));
}

TEST_F(PrefixFilesTest, ClearRemovesAllAndWhatWaits) {
  PrefixFiles files(root_, 1 << 20);
  files.write(file(0), 0, page(1));
  files.flush();
  for (size_t i = 1; i < 9; ++i) files.write(file(i), 0, page(1));
  files.clear();
  files.flush();
  for (size_t i = 0; i < 9; ++i) EXPECT_FALSE(files.holds(file(i))) << i;
  EXPECT_TRUE(std::filesystem::is_empty(root_));
  files.write(file(3), 0, page(1));
  files.flush();
  EXPECT_EQ(load(files, file(3)), page(1));
}

// Files may not be longer than 1000 bytes: what a full disk does to a write.
TEST_F(PrefixFilesTest, AFailingWriteLeavesNothingAndIsNotFatal) {
  PrefixFiles files(root_, 1 << 20);
  struct rlimit before {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto old = std::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit small = {1000, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  for (size_t i = 0; i < 3; ++i) files.write(file(i), 0, page(1));
  files.flush();
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, old);
  EXPECT_EQ(files.counts().failed, 3);
  EXPECT_TRUE(std::filesystem::is_empty(file().folder));
  files.write(file(), 0, page(1));
  files.flush();
  EXPECT_EQ(load(files, file()), page(1));
}

TEST_F(PrefixFilesTest, AFolderThatCannotBeMadeIsNotFatal) {
  std::filesystem::create_directories(root_.parent_path());
  std::ofstream(root_) << "a file";
  PrefixFiles files(root_, 1 << 20);
  files.write(file(), 0, page(1));
  files.flush();
  EXPECT_EQ(files.counts().failed, 1);
  EXPECT_FALSE(files.holds(file()));
  EXPECT_TRUE(load(files, file()).empty());
  EXPECT_EQ(files.counts().discarded, 0);
}

}  // namespace
}  // namespace jevons
