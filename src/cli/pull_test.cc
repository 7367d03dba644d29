#include "cli/pull.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <atomic>
#include <map>
#include <mutex>
#include <thread>

#include "base/file.h"
#include "base/json.h"
#include "base/strings.h"
#include "cli/download.h"
#include "cli/store_testing.h"

namespace jevons {
namespace {
namespace fs = std::filesystem;

// A web server of this process: answers GET with ranges; can break off in the middle.
class Server {
 public:
  Server() : listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ::bind(listener_, reinterpret_cast<sockaddr*>(&address), size);
    ::listen(listener_, 8);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    url = cat("http://127.0.0.1:", ntohs(address.sin_port), "/");
    thread_ = std::thread([this] { serve(); });
  }
  ~Server() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  void put(const std::string& path, std::string body, std::string etag = "\"1\"") {
    const std::lock_guard hold(mutex_);
    pages_[path] = {std::move(body), std::move(etag)};
  }
  std::vector<std::string> ranges() {  // of each request, "" if it had none
    const std::lock_guard hold(mutex_);
    return ranges_;
  }

  std::string url;
  std::atomic<size_t> break_after = 0;  // bytes of the next answer after which the connection closes; 0: never

 private:
  void serve() {
    for (int client; (client = ::accept(listener_, nullptr, nullptr)) >= 0; ::close(client)) {
      std::string request;
      char buffer[4096];
      while (request.find("\r\n\r\n") == request.npos) {
        const ssize_t got = ::recv(client, buffer, sizeof buffer, 0);
        if (got <= 0) break;
        request.append(buffer, static_cast<size_t>(got));
      }
      const std::string answer = respond(request);
      for (size_t done = 0; done < answer.size();) {
        const ssize_t sent = ::send(client, answer.data() + done, answer.size() - done, MSG_NOSIGNAL);
        if (sent <= 0) break;
        done += static_cast<size_t>(sent);
      }
    }
  }

  static std::string field(const std::string& request, const std::string& name) {
    const size_t at = request.find("\r\n" + name + ": ");
    if (at == request.npos) return "";
    const size_t from = at + name.size() + 4;
    return request.substr(from, request.find("\r\n", from) - from);
  }

  std::string respond(const std::string& request) {
    const std::lock_guard hold(mutex_);
    const std::string path = request.substr(5, request.find(' ', 5) - 5);
    const std::string range = field(request, "Range");
    ranges_.push_back(range);
    const auto page = pages_.find(path);
    if (page == pages_.end()) return "HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno\n";
    const auto& [body, etag] = page->second;
    const bool part = !range.empty() && field(request, "If-Range") == etag;
    const size_t from = part ? std::stoul(range.substr(6)) : 0;
    std::string head = part ? cat("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes ", from, "-", body.size() - 1,
                                  "/", body.size())
                            : std::string("HTTP/1.1 200 OK");
    if (!etag.empty()) head += "\r\nETag: " + etag;
    head += cat("\r\nContent-Length: ", body.size() - from, "\r\nConnection: close\r\n\r\n");
    const size_t limit = break_after.exchange(0);
    return head + body.substr(from, limit ? limit : body.npos);
  }

