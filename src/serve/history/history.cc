#include "serve/history/history.h"

#include <sys/random.h>

#include <algorithm>
#include <chrono>

#include "base/sha256.h"
#include "base/strings.h"

namespace jevons {
namespace {

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

std::string random_id() {
  unsigned char bytes[12];
  if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes) throw Error(Code::io, "the system gives no random numbers");
  std::string out = "c-";
  for (const auto byte : bytes) out += "0123456789abcdef"[byte >> 4], out += "0123456789abcdef"[byte & 15];
  return out;
}

Json or_null(const std::optional<std::string>& text) { return text ? Json(*text) : Json(); }

std::optional<std::string> dump(const Json& json) { return json.is_null() ? std::nullopt : std::optional(json.dump()); }

Json parse(const std::optional<std::string>& text) { return text ? Json::parse(*text).value() : Json(); }

// For LIKE ... ESCAPE '\'.
std::string like(std::string_view word) {
  std::string out = "%";
  for (const char c : word) {
    if (c == '%' || c == '_' || c == '\\') out += '\\';
    out += c;
  }
  return out + "%";
}

std::vector<std::string> words_of(std::string_view query) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : cat(query, " "))
    if (c != ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\0')
      word += c;
    else if (!word.empty())
      words.push_back(std::exchange(word, {}));
  for (const auto& one : words)
    if (one.size() > 1000 || words.size() > 16)
      throw Error(Code::invalid, "a search has at most 16 words of at most 1000 bytes each");
  return words;
}

size_t code_points(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

bool inside_code_point(const std::string& text, size_t at) { return at < text.size() && (text[at] & 0xC0) == 0x80; }

// About 120 bytes around the first of the words.
std::string snippet_of(const std::string& text, const std::vector<std::string>& words) {
  const auto same = [](char a, char b) { return (a | 32) == (b | 32); };
  size_t at = text.size();
  for (const auto& word : words)
    at = std::min<size_t>(at, std::search(text.begin(), text.end(), word.begin(), word.end(), same) - text.begin());
  if (at == text.size()) at = 0;
  size_t first = at > 40 ? at - 40 : 0, last = std::min(text.size(), at + 80);
  while (inside_code_point(text, first)) --first;
  while (inside_code_point(text, last)) ++last;
  return cat(first > 0 ? "…" : "", text.substr(first, last - first), last < text.size() ? "…" : "");
}

// Each entry brings a file from the version before it to its own.
constexpr const char* kMigrations[History::kVersion] = {
    R"(CREATE TABLE conversation(id TEXT PRIMARY KEY, title TEXT NOT NULL, model TEXT NOT NULL, created REAL NOT NULL,
         updated REAL NOT NULL, head TEXT, pinned INTEGER NOT NULL, archived INTEGER NOT NULL, settings TEXT NOT NULL);
       CREATE TABLE message(n INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, parent TEXT, role TEXT NOT NULL,
         content TEXT NOT NULL, reasoning TEXT, attachments TEXT);
       CREATE TABLE entry(n INTEGER PRIMARY KEY, conversation TEXT NOT NULL, hash TEXT NOT NULL, created REAL NOT NULL,
         model TEXT, finish TEXT, usage TEXT, timings TEXT, trace TEXT, UNIQUE(conversation, hash));
       CREATE INDEX entry_hash ON entry(hash);)",
    R"(CREATE VIRTUAL TABLE message_text USING fts5(content, reasoning, content='message', content_rowid='n',
         tokenize='trigram');
       INSERT INTO message_text(message_text) VALUES('rebuild');
       CREATE TRIGGER message_added AFTER INSERT ON message BEGIN
         INSERT INTO message_text(rowid, content, reasoning) VALUES(new.n, new.content, new.reasoning); END;
       CREATE TRIGGER message_removed AFTER DELETE ON message BEGIN
         INSERT INTO message_text(message_text, rowid, content, reasoning)
           VALUES('delete', old.n, old.content, old.reasoning); END;)"};

}  // namespace

