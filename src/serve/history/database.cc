#include "serve/history/database.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include "base/strings.h"

namespace jevons {
namespace {

[[noreturn]] void fail(sqlite3* db) {
  const char* file = db ? sqlite3_db_filename(db, "main") : nullptr;
  throw Error(Code::io, cat("the history", file && *file ? cat(" in ", file) : std::string(),
                            " cannot be used: ", db ? sqlite3_errmsg(db) : "out of memory"));
}

void check(sqlite3* db, int code) {
  if (code != SQLITE_OK) fail(db);
}

}  // namespace

Statement::~Statement() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

void Statement::bind(int at, std::string_view text) {
  check(db_, sqlite3_bind_text64(statement_, at, text.data() ? text.data() : "", text.size(), SQLITE_TRANSIENT,
                                 SQLITE_UTF8));
}

void Statement::bind(int at, const std::optional<std::string>& text) {
  if (text)
    bind(at, std::string_view(*text));
  else
    check(db_, sqlite3_bind_null(statement_, at));
}

void Statement::bind(int at, double value) { check(db_, sqlite3_bind_double(statement_, at, value)); }

void Statement::bind(int at, int64_t value) { check(db_, sqlite3_bind_int64(statement_, at, value)); }

bool Statement::step() {
  const int code = sqlite3_step(statement_);
  if (code != SQLITE_ROW && code != SQLITE_DONE) fail(db_);
  return code == SQLITE_ROW;
}

std::string Statement::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return bytes ? std::string(bytes, static_cast<size_t>(sqlite3_column_bytes(statement_, column))) : std::string();
}

std::optional<std::string> Statement::text_or_null(int column) const {
  if (sqlite3_column_type(statement_, column) == SQLITE_NULL) return std::nullopt;
  return text(column);
}

double Statement::real(int column) const { return sqlite3_column_double(statement_, column); }

int64_t Statement::integer(int column) const { return sqlite3_column_int64(statement_, column); }

Database::Database(const std::filesystem::path& path) {
  if (!path.empty()) {  // SQLite would create it readable by all; its -wal and -shm get the same rights as it
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file >= 0) ::close(file);
  }
  const std::string name = path.empty() ? ":memory:" : path.string();
  if (sqlite3_open_v2(name.c_str(), &db_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW, nullptr) !=
      SQLITE_OK) {
    const Error error(Code::io,
                      cat("the history in ", name, " cannot be opened: ", db_ ? sqlite3_errmsg(db_) : "out of memory"));
    sqlite3_close(db_);
    throw error;
  }
  try {
    sqlite3_busy_timeout(db_, 5000);
    script("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON;");
  } catch (...) {
    sqlite3_close(db_);
    throw;
  }
}

Database::~Database() {
  for (const auto& [sql, statement] : prepared_) sqlite3_finalize(statement);
  sqlite3_close(db_);
}

void Database::script(const char* sql) { check(db_, sqlite3_exec(db_, sql, nullptr, nullptr, nullptr)); }

std::unique_ptr<Statement> Database::prepare(std::string_view sql) {
  auto it = prepared_.find(sql);
  if (it == prepared_.end()) {
    if (prepared_.size() >= 64)  // searches differ in their number of words
      std::erase_if(prepared_, [](const auto& item) {
        return !sqlite3_stmt_busy(item.second) && sqlite3_finalize(item.second) == SQLITE_OK;
      });
    sqlite3_stmt* statement = nullptr;
    check(db_, sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &statement,
                                  nullptr));
    it = prepared_.emplace(sql, statement).first;
  }
  JEVONS_CHECK(!sqlite3_stmt_busy(it->second), "a statement is not used while its rows are read");
  return std::make_unique<Statement>(it->second, db_);
}

int64_t Database::changes() const { return sqlite3_changes64(db_); }

Transaction::~Transaction() {
  if (done_) return;
  try {
    db_.script("ROLLBACK");
  } catch (const Error&) {  // SQLite rolled back by itself
  }
}

}  // namespace jevons
