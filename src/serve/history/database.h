// SQLite, as much of it as the history needs: statements with bound values, transactions, errors as sentences.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

struct sqlite3;
struct sqlite3_stmt;

namespace jevons {

// A statement in use; its rows are read by step(). Text of a null column is "".
class Statement {
 public:
  explicit Statement(sqlite3_stmt* statement, sqlite3* db) : statement_(statement), db_(db) {}
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  void bind(int at, std::string_view text);
  void bind(int at, const std::optional<std::string>& text);  // null if there is none
  void bind(int at, const std::string& text) { bind(at, std::string_view(text)); }
  void bind(int at, const char* text) { bind(at, std::string_view(text)); }
  void bind(int at, double value);
  void bind(int at, int64_t value);
  void bind(int at, int value) { bind(at, int64_t{value}); }
  void bind(int at, bool value) { bind(at, int64_t{value}); }

  bool step();  // false after the last row
  std::string text(int column) const;
  std::optional<std::string> text_or_null(int column) const;
  double real(int column) const;
  int64_t integer(int column) const;

 private:
  sqlite3_stmt* statement_;
  sqlite3* db_;
};

// Everything throws Error{io} with the file's name and SQLite's reason.
class Database {
 public:
  // An empty path: in memory. What is committed survives the end of the process and of the power (WAL,
  // synchronous=FULL). The file is readable by its owner only.
  explicit Database(const std::filesystem::path& path);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void script(const char* sql);
  template <class... Values>
  std::unique_ptr<Statement> query(std::string_view sql, const Values&... values) {
    auto statement = prepare(sql);
    int at = 0;
    (statement->bind(++at, values), ...);
    return statement;
  }
  template <class... Values>
  void run(std::string_view sql, const Values&... values) {
    query(sql, values...)->step();
  }
  int64_t changes() const;

 private:
  std::unique_ptr<Statement> prepare(std::string_view sql);
  sqlite3* db_ = nullptr;
  std::map<std::string, sqlite3_stmt*, std::less<>> prepared_;
};

// Undone unless committed.
class Transaction {
 public:
  explicit Transaction(Database& db) : db_(db) { db_.script("BEGIN IMMEDIATE"); }
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit() {
    db_.script("COMMIT");
    done_ = true;
  }

 private:
  Database& db_;
  bool done_ = false;
};

}  // namespace jevons
