#include "common/sqlite/functions.h"

#include <sqlite3.h>

#include "common/sqlite/connection.h"

namespace lockstep::sqlite {
namespace {

extern "C" void CallFunction(sqlite3_context* context, int count, sqlite3_value** arguments) {
  FunctionCall call(context, count, arguments);
  static_cast<ScalarFunction*>(sqlite3_user_data(context))->Call(call);
}

}  // namespace

int64_t FunctionCall::Int(int index) const { return sqlite3_value_int64(arguments_[index]); }

ValueType FunctionCall::Type(int index) const {
  return static_cast<ValueType>(sqlite3_value_type(arguments_[index]));
}

std::string_view FunctionCall::Text(int index) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_value_text(arguments_[index]));
  if (text == nullptr) return {};
  return {text, static_cast<size_t>(sqlite3_value_bytes(arguments_[index]))};
}

std::string_view FunctionCall::Blob(int index) const {
  const auto* bytes = static_cast<const char*>(sqlite3_value_blob(arguments_[index]));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<size_t>(sqlite3_value_bytes(arguments_[index]))};
}

void FunctionCall::Return(int64_t value) { sqlite3_result_int64(context_, value); }

void FunctionCall::ReturnBlob(const std::string& bytes) {
  sqlite3_result_blob64(context_, bytes.data(), bytes.size(), SQLITE_TRANSIENT);
}

void FunctionCall::ReturnText(std::string_view text) {
  sqlite3_result_text64(context_, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}

void FunctionCall::ReturnArgument(int index) { sqlite3_result_value(context_, arguments_[index]); }

void FunctionCall::Fail(const std::string& message) {
  sqlite3_result_error(context_, message.c_str(), -1);
}

void FunctionCall::FailTooBig() { sqlite3_result_error_toobig(context_); }

int64_t FunctionCall::length_limit() const {
  return sqlite3_limit(sqlite3_context_db_handle(context_), SQLITE_LIMIT_LENGTH, -1);
}

absl::Status Connection::DefineFunction(const std::string& name, int arguments,
                                        ScalarFunction* function) {
  // Innocuous, as the built-in ones are that it replaces: a schema may use it, trusted or not.
  const int flags =
      SQLITE_UTF8 | SQLITE_INNOCUOUS | (function->deterministic() ? SQLITE_DETERMINISTIC : 0);
  const int rc = sqlite3_create_function_v2(db_, name.c_str(), arguments, flags, function,
                                            &CallFunction, nullptr, nullptr, nullptr);
  return ErrorOr(rc, "defining " + name);
}

void Connection::RemoveFunction(const std::string& name, int arguments) {
  sqlite3_create_function_v2(db_, name.c_str(), arguments, SQLITE_UTF8, nullptr, nullptr, nullptr,
                             nullptr, nullptr);
}

}  // namespace lockstep::sqlite
