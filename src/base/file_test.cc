#include "base/file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <fstream>
#include <iterator>

namespace jevons {
namespace {

namespace fs = std::filesystem;

class Files : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "jevons-file-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }
  int entries() const { return static_cast<int>(std::distance(fs::directory_iterator(folder_), {})); }
  fs::path folder_;
};

TEST_F(Files, NothingIsLeftWithoutCommit) {
  const fs::path path = folder_ / "x";
  {
    AtomicFile file = AtomicFile::create(path).value();
    file.write("some text").value();
    EXPECT_FALSE(fs::exists(path));
  }
  EXPECT_EQ(entries(), 0);
}

TEST_F(Files, WhatIsNoFileIsNamed) {
  ASSERT_EQ(::mkfifo((folder_ / "fifo").c_str(), 0600), 0);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{AF_UNIX, {}};
  std::strncpy(address.sun_path, (folder_ / "socket").c_str(), sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ::close(socket);
  const auto says = [](const fs::path& path, const std::string& words) {
    EXPECT_EQ(MappedFile::open(path).error().message(), path.string() + ": is " + words + ", expected a file");
    EXPECT_EQ(read_file(path).error().message(), path.string() + ": is " + words + ", expected a file");
  };
  says(folder_ / "fifo", "a named pipe");
  says(folder_ / "socket", "a socket");
  says(folder_, "a folder");
  says("/dev/null", "a device");
}

// A file that is truncated while it is mapped: a sentence and exit code 1, and no partial file.
TEST_F(Files, ATruncatedMappingEndsInASentence) {
  const fs::path path = folder_ / "model";
  write_file(path, std::string(3 << 16, 'x')).value();
  const auto touch = [&] {
    const auto file = MappedFile::open(path).value();
    AtomicFile half = AtomicFile::create(folder_ / "result").value();
    fs::resize_file(path, 100);
    const volatile std::byte* lost = file->bytes().data() + (2 << 16);
    std::exit(static_cast<int>(*lost));
  };
  EXPECT_EXIT(touch(), testing::ExitedWithCode(1), "model: the file became shorter while it was in use");
  EXPECT_EQ(entries(), 1);
}

TEST_F(Files, CommitReplacesAtOnce) {
  const fs::path path = folder_ / "x";
  write_file(path, "old").value();
  AtomicFile file = AtomicFile::create(path).value();
  file.write("new").value();
  EXPECT_EQ(read_file(path).value(), "old");
  file.commit().value();
  EXPECT_EQ(read_file(path).value(), "new");
  EXPECT_EQ(entries(), 1);
}

TEST_F(Files, ManyWritesOfManySizesArriveInOrder) {
  const fs::path path = folder_ / "x";
  AtomicFile file = AtomicFile::create(path).value();
  std::string expected;
  for (size_t size : {1, 100, 1 << 20, 3, (1 << 20) - 1, (1 << 21) + 5, 0, 7}) {
    const std::string part(size, static_cast<char>('a' + size % 26));
    file.write(part).value();
    expected += part;
    EXPECT_EQ(file.position(), expected.size());
  }
  file.pad_to(64).value();
  expected.resize((expected.size() + 63) / 64 * 64, '\0');
  EXPECT_EQ(file.position(), expected.size());
  file.pad_to(64).value();  // stands there already
  file.commit().value();
  EXPECT_TRUE(read_file(path).value() == expected);
  const auto mapped = MappedFile::open(path).value();
  EXPECT_EQ(mapped->bytes().size(), expected.size());
  mapped->release(mapped->bytes());  // a hint: the bytes come back
  EXPECT_TRUE(std::string(reinterpret_cast<const char*>(mapped->bytes().data()), mapped->bytes().size()) == expected);
}

// A disk that fills up: a limit on the size of files makes write() fail in the same place.
TEST_F(Files, AFullDiskLeavesTheOldFile) {
  const fs::path path = folder_ / "x";
  write_file(path, "old").value();
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{100000, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const Status in_commit = write_file(path, std::string(200000, 'x'));  // smaller than the buffer
  const Status in_write = write_file(path, std::string(3000000, 'x'));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  for (const Status& status : {in_commit, in_write}) {
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().code(), Code::io);
    EXPECT_NE(status.error().message().find(path.string() + ": cannot write: "), std::string::npos)
        << status.error().message();
  }
  EXPECT_EQ(read_file(path).value(), "old");
  EXPECT_EQ(entries(), 1);
}

TEST_F(Files, ErrorsNameThePathAndTheCause) {
  const auto missing = read_file(folder_ / "none");
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code(), Code::not_found);
  EXPECT_NE(missing.error().message().find("none: cannot open"), std::string::npos);
  const auto folder = MappedFile::open(folder_);
  ASSERT_FALSE(folder.ok());
  EXPECT_NE(folder.error().message().find("is a folder"), std::string::npos);
  write_file(folder_ / "big", std::string(11, 'x')).value();
  const auto big = read_file(folder_ / "big", 10);
  ASSERT_FALSE(big.ok());
  EXPECT_EQ(big.error().code(), Code::too_large);
  EXPECT_NE(big.error().message().find("has 11 bytes, at most 10"), std::string::npos);
  EXPECT_FALSE(AtomicFile::create(folder_ / "none" / "x").ok());
}

TEST_F(Files, AnEmptyFileIsMapped) {
  write_file(folder_ / "empty", "").value();
  EXPECT_EQ(MappedFile::open(folder_ / "empty").value()->bytes().size(), 0u);
  EXPECT_EQ(read_file(folder_ / "empty").value(), "");
}

}  // namespace
}  // namespace jevons
