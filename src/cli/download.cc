#include "cli/download.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "base/strings.h"

namespace jevons {
namespace fs = std::filesystem;
namespace {

constexpr int kAttempts = 5;

Status check_space(const fs::path& target, uint64_t needed) {
  std::error_code error;
  const fs::space_info space = fs::space(target.parent_path(), error);
  if (error || space.available >= needed) return {};
  return Error(Code::io, cat(target.parent_path().string(), ": needs ", human_bytes(static_cast<double>(needed)),
                             " more, but its disk has only ", human_bytes(static_cast<double>(space.available)),
                             " free; free some space or set JEVONS_HOME to a folder on another disk"));
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

// One HTTP transfer into a PartialFile.
class HttpTransfer {
 public:
  HttpTransfer(const std::string& url, const fs::path& target, PartialFile& file)
      : url_(url), target_(target), file_(file) {}

  const std::string& reason() const { return reason_; }  // of the last failure

  enum class Outcome { done, again };
  // One request. `again` after a failure that a repetition may cure.
  Result<Outcome> request() {
    std::unique_ptr<CURL, void (*)(CURL*)> handle(curl_easy_init(), curl_easy_cleanup);
    JEVONS_CHECK(handle);
    curl_ = handle.get();
    headers_ = {};
    started_ = false;
    error_.reset();
    const std::string range = cat(file_.position(), "-");
    const std::string condition = "If-Range: " + file_.identity();
    std::unique_ptr<curl_slist, void (*)(curl_slist*)> fields(nullptr, curl_slist_free_all);
    if (file_.position() > 0) {
      fields.reset(curl_slist_append(nullptr, condition.c_str()));
      curl_easy_setopt(curl_, CURLOPT_RANGE, range.c_str());
      curl_easy_setopt(curl_, CURLOPT_HTTPHEADER, fields.get());
    }
    char message[CURL_ERROR_SIZE] = "";
    set_options(message);
    const CURLcode code = curl_easy_perform(curl_);
    return judge(code, message);
  }

 private:
  struct Headers {
    std::string validator;  // a strong ETag, else Last-Modified
    std::string range;      // of Content-Range
  };

  void set_options(char* message) {
    curl_easy_setopt(curl_, CURLOPT_URL, url_.c_str());
    curl_easy_setopt(curl_, CURLOPT_ERRORBUFFER, message);
    curl_easy_setopt(curl_, CURLOPT_USERAGENT, "jevons/" JEVONS_VERSION);
    curl_easy_setopt(curl_, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl_, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl_, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl_, CURLOPT_MAXREDIRS, 10L);
    curl_easy_setopt(curl_, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl_, CURLOPT_CONNECTTIMEOUT, 30L);
    curl_easy_setopt(curl_, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl_, CURLOPT_LOW_SPEED_TIME, 60L);
    curl_easy_setopt(curl_, CURLOPT_HEADERFUNCTION, &HttpTransfer::on_header);
    curl_easy_setopt(curl_, CURLOPT_HEADERDATA, this);
    curl_easy_setopt(curl_, CURLOPT_WRITEFUNCTION, &HttpTransfer::on_data);
    curl_easy_setopt(curl_, CURLOPT_WRITEDATA, this);
    curl_easy_setopt(curl_, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl_, CURLOPT_XFERINFOFUNCTION, &HttpTransfer::on_tick);
  }

  static size_t on_header(char* data, size_t, size_t size, void* self) {
    static_cast<HttpTransfer*>(self)->header({data, size});
    return size;
  }
  static size_t on_data(char* data, size_t, size_t size, void* self) {
    return static_cast<HttpTransfer*>(self)->data(data, size) ? size : CURL_WRITEFUNC_ERROR;
  }
  static int on_tick(void*, curl_off_t, curl_off_t, curl_off_t, curl_off_t) { return interrupted() ? 1 : 0; }

  void header(std::string_view line) {
    if (line.starts_with("HTTP/")) headers_ = {};  // of each redirect
    const size_t colon = line.find(':');
    if (colon == line.npos) return;
    const std::string name = lower(line.substr(0, colon));
    line.remove_prefix(colon + 1);
    while (!line.empty() && line.front() == ' ') line.remove_prefix(1);
    while (!line.empty() && static_cast<unsigned char>(line.back()) <= ' ') line.remove_suffix(1);
    if (name == "etag" && !line.starts_with("W/")) headers_.validator = line;
    if (name == "last-modified" && headers_.validator.empty()) headers_.validator = line;
    if (name == "content-range") headers_.range = line;
  }

  long status() const {
    long value = 0;
    curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &value);
    return value;
  }

  // The headers are complete: goes on or begins anew.
  Status start() {
    started_ = true;
    curl_off_t length = -1;
    curl_easy_getinfo(curl_, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    const uint64_t remaining = length > 0 ? static_cast<uint64_t>(length) : 0;
    if (status() == 206 && !headers_.range.starts_with(cat("bytes ", file_.position(), "-"))) {
      return Error(Code::io, cat(url_, ": the server sent the range ", quote(headers_.range), " where bytes from ",
                                 file_.position(), " on were asked for"));
    }
    if (status() != 206) JEVONS_TRY_STATUS(file_.begin(headers_.validator, remaining));
    JEVONS_TRY_STATUS(check_space(target_, remaining));
    progress_.reset();
    progress_.emplace(cat("fetching ", target_.filename().string()), remaining, "B");
    return {};
  }

  bool data(const char* data, size_t size) {
    if (status() >= 300) return true;  // the text of an error page
    Status result = started_ ? Status() : start();
    if (result.ok()) result = file_.append(data, size);
    if (!result.ok())
      error_ = result.error();
    else
      progress_->advance(size);
    return result.ok();
  }

  Result<Outcome> judge(CURLcode code, const char* message) {
    progress_.reset();
    check_interrupt();
    if (error_) return *error_;
    const long answer = status();
    if (code == CURLE_OK && (answer == 200 || answer == 206)) {
      if (!started_) JEVONS_TRY_STATUS(start());  // an empty file
      return Outcome::done;
    }
    if (code == CURLE_OK && answer == 416) {  // the content has become shorter
      reason_ = "the content has changed";
      JEVONS_TRY_STATUS(file_.begin("", 0));
      return Outcome::again;
    }
    if (code == CURLE_OK && (answer == 404 || answer == 410)) {
      return Error(Code::not_found, cat(url_, ": the server has no such file (HTTP ", answer, "); check the URL"));
    }
    if (code == CURLE_OK && answer < 500 && answer != 429 && answer != 408) {
      const char* const cure =
          answer == 401 || answer == 403 ? "; it may need a login, fetch it with a browser and pull the file" : "";
      return Error(Code::io, cat(url_, ": the server answered HTTP ", answer, cure));
    }
    reason_ = code == CURLE_OK ? cat("HTTP ", answer) : *message ? std::string(message) : curl_easy_strerror(code);
    const bool hopeless = code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL ||
                          code == CURLE_TOO_MANY_REDIRECTS || code == CURLE_PEER_FAILED_VERIFICATION;
    if (hopeless) return Error(Code::io, cat(url_, ": ", reason_));
    return Outcome::again;
  }

  const std::string& url_;
  const fs::path& target_;
  PartialFile& file_;
  CURL* curl_ = nullptr;
  Headers headers_;
  bool started_ = false;
  std::optional<Error> error_;
  std::optional<Progress> progress_;
  std::string reason_;
};

void pause(double seconds) {
  for (double waited = 0; waited < seconds; waited += 0.1) {
    check_interrupt();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

Status fetch_url(const std::string& url, const fs::path& target, PartialFile& file) {
  static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  JEVONS_CHECK(ready);
  if (file.position() > 0 && file.identity().empty()) JEVONS_TRY_STATUS(file.begin("", 0));  // nothing to compare with
  HttpTransfer transfer(url, target, file);
  for (int attempt = 1;; ++attempt) {
    if (file.total() > 0 && file.position() == file.total()) return {};
    const uint64_t before = file.position();
    JEVONS_TRY(const auto outcome, transfer.request());
    if (outcome == HttpTransfer::Outcome::done) return {};
    if (file.position() > before) attempt = 1;  // it moves
    if (attempt == kAttempts) {
      return Error(Code::io, cat(url, ": ", transfer.reason(), " (", kAttempts,
                                 " attempts); check the network, then repeat the command to go on from ",
                                 file.position(), " bytes"));
    }
    note(cat(transfer.reason(), "; trying again"));
    pause(0.25 * (1 << attempt));
  }
}

Status copy_file(const fs::path& source, const fs::path& target, PartialFile& file) {
  std::error_code error;
  if (!fs::is_regular_file(source, error)) {
    if (fs::exists(source, error))
      return Error(Code::invalid, cat(source.string(), ": is ", file_kind(source), ", expected a file"));
    return Error(Code::not_found, cat(source.string(), ": no such file; check the path"));
  }
  const uint64_t total = fs::file_size(source, error);
  const auto time = fs::last_write_time(source, error).time_since_epoch().count();
  const std::string identity = cat(fs::absolute(source).string(), " ", total, " ", time);
  if (file.identity() != identity) JEVONS_TRY_STATUS(file.begin(identity, total));
  JEVONS_TRY_STATUS(check_space(target, total - std::min(total, file.position())));
  const int fd = ::open(source.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Error(Code::io, cat(source.string(), ": cannot open: ", std::strerror(errno)));
  const std::unique_ptr<const int, void (*)(const int*)> closer(&fd, [](const int* open) { ::close(*open); });
  Progress progress(cat("copying ", source.filename().string()), total, "B");
  std::vector<char> buffer(size_t{1} << 20);
  while (file.position() < total) {
    check_interrupt();
    const ssize_t got = ::pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(file.position()));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error(Code::io, cat(source.string(), ": cannot read: ", std::strerror(errno)));
    if (got == 0) return Error(Code::io, cat(source.string(), ": became shorter while it was copied"));
    JEVONS_TRY_STATUS(file.append(buffer.data(), static_cast<size_t>(got)));
    progress.set(file.position());
  }
  return {};
}

}  // namespace

bool is_url(std::string_view source) {
  return source.starts_with("http://") || source.starts_with("https://") || source.starts_with("file://");
}

std::optional<fs::path> local_path(const std::string& source) {
  if (!source.starts_with("file://")) return std::nullopt;
  std::string path = source.substr(7);
  if (!path.starts_with('/')) path.erase(0, std::min(path.find('/'), path.size()));  // file://localhost/...
  int length = 0;
  const std::unique_ptr<char, void (*)(void*)> plain(
      curl_easy_unescape(nullptr, path.data(), static_cast<int>(path.size()), &length), curl_free);
  return fs::path(std::string(plain.get(), static_cast<size_t>(length)));
}

Result<PartialFile::Finished> fetch(const std::string& source, const fs::path& target,
                                    const std::string& expected_sha256) {
  JEVONS_TRY(PartialFile file, PartialFile::open(target));
  if (is_url(source) && !local_path(source))
    JEVONS_TRY_STATUS(fetch_url(source, target, file));
  else
    JEVONS_TRY_STATUS(copy_file(local_path(source).value_or(source), target, file));
  return file.finish(expected_sha256);
}

}  // namespace jevons
