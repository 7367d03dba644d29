// Errors: one exception type for computations that cannot go on, Result<T> for foreign bytes, CHECK for our own bugs.
//
// Rule (one kind of failure, one mechanism):
//   foreign bytes (file, request, template, flag)  -> Result<T>; the message says what is wrong, where, what was
//                                                     expected and how to fix it
//   a computation that cannot continue             -> throw Error
//   a bug in this program                          -> CHECK (aborts with file and line)
//   an everyday "no" (queue full, not found)       -> bool or std::optional
#pragma once
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace jevons {

enum class Code { invalid, not_found, io, too_large, unsupported, interrupted, usage };

class Error : public std::exception {
 public:
  Error(Code code, std::string message) : code_(code), message_(std::move(message)) {}
  Code code() const { return code_; }
  const std::string& message() const { return message_; }
  const char* what() const noexcept override { return message_.c_str(); }
  // The same error, seen from further out: "FILE: " or "while reading X: " is put in front.
  Error within(std::string_view where) const { return {code_, std::string(where) + ": " + message_}; }

 private:
  Code code_;
  std::string message_;
};

// Either a value or an Error. `value()` throws the Error, so a caller that cannot go on just takes it.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}      // NOLINT: implicit on purpose
  Result(Error error) : state_(std::move(error)) {}  // NOLINT
  bool ok() const { return std::holds_alternative<T>(state_); }
  explicit operator bool() const { return ok(); }
  const Error& error() const { return std::get<Error>(state_); }
  T& value() & { return check(), std::get<T>(state_); }
  const T& value() const& { return check(), std::get<T>(state_); }
  T&& value() && { return check(), std::move(std::get<T>(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  void check() const {
    if (!ok()) throw error();
  }
  std::variant<T, Error> state_;
};

// A Result without a value.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT
  bool ok() const { return !error_; }
  explicit operator bool() const { return ok(); }
  const Error& error() const { return *error_; }
  void value() const {
    if (error_) throw *error_;
  }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

[[noreturn]] void check_failed(const char* condition, const char* file, int line, const std::string& detail);

}  // namespace jevons

// An invariant of this program; never reachable by input.
#define JEVONS_CHECK(condition, ...)                                                    \
  do {                                                                                  \
    if (!(condition)) [[unlikely]]                                                      \
      ::jevons::check_failed(#condition, __FILE__, __LINE__, std::string{__VA_ARGS__}); \
  } while (0)

// Returns the error of a Result expression from the enclosing function, or binds its value.
#define JEVONS_CONCAT_(a, b) a##b
#define JEVONS_CONCAT(a, b) JEVONS_CONCAT_(a, b)
#define JEVONS_TRY_(tmp, decl, expr) \
  auto tmp = (expr);                 \
  if (!tmp.ok()) return tmp.error(); \
  decl = std::move(tmp).value()
#define JEVONS_TRY(decl, expr) JEVONS_TRY_(JEVONS_CONCAT(try_result_, __LINE__), decl, expr)
#define JEVONS_TRY_STATUS(expr)                                       \
  do {                                                                \
    if (auto status_ = (expr); !status_.ok()) return status_.error(); \
  } while (0)
