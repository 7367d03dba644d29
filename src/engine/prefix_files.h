// PrefixFiles: cache pages kept on disk, so that a conversation goes on after a restart without being computed again.
//
//   ROOT/MODEL/USER/KEY   one page a file: 96 bytes of header (magic, key, size, checksum), then the page's bytes
//
// MODEL is the fingerprint of all that a page's bits depend on (engine/fingerprint.h), USER a hash of whose prompts
// they are. KEY stands for every token up to the end of its page, and for model and user:
//   key(0) = SHA-256(MODEL, USER), key(i + 1) = SHA-256(key(i), tokens of page i)
// so a page is found by nobody who does not have its tokens, nor under another user's name. No token is written.
//
// The folder is its own index: a file's time is its last use, several processes may share a folder, and any part of it
// may be deleted at any time. Files appear complete under their name or not at all (renamed, not flushed: what a loss
// of power damages, the checksum finds). A file that is damaged, cut or foreign is removed with one note, and its page
// is computed.
//
// Writing happens on a thread of its own with the lowest priority. A write that fails (a full disk) is noted once and
// costs the next run some time, never an answer.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"

namespace jevons {

struct PageFile {
  std::filesystem::path folder;
  std::string key;
  std::filesystem::path path() const { return folder / key; }
};

// The files of one sequence's pages, first to last.
class PrefixChain {
 public:
  PrefixChain() = default;
  PrefixChain(const std::filesystem::path& root, const std::string& model, std::string_view user);
  // Page `index` of a sequence that begins with `tokens`. The same sequence every time; it may have grown.
  PageFile page(std::span<const int32_t> tokens, size_t index, size_t page_tokens);

 private:
  std::filesystem::path folder_;
  std::vector<std::string> keys_;  // keys_[i] of page i - 1; keys_[0] of the beginning
};

class PrefixFiles {
 public:
  // `limit`: bytes of all files together; the least recently used go first.
  PrefixFiles(std::filesystem::path root, int64_t limit);
  ~PrefixFiles();  // writes what waits
  const std::filesystem::path& root() const { return root_; }
  int64_t limit() const { return limit_; }

  // --- any thread ---
  // Reads a page into its places, all of them multiples of 32 bytes. False: there is none that can be used; the places
  // then hold anything. cost: one read of the file, 0.1 ns a byte of checksum.
  bool load(const PageFile& file, std::span<const std::span<std::byte>> into);
  // On disk, or waiting to be written?
  bool holds(const PageFile& file) const;
  // May so many bytes be handed to write()? At most kWaitingBytes wait at a time, or one page.
  bool room(int64_t bytes) const;
  // `used`: time of the last use, nanoseconds since 1970.
  void write(PageFile file, int64_t used, std::vector<std::byte> bytes);
  void touch(PageFile file, int64_t used);
  void clear();  // removes every file, and drops what waits
  void flush();  // returns when nothing waits

  static constexpr int64_t kWaitingBytes = 32 << 20;
  struct Counts {  // pages since the start; bytes on disk when last looked at
    std::atomic<int64_t> read{0}, written{0}, evicted{0}, discarded{0}, failed{0}, bytes{0};
  };
  const Counts& counts() const { return counts_; }

 private:
  struct Task {
    PageFile file;  // no key: clear()
    int64_t used = 0;
    std::vector<std::byte> bytes;  // empty: only touch
  };
  void push(Task task);
  void loop();
  void run(Task& task);
  Status store(const Task& task);
  void make_room(int64_t bytes);

  std::filesystem::path root_;
  int64_t limit_;
  Counts counts_;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable wake_, idle_;
  std::deque<Task> tasks_;
  std::set<std::string> waiting_;  // keys of pages among tasks_ or being written
  int64_t waiting_bytes_ = 0;
  bool busy_ = false, ending_ = false, clearing_ = false;
  // of the thread
  double last_scan_ = -1;
  bool failing_ = false;
  std::thread thread_;
};

}  // namespace jevons
