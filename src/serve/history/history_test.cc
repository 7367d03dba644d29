#include "serve/history/history.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>
#include <set>
#include <thread>

#include "base/file.h"
#include "base/sha256.h"
#include "base/strings.h"

namespace jevons {
namespace {

namespace fs = std::filesystem;

class HistoryTest : public testing::Test {
 protected:
  HistoryTest() {
    std::string name = (fs::temp_directory_path() / "jevons-history-XXXXXX").string();
    folder_ = mkdtemp(name.data());
  }
  ~HistoryTest() override { fs::remove_all(folder_); }
  fs::path file() const { return folder_ / "sub" / "history.db"; }
  static std::unique_ptr<History> open(const fs::path& path = {}) { return History::open(path).value(); }
  fs::path folder_;
};

Message message(std::string role, std::string content, std::optional<std::string> parent = {}) {
  Message m;
  m.role = std::move(role);
  m.content = std::move(content);
  m.parent = std::move(parent);
  return m;
}

std::vector<std::string> found(History& history, std::string_view query) {
  std::vector<std::string> out;
  for (const auto& c : history.list(query, 100)) out.push_back(c.title);
  std::sort(out.begin(), out.end());
  return out;
}

using Titles = std::vector<std::string>;

TEST_F(HistoryTest, TheIdIsTheHashOfTheContent) {
  Message m = message("user", "a \"b\"");
  Sha256 hash;
  hash.update("[null,\"user\",\"a \\\"b\\\"\",null,null]");
  EXPECT_EQ(message_id(m), hash.hex());
  std::set<std::string> ids = {message_id(m)};
  const auto differs = [&](const Message& other) { EXPECT_TRUE(ids.insert(message_id(other)).second); };
  differs(message("assistant", "a \"b\""));
  differs(message("user", "a \"b\"", "x"));
  m.reasoning = "";
  differs(m);
  m.attachments = Json::Array{Json::Object{{"name", "f"}}};
  differs(m);
  const auto id = message_id(m);
  m.created = 5, m.model = "other", m.usage = Json::object();  // circumstances do not count
  EXPECT_EQ(message_id(m), id);
}

TEST_F(HistoryTest, KeepsTreesAndSharesWhatTheyHaveInCommon) {
  const auto history = open(file());
  const auto one = history->create({.title = "one", .model = "m"}), two = history->create({.title = "two"});
  const auto question = history->add(one.id, message("user", "q")).value();
  auto answer = message("assistant", "a", question.id);
  answer.reasoning = "because";
  answer.usage = Json::Object{{"total_tokens", 7}};
  const auto first = history->add(one.id, answer).value();
  const auto second = history->add(one.id, message("assistant", "b", question.id)).value();
  EXPECT_EQ(history->find(one.id)->head, second.id);
  EXPECT_EQ(history->add(one.id, answer).value().id, first.id);  // again: the same message, the head goes there
  EXPECT_EQ(history->find(one.id)->head, first.id);
  const auto tree = history->messages(one.id);
  ASSERT_EQ(tree.size(), 3u);
  EXPECT_EQ(tree[1].reasoning, "because");
  EXPECT_EQ(tree[1].usage.at("total_tokens").as_int(), 7);
  EXPECT_EQ(tree[2].parent, question.id);
  EXPECT_EQ(history->add(two.id, message("user", "q")).value().id, question.id);
  EXPECT_TRUE(history->remove(one.id));
  EXPECT_EQ(history->messages(two.id).size(), 1u);  // what two conversations had stays in the other
  EXPECT_FALSE(history->add(two.id, message("user", "x", first.id)).ok());
  EXPECT_EQ(history->add(one.id, message("user", "x")).error().code(), Code::not_found);
  EXPECT_FALSE(history->change(two.id, {.head = "nonsense"}).ok());
  EXPECT_TRUE(history->change(two.id, {.title = "zwei", .pinned = true}).value());
  EXPECT_TRUE(history->find(two.id)->pinned);
  EXPECT_FALSE(history->change(one.id, {.title = "x"}).value());
  EXPECT_EQ(history->integrity(), "ok");
}

TEST_F(HistoryTest, Search) {
  const auto history = open();
  const auto fill = [&](std::string title, std::string text, std::string thought = {}) {
    const auto id = history->create({.title = std::move(title)}).id;
    auto m = message("assistant", std::move(text));
    if (!thought.empty()) m.reasoning = std::move(thought);
    history->add(id, m).value();
  };
  fill("sky", "Rayleigh scattering makes the sky blue. 100% sure, \"really\"");
  fill("cat", "a cat_1 purrs", "thinking about Schrödinger");
  fill("天", "天空为什么是蓝色的");
  EXPECT_EQ(found(*history, ""), (Titles{"cat", "sky", "天"}));
  EXPECT_EQ(found(*history, "SCATTER"), Titles{"sky"});
  EXPECT_EQ(found(*history, "blue rayleigh"), Titles{"sky"});
  EXPECT_EQ(found(*history, "blue purrs"), Titles{});
  EXPECT_EQ(found(*history, "schrödinger"), Titles{"cat"});
  EXPECT_EQ(found(*history, "蓝色"), Titles{"天"});
  EXPECT_EQ(found(*history, "什么是蓝"), Titles{"天"});
  EXPECT_EQ(found(*history, "sk"), Titles{"sky"});
  EXPECT_EQ(found(*history, "0%"), Titles{"sky"});
  EXPECT_EQ(found(*history, "t_1"), Titles{"cat"});
  EXPECT_EQ(found(*history, "_"), Titles{"cat"});
  for (const auto* hostile : {"\"", "\"\"\"", "a\" OR \"b", "content:blue", "NEAR(sky blue)", "blue*",
                              "'; DROP TABLE message;--", "(((((", "-blue", "^sky", "\\", "%", "{a b}: x"})
    EXPECT_NO_THROW(history->list(hostile, 10)) << hostile;
  EXPECT_THROW(history->list(std::string(100000, '"'), 10), Error);
  EXPECT_THROW(history->list("a b c d e f g h i j k l m n o p q", 10), Error);
  EXPECT_EQ(found(*history, "\"really\""), Titles{"sky"});
  const auto snippet = history->list("purrs", 1).at(0).snippet;
  EXPECT_NE(snippet.find("purrs"), std::string::npos);
}

std::string all_bytes(const fs::path& folder) {
  std::string out;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) out += read_file(entry.path()).value();
  return out;
}

TEST_F(HistoryTest, DeletedTextIsNoLongerOnTheDisk) {
  const auto history = open(file());
  const auto keep = history->create({.title = "keep"}).id, drop = history->create({.title = "droptitle"}).id;
  for (int i = 0; i < 50; ++i) {
    history->add(keep, message("user", cat("kept text ", i))).value();
    history->add(drop, message("user", cat("secretword number ", i, std::string(200, 'x')))).value();
  }
  EXPECT_NE(all_bytes(folder_).find("secretword"), std::string::npos);
  EXPECT_TRUE(history->remove(drop));
  const auto bytes = all_bytes(folder_);
  EXPECT_EQ(bytes.find("secretword"), std::string::npos);
  EXPECT_EQ(bytes.find("droptitle"), std::string::npos);
  EXPECT_NE(bytes.find("kept text 49"), std::string::npos);
  EXPECT_EQ(found(*history, "secretword"), Titles{});
}

TEST_F(HistoryTest, OnlyTheOwnerCanReadTheFile) {
  const auto history = open(file());
  history->create({.title = "x"});
  for (const auto& entry : fs::directory_iterator(file().parent_path())) {
    struct stat status {};
    ASSERT_EQ(stat(entry.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u) << entry.path();
  }
}

TEST_F(HistoryTest, AnEmptyPathWritesNothing) {
  const auto before = fs::current_path();
  fs::current_path(folder_);
  {
    const auto history = open();
    history->add(history->create({.title = "x"}).id, message("user", "text")).value();
  }
  fs::current_path(before);
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(HistoryTest, OldFilesAreBroughtUpAndNewerOnesRefused) {
  fs::create_directories(file().parent_path());
  {
    Database db(file());
    history_detail::migrate(db, 1);  // as it was before there was a search
    db.run("INSERT INTO conversation VALUES('c','old','m',1,2,'h',0,0,'{}')");
    db.run(
        "INSERT INTO message(hash,parent,role,content,reasoning,attachments) VALUES('h',NULL,'user','ancient "
        "words',NULL,NULL)");
    db.run("INSERT INTO entry(conversation,hash,created) VALUES('c','h',1)");
  }
  {
    const auto history = open(file());
    EXPECT_EQ(found(*history, "ancient"), Titles{"old"});
    EXPECT_EQ(history->messages("c").at(0).content, "ancient words");
    EXPECT_EQ(history->integrity(), "ok");
  }
  Database(file()).script("PRAGMA user_version=99");
  EXPECT_NE(History::open(file()).error().message().find("version 99, made by a newer Jevons"), std::string::npos);
  write_file(folder_ / "text", "this is no database, but long enough to look at").value();
  EXPECT_NE(History::open(folder_ / "text").error().message().find("text"), std::string::npos);
  EXPECT_FALSE(History::open("/proc/none/history.db").ok());
}

TEST_F(HistoryTest, ManyThreads) {
  const auto history = open(file());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      const auto id = history->create({.title = cat("thread", t)}).id;
      std::optional<std::string> parent;
      for (int i = 0; i < 20; ++i) {
        parent = history->add(id, message("user", cat("text ", t, " ", i), parent)).value().id;
        history->list("text", 5);
      }
      EXPECT_EQ(history->messages(id).size(), 20u);
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(history->list("", 100).size(), 4u);
}

// A child stores messages and names each one that was acknowledged; it is killed at any moment, again and again.
TEST_F(HistoryTest, WhatWasAcknowledgedSurvivesAKill) {
  std::mt19937 random(1);
  std::set<std::string> acknowledged;
  const auto conversation = open(file())->create({.title = "t"}).id;
  for (int round = 0; round < 25; ++round) {
    int pipe_ends[2];
    ASSERT_EQ(pipe(pipe_ends), 0);
    const pid_t child = fork();
    if (child == 0) {
      const auto history = open(file());
      for (int i = 0;; ++i) {
        const auto id =
            history->add(conversation, message("user", cat(round, " ", i, std::string(500, 'y')))).value().id;
        if (write(pipe_ends[1], id.data(), id.size()) != 64) _exit(1);
      }
    }
    close(pipe_ends[1]);
    char id[64];
    std::string part;
    // At least one message a round, then a random while.
    if (read(pipe_ends[0], id, 64) == 64) acknowledged.emplace(id, 64);
    usleep(random() % 30000);
    kill(child, SIGKILL);
    for (ssize_t n; (n = read(pipe_ends[0], id, 64)) > 0;) part.append(id, static_cast<size_t>(n));
    for (size_t at = 0; at + 64 <= part.size(); at += 64) acknowledged.insert(part.substr(at, 64));
    close(pipe_ends[0]);
    waitpid(child, nullptr, 0);
  }
  const auto history = open(file());
  EXPECT_EQ(history->integrity(), "ok");
  std::set<std::string> stored;
  for (const auto& m : history->messages(conversation)) stored.insert(m.id);
  EXPECT_GE(acknowledged.size(), 25u);
  for (const auto& id : acknowledged) EXPECT_TRUE(stored.count(id)) << id;
  std::printf("%zu acknowledged, %zu stored\n", acknowledged.size(), stored.size());
}

TEST_F(HistoryTest, ExportAndImportGiveTheSame) {
  const auto history = open(), other = open();
  const auto id = history->create({.title = "t", .model = "m", .settings = Json::Object{{"temperature", 0.5}}}).id;
  auto m = message("user", "q\u2028\n");
  m.attachments = Json::Array{Json::Object{{"name", "f.txt"}, {"text", "x"}}};
  const auto question = history->add(id, m).value();
  auto a = message("assistant", "a", question.id);
  a.trace = Json::Object{{"answer", Json::Array{}}};
  history->add(id, a).value();
  history->add(id, message("assistant", "b", question.id)).value();
  history->change(id, {.archived = true}).value();
  const auto line = history->export_line(id);
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  auto counts = other->import(line + "\n" + line).value();
  EXPECT_EQ(counts.conversations, 1);
  EXPECT_EQ(counts.messages, 3);
  EXPECT_EQ(counts.known, 1);
  EXPECT_EQ(other->export_line(id), line);
}

TEST_F(HistoryTest, ImportsChatGpt) {
  const auto history = open();
  const auto counts =
      history->import(R"([{"id":"1","title":"T","create_time":10.5,"update_time":11,"current_node":"d","mapping":{
    "r":{"id":"r","message":null,"parent":null,"children":["a"]},
    "a":{"id":"a","message":{"author":{"role":"user"},"create_time":10,"content":{"content_type":"text","parts":["hello","there"]}},"parent":"r"},
    "b":{"id":"b","message":{"author":{"role":"assistant"},"content":{"content_type":"thoughts","thoughts":[{"content":"hm"}]}},"parent":"a"},
    "c":{"id":"c","message":{"author":{"role":"tool"},"content":{"content_type":"text","parts":["tool"]}},"parent":"b"},
    "d":{"id":"d","message":{"author":{"role":"assistant"},"content":{"content_type":"text","parts":["hi"]},"metadata":{"model_slug":"o1"}},"parent":"c"},
    "e":{"id":"e","message":{"author":{"role":"assistant"},"content":{"content_type":"multimodal_text","parts":[{"image":1},"hey"]}},"parent":"a"}}}])");
  ASSERT_TRUE(counts.ok()) << counts.error().message();
  EXPECT_EQ(counts->conversations, 1);
  EXPECT_EQ(counts->messages, 3);
  EXPECT_EQ(counts->left_out, 2);
  const auto c = history->list("", 1).at(0);
  const auto tree = history->messages(c.id);
  EXPECT_EQ(c.title, "T");
  EXPECT_EQ(tree.at(0).content, "hello\nthere");
  EXPECT_EQ(tree.at(1).content, "hi");
  EXPECT_EQ(tree.at(1).reasoning, "hm\n");
  EXPECT_EQ(tree.at(1).model, "o1");
  EXPECT_EQ(tree.at(1).parent, tree.at(0).id);
  EXPECT_EQ(tree.at(2).content, "hey");
  EXPECT_EQ(c.head, tree.at(1).id);
}

