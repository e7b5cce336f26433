#include "common/sqlite/statement.h"

#include <sqlite3.h>

#include "common/check.h"

namespace lockstep::sqlite {
namespace {

std::string_view ViewOf(const char* text) {
  return text == nullptr ? std::string_view() : std::string_view(text);
}

}  // namespace

Statement::~Statement() { sqlite3_finalize(stmt_); }

Statement& Statement::operator=(Statement&& other) noexcept {
  if (this == &other) return *this;
  sqlite3_finalize(stmt_);
  stmt_ = std::exchange(other.stmt_, nullptr);
  has_second_statement_ = other.has_second_statement_;
  return *this;
}

bool Statement::readonly() const { return sqlite3_stmt_readonly(stmt_) != 0; }
bool Statement::is_explain() const { return sqlite3_stmt_isexplain(stmt_) != 0; }

int64_t Statement::memory_used() const {
  return sqlite3_stmt_status(stmt_, SQLITE_STMTSTATUS_MEMUSED, 0);
}

int Statement::parameter_count() const { return sqlite3_bind_parameter_count(stmt_); }

std::string_view Statement::parameter_name(int index) const {
  return ViewOf(sqlite3_bind_parameter_name(stmt_, index));
}

int Statement::Bind(int index, const Value& value) { return BindValue(index, value, true); }

int Statement::BindStatic(int index, const Value& value) { return BindValue(index, value, false); }

int Statement::BindValue(int index, const Value& value, bool copy) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    return BindBytes(index, *text, true, copy);
  }
  if (const auto* integer = std::get_if<int64_t>(&value)) {
    return sqlite3_bind_int64(stmt_, index, *integer);
  }
  if (const auto* real = std::get_if<double>(&value)) {
    return sqlite3_bind_double(stmt_, index, *real);
  }
  if (const auto* blob = std::get_if<Blob>(&value)) {
    return BindBytes(index, blob->bytes, false, copy);
  }
  return sqlite3_bind_null(stmt_, index);
}

int Statement::BindBytes(int index, std::string_view bytes, bool text, bool copy) {
  // A null pointer would bind NULL; an empty value still needs an address.
  const char* data = bytes.data() == nullptr ? "" : bytes.data();
  const sqlite3_destructor_type lifetime = copy ? SQLITE_TRANSIENT : SQLITE_STATIC;
  if (text) {
    return sqlite3_bind_text64(stmt_, index, data, bytes.size(), lifetime, SQLITE_UTF8);
  }
  return sqlite3_bind_blob64(stmt_, index, data, bytes.size(), lifetime);
}

void Statement::ClearBindings() { sqlite3_clear_bindings(stmt_); }

StepResult Statement::Step() {
  switch (sqlite3_step(stmt_)) {
    case SQLITE_ROW:
      return StepResult::kRow;
    case SQLITE_DONE:
      return StepResult::kDone;
    default:
      return StepResult::kFailed;
  }
}

SqliteError Statement::error() const { return SqliteError::Of(sqlite3_db_handle(stmt_)); }

void Statement::Reset() { sqlite3_reset(stmt_); }

absl::Status Statement::Run() {
  StepResult result;
  do {
    result = Step();
  } while (result == StepResult::kRow);
  if (result == StepResult::kDone) {
    Reset();
    return absl::OkStatus();
  }
  const SqliteError failure = error();
  const char* sql = sqlite3_sql(stmt_);
  Reset();
  return failure.ToStatus(sql == nullptr ? "" : sql);
}

int Statement::column_count() const { return sqlite3_column_count(stmt_); }

std::string_view Statement::column_name(int column) const {
  return ViewOf(sqlite3_column_name(stmt_, column));
}

std::string_view Statement::column_declared_type(int column) const {
  return ViewOf(sqlite3_column_decltype(stmt_, column));
}

int64_t Statement::ColumnInt(int column) const { return sqlite3_column_int64(stmt_, column); }

ValueView Statement::ColumnView(int column) const {
  return ValueView::Of(sqlite3_column_value(stmt_, column));
}

Value Statement::Column(int column) const { return ColumnView(column).ToValue(); }

Value ValueView::ToValue() const {
  switch (type) {
    case ValueType::kInteger:
      return integer;
    case ValueType::kReal:
      return real;
    case ValueType::kText:
      return std::string(bytes);
    case ValueType::kBlob:
      return Blob{std::string(bytes)};
    case ValueType::kNull:
      break;
  }
  return std::monostate();
}

ValueView ValueView::Of(sqlite3_value* value) {
  static_assert(static_cast<int>(ValueType::kInteger) == SQLITE_INTEGER &&
                static_cast<int>(ValueType::kReal) == SQLITE_FLOAT &&
                static_cast<int>(ValueType::kText) == SQLITE_TEXT &&
                static_cast<int>(ValueType::kBlob) == SQLITE_BLOB &&
                static_cast<int>(ValueType::kNull) == SQLITE_NULL);
  ValueView view;
  view.type = static_cast<ValueType>(sqlite3_value_type(value));
  switch (view.type) {
    case ValueType::kInteger:
      view.integer = sqlite3_value_int64(value);
      break;
    case ValueType::kReal:
      view.real = sqlite3_value_double(value);
      break;
    case ValueType::kText: {
      // The pointer first: asking for text may change the encoding, and so the length.
      const void* data = sqlite3_value_text(value);
      view.bytes = std::string_view(static_cast<const char*>(data),
                                    static_cast<size_t>(sqlite3_value_bytes(value)));
      break;
    }
    case ValueType::kBlob: {
      const void* data = sqlite3_value_blob(value);
      view.bytes = std::string_view(static_cast<const char*>(data),
                                    static_cast<size_t>(sqlite3_value_bytes(value)));
      break;
    }
    case ValueType::kNull:
      break;
  }
  return view;
}

}  // namespace lockstep::sqlite
