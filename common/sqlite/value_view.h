// A value inside SQLite, looked at without a copy.
#ifndef LOCKSTEP_COMMON_SQLITE_VALUE_VIEW_H_
#define LOCKSTEP_COMMON_SQLITE_VALUE_VIEW_H_

#include <cstdint>
#include <string_view>

#include "common/value.h"

struct sqlite3_value;

namespace lockstep::sqlite {

// SQLite's storage classes, with its numbers.
enum class ValueType : uint8_t { kInteger = 1, kReal = 2, kText = 3, kBlob = 4, kNull = 5 };

// `bytes` of text and blobs belong to SQLite and live as long as what the view was taken from says.
struct ValueView {
  ValueType type = ValueType::kNull;
  int64_t integer = 0;
  double real = 0;
  std::string_view bytes;

  static ValueView Of(sqlite3_value* value);
  Value ToValue() const;  // a copy
};

}  // namespace lockstep::sqlite

#endif  // LOCKSTEP_COMMON_SQLITE_VALUE_VIEW_H_