  int listener_;
  std::thread thread_;
  std::mutex mutex_;
  std::map<std::string, std::pair<std::string, std::string>> pages_;
  std::vector<std::string> ranges_;
};

std::string model_bytes(size_t size) {
  std::string bytes = "GGUF";
  for (size_t i = 0; bytes.size() < size; ++i) bytes += static_cast<char>(i * 2654435761u >> 13);
  return bytes;
}

std::string sha256(const std::string& bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.hex();
}

class Pull : public testing::Test {
 protected:
  std::string error(const PullRequest& request) {
    const auto result = pull(request);
    return result.ok() ? "" : result.error().message();
  }
  fs::path partial(const std::string& name) { return store.root / "partial" / name; }
  TemporaryStore store;
};

TEST_F(Pull, CopiesAFileAndChecksItsHash) {
  const std::string bytes = model_bytes(1200000);
  const fs::path source = store.file("downloads/My-Model.GGUF.gguf", bytes);
  EXPECT_NE(error({source.string(), "", std::string(64, '0')}).find("expected 000"), std::string::npos);
  EXPECT_FALSE(fs::exists(partial("my-model.gguf"))) << "a refused copy leaves nothing behind";
  const StoredModel model = pull({"file://" + source.string(), "mine", sha256(bytes)}).value();
  EXPECT_EQ(*read_file(model.path), bytes);
  EXPECT_EQ(*resolve_model("mine"), model.path);
  EXPECT_FALSE(fs::exists(partial("mine")));
  const Json notes = *Json::parse(*read_file(model.folder / "jevons.json"));
  EXPECT_EQ(notes.at("files").as_array().at(0).at("sha256").as_string(), sha256(bytes));
  EXPECT_NE(error({source.string(), "mine", ""}).find("in the store already"), std::string::npos);
  EXPECT_EQ(*read_file(source), bytes);
}

TEST_F(Pull, TakesFoldersAndSplitFiles) {
  store.file("llama/config.json", "{}");
  store.file("llama/model.safetensors", "weights");
  EXPECT_EQ(pull({(store.root / "llama").string() + "/", "", ""})->path, store.root / "models/llama");
  for (const char* part : {"1", "2", "3"}) store.file(cat("m-0000", part, "-of-00003.gguf"), cat("GGUF", part));
  const StoredModel model = pull({(store.root / "m-00002-of-00003.gguf").string(), "", ""}).value();
  EXPECT_EQ(model.name, "m");
  EXPECT_EQ(model.path, store.root / "models/m/m-00001-of-00003.gguf");
  EXPECT_EQ(*read_file(model.folder / "m-00003-of-00003.gguf"), "GGUF3");
  fs::remove(store.root / "m-00003-of-00003.gguf");
  EXPECT_NE(error({(store.root / "m-00001-of-00003.gguf").string(), "again", ""}).find("no such file"),
            std::string::npos);
  EXPECT_FALSE(fs::exists(store.root / "models/again"));
}

TEST_F(Pull, GoesOnAfterABrokenConnection) {
  Server server;
  const std::string bytes = model_bytes(2 << 20);
  server.put("m.gguf", bytes);
  server.break_after = 1500000;
  EXPECT_EQ(*read_file(pull({server.url + "m.gguf", "", sha256(bytes)})->path), bytes);
  EXPECT_EQ(server.ranges(), (std::vector<std::string>{"", cat("bytes=", 1500000, "-")}));
}

TEST_F(Pull, GoesOnAfterTheProcessEnded) {
  Server server;
  const std::string bytes = model_bytes(3500000);
  server.put("m.gguf", bytes);
  // What a killed process leaves: notes, three whole chunks and a piece, the second chunk damaged since.
  store.file("partial/m/jevons.json",
             Json(Json::Object{{"source", server.url + "m.gguf"}, {"files", Json::array()}}).dump());
  {
    PartialFile file = PartialFile::open(partial("m") / "m.gguf").value();
    ASSERT_TRUE(file.begin("\"1\"", bytes.size()).ok());
    ASSERT_TRUE(file.append(bytes.data(), 3 * PartialFile::kChunk + 1000).ok());
  }
  EXPECT_EQ(PartialFile::open(partial("m") / "m.gguf")->position(), 3 * PartialFile::kChunk);
  {
    std::fstream damage(partial("m") / "m.gguf.partial", std::ios::in | std::ios::out | std::ios::binary);
    damage.seekp(PartialFile::kChunk + 5);
    damage << "damage";
  }
  EXPECT_EQ(*read_file(pull({server.url + "m.gguf", "", sha256(bytes)})->path), bytes);
  EXPECT_EQ(server.ranges(), (std::vector<std::string>{cat("bytes=", PartialFile::kChunk, "-")}));
}

TEST_F(Pull, StartsAnewWhenTheContentHasChanged) {
  Server server;
  const std::string before = model_bytes(2 << 20), after = model_bytes(1200000);
  store.file("partial/m/jevons.json",
             Json(Json::Object{{"source", server.url + "m.gguf"}, {"files", Json::array()}}).dump());
  {
    PartialFile file = PartialFile::open(partial("m") / "m.gguf").value();
    ASSERT_TRUE(file.begin("\"old\"", before.size()).ok());
    ASSERT_TRUE(file.append(before.data(), PartialFile::kChunk).ok());
  }
  server.put("m.gguf", after, "\"new\"");
  EXPECT_EQ(*read_file(pull({server.url + "m.gguf", "", sha256(after)})->path), after);
}

TEST_F(Pull, BringsAPublishedCheckpoint) {
  Server server;
  server.put("org/Tiny/resolve/main/config.json", "{}");
  server.put("org/Tiny/resolve/main/model.safetensors.index.json",
             R"({"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors", "c": "model-1.safetensors"}})");
  server.put("org/Tiny/resolve/main/model-1.safetensors", "one");
  server.put("org/Tiny/resolve/main/tokenizer.json", "{\"t\": 1}");
  const std::string url = server.url + "org/Tiny/resolve/main/config.json";
  EXPECT_NE(error({url, "", ""}).find("model-2.safetensors: the server has no such file (HTTP 404)"),
            std::string::npos);
  EXPECT_TRUE(stored_models().empty());
  const size_t first = server.ranges().size();
  server.put("org/Tiny/resolve/main/model-2.safetensors", "two");
  const StoredModel model = pull({url, "", ""}).value();
  EXPECT_EQ(model.name, "tiny");
  EXPECT_EQ(*read_file(model.folder / "model-2.safetensors"), "two");
  EXPECT_EQ(*read_file(model.folder / "tokenizer.json"), "{\"t\": 1}");
  // Only what was not complete is asked for again: four optional files that are not there and the second part.
  EXPECT_EQ(server.ranges().size() - first, 5u);
}

TEST_F(Pull, RefusesAnIndexThatLeavesTheFolder) {
  Server server;
  server.put("c/config.json", "{}");
  for (const char* file : {"../../evil.safetensors", "/tmp/evil.safetensors", "x.bin"}) {
    server.put("c/model.safetensors.index.json", cat(R"({"weight_map": {"a": ")", file, R"("}})"),
               cat("\"", file, "\""));
    EXPECT_NE(error({server.url + "c/config.json", "c", ""}).find("expected the name of a .safetensors file"),
              std::string::npos)
        << file;
    ASSERT_TRUE(remove_model("c").ok());
  }
}

TEST_F(Pull, RefusesWhatIsNoModel) {
  Server server;
  server.put("page.gguf", "<!DOCTYPE html>");
  EXPECT_NE(error({server.url + "page.gguf", "", ""}).find("begins with \"<!DOCTYPE html>\", expected \"GGUF\""),
            std::string::npos);
  EXPECT_NE(error({server.url + "none.gguf", "", ""}).find("HTTP 404"), std::string::npos);
  EXPECT_NE(error({store.file("a.txt", "x").string(), "", ""}).find("expected a .gguf file"), std::string::npos);
  EXPECT_NE(error({(store.root / "nothing").string(), "", ""}).find("no such file"), std::string::npos);
  const std::string good = store.file("a.gguf", "GGUF").string();
  for (const char* name : {"../a", "a/b", ".hidden", "-rf", "a b", "\xc3\xa4"})
    EXPECT_NE(error({good, name, ""}), "") << name;
}

TEST_F(Pull, NamesAfterTheSource) {
  EXPECT_EQ(*name_for("/x/TinyLlama-Q4_0.gguf"), "tinyllama-q4_0");
  EXPECT_EQ(*name_for("/x/R1-00001-of-00163.gguf"), "r1");
  EXPECT_EQ(*name_for("/x/DeepSeek-V3/"), "deepseek-v3");
  EXPECT_EQ(*name_for("https://h/org/DeepSeek-V3/resolve/main/config.json"), "deepseek-v3");
  EXPECT_EQ(*name_for("https://h/org/m.gguf?download=true"), "m");
}

TEST_F(Pull, RemovesModelsAndRemains) {
  store.file("models/a/a.gguf", "GGUF");
  store.file("partial/a/b.gguf.partial", "GG");
  EXPECT_EQ(*remove_model("a"), 6u);
  EXPECT_TRUE(stored_models().empty());
  EXPECT_FALSE(fs::exists(partial("a")));
  EXPECT_NE(remove_model("a").error().message().find("no model \"a\""), std::string::npos);
  EXPECT_FALSE(remove_model("../models").ok());
}

}  // namespace
}  // namespace jevons