Json Conversation::json() const {
  Json out = Json::Object{
      {"id", id},         {"title", title},       {"model", model},        {"created", created},  {"updated", updated},
      {"pinned", pinned}, {"archived", archived}, {"head", or_null(head)}, {"settings", settings}};
  if (!snippet.empty()) out["snippet"] = snippet;
  return out;
}

Json Message::json() const {
  return Json::Object{{"id", id},
                      {"parent", or_null(parent)},
                      {"role", role},
                      {"content", content},
                      {"reasoning_content", or_null(reasoning)},
                      {"model", or_null(model)},
                      {"created", created},
                      {"finish_reason", or_null(finish_reason)},
                      {"usage", usage},
                      {"timings", timings},
                      {"attachments", attachments},
                      {"trace", trace}};
}

std::string message_id(const Message& m) {
  Sha256 hash;
  hash.update(Json(Json::Array{or_null(m.parent), m.role, m.content, or_null(m.reasoning), m.attachments}).dump());
  return hash.hex();
}

void history_detail::migrate(Database& db, int to) {
  int64_t version = 0;
  {
    const auto row = db.query("PRAGMA user_version");
    if (row->step()) version = row->integer(0);
  }
  if (version > to)
    throw Error(Code::unsupported,
                cat("the history is of version ", version, ", made by a newer Jevons; this one reads ",
                    "versions up to ", to, ". Update Jevons, or use another file"));
  for (; version < to; ++version) {
    Transaction transaction(db);
    db.script(kMigrations[version]);
    db.script(cat("PRAGMA user_version=", version + 1).c_str());
    transaction.commit();
  }
}

Result<std::unique_ptr<History>> History::open(const std::filesystem::path& path) {
  try {
    if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path());
    std::unique_ptr<History> history(new History(path));
    history_detail::migrate(history->db_, kVersion);
    return history;
  } catch (const Error& error) {
    return error;
  } catch (const std::filesystem::filesystem_error& error) {
    return Error(Code::io, cat("the folder of the history cannot be made: ", error.what()));
  }
}

std::vector<Conversation> History::list(std::string_view query, int64_t limit) {
  const std::lock_guard lock(mutex_);
  const auto words = words_of(query);
  std::string where = "1";
  std::vector<std::string> values;
  for (const auto& word : words) {
    const auto number = [&](std::string value) {
      values.push_back(std::move(value));
      return cat("?", values.size());
    };
    const auto pattern = number(like(word));
    std::string found = cat("content LIKE ", pattern, " ESCAPE '\\' OR reasoning LIKE ", pattern, " ESCAPE '\\'");
    if (code_points(word) >= 3) {
      std::string quoted;
      for (const char c : word) quoted += c == '"' ? "\"\"" : std::string(1, c);
      found = cat("message.n IN (SELECT rowid FROM message_text WHERE message_text MATCH ",
                  number(cat("\"", quoted, "\"")), ")");
    }
    where +=
        cat(" AND (title LIKE ", pattern,
            " ESCAPE '\\' OR id IN (SELECT conversation FROM entry JOIN message USING(hash)", " WHERE ", found, "))");
  }
  auto out = read(where, values, limit);
  for (auto& conversation : out) {
    if (words.empty()) break;
    for (const auto& message : tree(conversation.id)) {
      const auto& text = message.content;
      const auto same = [](char a, char b) { return (a | 32) == (b | 32); };
      const bool has = std::any_of(words.begin(), words.end(), [&](const std::string& word) {
        return std::search(text.begin(), text.end(), word.begin(), word.end(), same) != text.end();
      });
      if (has || conversation.snippet.empty()) conversation.snippet = snippet_of(text, words);
      if (has) break;
    }
  }
  return out;
}

std::vector<Conversation> History::read(const std::string& where, const std::vector<std::string>& values,
                                        int64_t limit) {
  const auto rows =
      db_.query(cat("SELECT id, title, model, created, updated, head, pinned, archived, settings "
                    "FROM conversation WHERE ",
                    where, " ORDER BY pinned DESC, updated DESC, id LIMIT ?", values.size() + 1));
  for (size_t i = 0; i < values.size(); ++i) rows->bind(static_cast<int>(i + 1), values[i]);
  rows->bind(static_cast<int>(values.size() + 1), limit);
  std::vector<Conversation> out;
  while (rows->step())
    out.push_back({.id = rows->text(0),
                   .title = rows->text(1),
                   .model = rows->text(2),
                   .created = rows->real(3),
                   .updated = rows->real(4),
                   .head = rows->text_or_null(5),
                   .pinned = rows->integer(6) != 0,
                   .archived = rows->integer(7) != 0,
                   .settings = parse(rows->text(8))});
  return out;
}