TEST_F(HistoryTest, ImportsOpenWebUi) {
  const auto history = open();
  const auto counts = history->import(
      R"([{"id":"1","title":"T","pinned":true,"created_at":5,"updated_at":6,"chat":{"history":{"currentId":"b","messages":{
    "b":{"id":"b","parentId":"a","role":"assistant","content":"hi","model":"x","timestamp":6},
    "a":{"id":"a","parentId":null,"role":"user","content":"hello","timestamp":5,"files":[{"type":"file"}]}}}}}])");
  ASSERT_TRUE(counts.ok()) << counts.error().message();
  EXPECT_EQ(counts->messages, 2);
  EXPECT_EQ(counts->left_out, 1);
  const auto c = history->list("", 1).at(0);
  EXPECT_TRUE(c.pinned);
  const auto tree = history->messages(c.id);
  EXPECT_EQ(tree.at(0).content, "hello");
  EXPECT_EQ(tree.at(1).model, "x");
  EXPECT_EQ(c.head, tree.at(1).id);
}

TEST_F(HistoryTest, BadImportsAreNamedAndLeaveNothing) {
  const auto history = open();
  const std::string good =
      R"({"format":"jevons-history","version":1,"conversation":{"id":"g","title":"good"},"messages":[]})";
  const auto refused = [&](std::string_view text, std::string_view part) {
    const auto result = history->import(text);
    ASSERT_FALSE(result.ok()) << text;
    EXPECT_NE(result.error().message().find(part), std::string::npos) << result.error().message();
    EXPECT_TRUE(history->list("", 10).empty()) << text;
  };
  refused("", "empty");
  refused(good + "\n{broken", "line 2");
  refused(good + "\n\n{}", "line 3");
  refused(good + "\n" + R"({"format":"jevons-history","version":2})", "line 2: an export of version 2");
  refused(good + "\n" + R"({"format":"jevons-history","version":1,"conversation":{"id":"h","title":5},"messages":[]})",
          "line 2");
  refused(
      good + "\n" +
          R"({"format":"jevons-history","version":1,"conversation":{"id":"h","title":"x"},"messages":[{"id":"1","parent":"0","role":"user","content":""}]})",
      "conversation 2, message \"1\": its parent");
  refused("[1]", "conversation 1");
  refused(R"([{"title":"x"}])", "neither from ChatGPT");
  refused(R"([{"mapping":{"a":{"parent":"b"},"b":{"parent":"a"}}}])", "circle");
  refused(R"([{"mapping":[]}])", "conversation 1");
  refused("[" + std::string(100000, '['), "the file");
  refused("hello", "line 1");
}

}  // namespace
}  // namespace jevons
