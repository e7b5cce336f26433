// SQL functions written in C++.
#ifndef LOCKSTEP_COMMON_SQLITE_FUNCTIONS_H_
#define LOCKSTEP_COMMON_SQLITE_FUNCTIONS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "common/sqlite/value_view.h"

struct sqlite3_context;
struct sqlite3_value;

namespace lockstep::sqlite {

// One call of a function from SQL: its arguments and its result, NULL unless set. Lives as long as
// the call.
class FunctionCall {
 public:
  FunctionCall(sqlite3_context* context, int count, sqlite3_value** arguments)
      : context_(context), count_(count), arguments_(arguments) {}

  int count() const { return count_; }
  // Converted as CAST does. Requires index < count().
  int64_t Int(int index) const;
  ValueType Type(int index) const;
  // The value as text; data() is null for NULL and without memory. Lives as long as the call, or
  // until another form of the same argument is asked for.
  std::string_view Text(int index) const;
  // Requires a blob.
  std::string_view Blob(int index) const;

  void Return(int64_t value);
  void ReturnBlob(const std::string& bytes);
  void ReturnText(std::string_view text);
  void ReturnArgument(int index);
  // The statement fails with kError.
  void Fail(const std::string& message);
  // The statement fails with kTooBig.
  void FailTooBig();
  // What a value may have, in bytes.
  int64_t length_limit() const;

 private:
  sqlite3_context* const context_;
  const int count_;
  sqlite3_value** const arguments_;
};

// Called on the connection's thread. SQL may use it in triggers and DEFAULTs, too.
class ScalarFunction {
 public:
  virtual ~ScalarFunction() = default;
  virtual void Call(FunctionCall& call) = 0;
  // Whether the arguments alone decide the result, so that indexes may use it.
  virtual bool deterministic() const { return false; }
};

}  // namespace lockstep::sqlite

#endif  // LOCKSTEP_COMMON_SQLITE_FUNCTIONS_H_