std::optional<Conversation> History::find(const std::string& id) {
  const std::lock_guard lock(mutex_);
  auto found = read("id = ?1", {id}, 1);
  return found.empty() ? std::nullopt : std::optional(std::move(found[0]));
}

Conversation History::insert(Conversation c) {
  if (c.id.empty()) c.id = random_id();
  if (c.created == 0) c.created = now();
  if (c.updated == 0) c.updated = c.created;
  db_.run("INSERT INTO conversation VALUES(?,?,?,?,?,?,?,?,?)", c.id, c.title, c.model, c.created, c.updated, c.head,
          c.pinned, c.archived, c.settings.dump());
  return c;
}

Conversation History::create(Conversation conversation) {
  const std::lock_guard lock(mutex_);
  return insert(std::move(conversation));
}

Result<bool> History::change(const std::string& id, const ConversationChange& c) {
  const std::lock_guard lock(mutex_);
  Transaction transaction(db_);
  if (read("id = ?1", {id}, 1).empty()) return false;
  if (c.head && !db_.query("SELECT 1 FROM entry WHERE conversation = ? AND hash = ?", id, *c.head)->step())
    return Error(Code::invalid,
                 cat("the message ", quote(*c.head, 80), " is not in this conversation, so it cannot be its head"));
  if (c.title) db_.run("UPDATE conversation SET title = ? WHERE id = ?", *c.title, id);
  if (c.model) db_.run("UPDATE conversation SET model = ? WHERE id = ?", *c.model, id);
  if (c.head) db_.run("UPDATE conversation SET head = ? WHERE id = ?", *c.head, id);
  if (c.pinned) db_.run("UPDATE conversation SET pinned = ? WHERE id = ?", *c.pinned, id);
  if (c.archived) db_.run("UPDATE conversation SET archived = ? WHERE id = ?", *c.archived, id);
  if (c.settings) db_.run("UPDATE conversation SET settings = ? WHERE id = ?", c.settings->dump(), id);
  transaction.commit();
  return true;
}

bool History::remove(const std::string& id) {
  const std::lock_guard lock(mutex_);
  {
    Transaction transaction(db_);
    db_.run("DELETE FROM conversation WHERE id = ?", id);
    if (db_.changes() == 0) return false;
    db_.run(
        "DELETE FROM message WHERE hash IN (SELECT hash FROM entry WHERE conversation = ?1) AND hash NOT IN "
        "(SELECT hash FROM entry WHERE conversation <> ?1)",
        id);
    db_.run("DELETE FROM entry WHERE conversation = ?", id);
    db_.script("INSERT INTO message_text(message_text) VALUES('optimize')");  // forgets the deleted words, too
    transaction.commit();
  }
  db_.script("PRAGMA wal_checkpoint(TRUNCATE)");
  return true;
}

std::vector<Message> History::tree(const std::string& id) {
  const auto rows = db_.query(
      "SELECT hash, parent, role, content, reasoning, attachments, created, model, finish, usage, timings, trace "
      "FROM entry JOIN message USING(hash) WHERE conversation = ? ORDER BY entry.n",
      id);
  std::vector<Message> out;
  while (rows->step())
    out.push_back({.id = rows->text(0),
                   .parent = rows->text_or_null(1),
                   .role = rows->text(2),
                   .content = rows->text(3),
                   .reasoning = rows->text_or_null(4),
                   .model = rows->text_or_null(7),
                   .finish_reason = rows->text_or_null(8),
                   .attachments = parse(rows->text_or_null(5)),
                   .usage = parse(rows->text_or_null(9)),
                   .timings = parse(rows->text_or_null(10)),
                   .trace = parse(rows->text_or_null(11)),
                   .created = rows->real(6)});
  return out;
}

