// The conversations of one user, in one SQLite file. Messages form trees and are named by their content:
//
//   id = SHA-256(JSON [parent id or null, role, content, reasoning_content or null, attachments or null])
//
// so branches share what they have in common, and a message cannot change under its id. What belongs to a message in
// one conversation (when, by which model, how fast) is stored beside it. A message that was acknowledged is on the
// disk.
//
// Calls may come from any thread, one works at a time. Errors: a file that is no history or of a newer Jevons gives an
// Error at open(); a full or broken disk throws Error{io}.
#pragma once
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "serve/history/database.h"

namespace jevons {

struct Conversation {
  std::string id{}, title{}, model{};
  double created = 0, updated = 0;    // seconds since 1970
  std::optional<std::string> head{};  // the message at the end of the branch that is shown
  bool pinned = false, archived = false;
  Json settings = Json::object();
  std::string snippet{};  // of a search
  Json json() const;
};

struct Message {
  std::string id{};
  std::optional<std::string> parent{};
  std::string role{}, content{};
  std::optional<std::string> reasoning{}, model{}, finish_reason{};
  Json attachments{}, usage{}, timings{}, trace{};  // null if there are none
  double created = 0;
  Json json() const;
};

// Only what is set is changed.
struct ConversationChange {
  std::optional<std::string> title{}, model{}, head{};
  std::optional<bool> pinned{}, archived{};
  std::optional<Json> settings{};
};

std::string message_id(const Message& message);

class History {
 public:
  static constexpr int kVersion = 2;
  // An empty path: in memory, nothing is written. Folders are created.
  static Result<std::unique_ptr<History>> open(const std::filesystem::path& path);

  // Newest first, pinned before others. A conversation is found if each word of `query` is in one of its messages or in
  // its title (any part of a word, in any case).
  std::vector<Conversation> list(std::string_view query, int64_t limit);
  Conversation create(Conversation conversation);  // gives it an id and times where it has none
  std::optional<Conversation> find(const std::string& id);
  Result<bool> change(const std::string& id, const ConversationChange& change);  // false: there is none
  bool remove(const std::string& id);  // and every message that no other conversation has; overwritten on the disk
  std::vector<Message> messages(const std::string& id);  // the whole tree, parents first
  // Stores and makes it the head. The parent must be in the conversation.
  Result<Message> add(const std::string& id, Message message);

  std::vector<std::string> ids();
  // One line of an export; empty if the conversation is gone.
  std::string export_line(const std::string& id);

  struct Imported {
    int64_t conversations = 0, messages = 0;  // new ones
    int64_t known = 0;                        // conversations that were here already (new messages are added to them)
    int64_t left_out = 0;                     // parts that have no place here: images, tool calls
  };
  // An export of Jevons (JSON lines), of ChatGPT (conversations.json) or of Open WebUI; all or nothing.
  Result<Imported> import(std::string_view text);

  std::string integrity();  // "ok", or what SQLite finds

 private:
  explicit History(const std::filesystem::path& path) : db_(path) {}
  std::vector<Conversation> read(const std::string& where, const std::vector<std::string>& values, int64_t limit);
  Conversation insert(Conversation conversation);
  Result<Message> insert(const std::string& conversation, Message message);
  std::vector<Message> tree(const std::string& id);

  std::mutex mutex_;
  Database db_;
};

namespace history_detail {
void migrate(Database& db, int to);  // from PRAGMA user_version; public for the test of old files
}

// A foreign export, read but not stored: conversations with their messages, parents first. `left_out` as in Imported.
struct ImportedConversation {
  Conversation conversation;
  std::vector<Message> messages;
};
Result<std::vector<ImportedConversation>> read_export(std::string_view text, int64_t& left_out);

}  // namespace jevons