std::vector<Message> History::messages(const std::string& id) {
  const std::lock_guard lock(mutex_);
  return tree(id);
}

Result<Message> History::insert(const std::string& conversation, Message m) {
  if (m.parent &&
      !db_.query("SELECT 1 FROM entry WHERE conversation = ? AND hash = ?", conversation, *m.parent)->step())
    return Error(Code::invalid, cat("the parent ", quote(*m.parent, 80), " is no message of this conversation"));
  m.id = message_id(m);
  if (m.created == 0) m.created = now();
  db_.run(
      "INSERT INTO message(hash, parent, role, content, reasoning, attachments) VALUES(?,?,?,?,?,?) "
      "ON CONFLICT(hash) DO NOTHING",
      m.id, m.parent, m.role, m.content, m.reasoning, dump(m.attachments));
  db_.run(
      "INSERT INTO entry(conversation, hash, created, model, finish, usage, timings, trace) VALUES(?,?,?,?,?,?,?,?) "
      "ON CONFLICT(conversation, hash) DO NOTHING",
      conversation, m.id, m.created, m.model, m.finish_reason, dump(m.usage), dump(m.timings), dump(m.trace));
  return m;
}

Result<Message> History::add(const std::string& id, Message message) {
  const std::lock_guard lock(mutex_);
  Transaction transaction(db_);
  if (read("id = ?1", {id}, 1).empty()) return Error(Code::not_found, cat("there is no conversation ", quote(id)));
  JEVONS_TRY(auto stored, insert(id, std::move(message)));
  db_.run("UPDATE conversation SET head = ?, updated = max(updated, ?) WHERE id = ?", stored.id, stored.created, id);
  transaction.commit();
  return stored;
}

std::vector<std::string> History::ids() {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> out;
  const auto rows = db_.query("SELECT id FROM conversation ORDER BY created, id");
  while (rows->step()) out.push_back(rows->text(0));
  return out;
}

std::string History::export_line(const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto found = read("id = ?1", {id}, 1);
  if (found.empty()) return {};
  Json messages = Json::array();
  for (const auto& message : tree(id)) messages.push_back(message.json());
  return Json(Json::Object{{"format", "jevons-history"},
                           {"version", 1},
                           {"conversation", found[0].json()},
                           {"messages", messages}})
             .dump() +
         "\n";
}

Result<History::Imported> History::import(std::string_view text) {
  Imported counts;
  JEVONS_TRY(auto conversations, read_export(text, counts.left_out));
  const std::lock_guard lock(mutex_);
  Transaction transaction(db_);
  for (size_t i = 0; i < conversations.size(); ++i) {
    auto& [conversation, messages] = conversations[i];
    const auto head = std::exchange(conversation.head, std::nullopt);
    const bool known = !conversation.id.empty() && !read("id = ?1", {conversation.id}, 1).empty();
    if (!known) conversation = insert(std::move(conversation));
    ++(known ? counts.known : counts.conversations);
    std::map<std::string, std::string> ids;  // of the export -> here
    for (auto& message : messages) {
      const auto old = message.id;
      if (message.parent) {
        const auto parent = ids.find(*message.parent);
        if (parent == ids.end())
          return Error(Code::invalid,
                       cat("conversation ", i + 1, ", message ", quote(old, 80), ": its parent ",
                           quote(*message.parent, 80), " does not come before it; nothing was imported"));
        message.parent = parent->second;
      }
      const auto id = message_id(message);
      const bool is_new =
          !db_.query("SELECT 1 FROM entry WHERE conversation = ? AND hash = ?", conversation.id, id)->step();
      JEVONS_TRY(auto stored, insert(conversation.id, std::move(message)));
      counts.messages += is_new;
      ids[old] = stored.id;
    }
    const auto at = head ? ids.find(*head) : ids.end();
    if (!known && at != ids.end())
      db_.run("UPDATE conversation SET head = ? WHERE id = ?", at->second, conversation.id);
  }
  transaction.commit();
  return counts;
}

std::string History::integrity() {
  const std::lock_guard lock(mutex_);
  const auto row = db_.query("PRAGMA integrity_check");
  return row->step() ? row->text(0) : "no answer";
}

}  // namespace jevons
