#include "participant/execution/change_digest.h"

#include <xxhash.h>

#include <bit>
#include <cstring>
#include <limits>

#include "common/sqlite/error.h"

namespace lockstep::participant {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers are hashed as little endian");

constexpr size_t kPendingBytes = 4096;
constexpr int64_t kLargestRowid = std::numeric_limits<int64_t>::max();
constexpr char kOldRow = 1;
constexpr char kNewRow = 2;
constexpr char kText = 3;

}  // namespace

void ChangeDigest::StateDeleter::operator()(XXH3_state_s* state) const { XXH3_freeState(state); }

ChangeDigest::ChangeDigest() : state_(XXH3_createState()) { pending_.reserve(2 * kPendingBytes); }
ChangeDigest::~ChangeDigest() = default;

void ChangeDigest::Start() {
  pending_.clear();
  streaming_ = false;
  counting_ = true;
  used_largest_rowid_ = false;
  failed_ = false;
}

template <typename T>
void ChangeDigest::AddNumber(T number) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &number, sizeof(T));
  pending_.append(bytes, sizeof(T));
}

void ChangeDigest::AddBytes(std::string_view bytes) {
  AddNumber(static_cast<uint64_t>(bytes.size()));
  if (bytes.size() >= kPendingBytes) {
    Flush();
    XXH3_64bits_update(state_.get(), bytes.data(), bytes.size());
    return;
  }
  pending_.append(bytes);
  if (pending_.size() >= kPendingBytes) Flush();
}

void ChangeDigest::Flush() {
  if (!streaming_) XXH3_64bits_reset(state_.get());
  streaming_ = true;
  XXH3_64bits_update(state_.get(), pending_.data(), pending_.size());
  pending_.clear();
}

void ChangeDigest::AddText(std::string_view text) {
  pending_.push_back(kText);
  AddBytes(text);
}

uint64_t ChangeDigest::Finish() {
  if (!streaming_) return XXH3_64bits(pending_.data(), pending_.size());
  Flush();
  return XXH3_64bits_digest(state_.get());
}

void ChangeDigest::OnRowChange(const sqlite::RowChange& change) {
  if (!counting_) return;
  pending_.push_back(static_cast<char>(change.operation()));
  AddBytes(change.table());
  AddNumber(change.old_rowid());
  AddNumber(change.new_rowid());
  AddNumber(static_cast<int32_t>(change.column_count()));
  if (change.operation() != sqlite::RowOperation::kInsert) AddRow(change, true);
  if (change.operation() == sqlite::RowOperation::kDelete) return;
  AddRow(change, false);
  NoteLargestRowid(change);
}

void ChangeDigest::AddRow(const sqlite::RowChange& change, bool old_row) {
  pending_.push_back(old_row ? kOldRow : kNewRow);
  const int columns = change.column_count();
  for (int column = 0; column < columns; ++column) {
    sqlite::ValueView value;
    const int rc = old_row ? change.OldValue(column, &value) : change.NewValue(column, &value);
    if (rc == sqlite::kRange) return;  // VIRTUAL columns follow from the others
    if (rc != sqlite::kOk) failed_ = true;
    AddValue(value);
  }
}

void ChangeDigest::AddValue(const sqlite::ValueView& value) {
  pending_.push_back(static_cast<char>(value.type));
  switch (value.type) {
    case sqlite::ValueType::kInteger:
      AddNumber(value.integer);
      break;
    case sqlite::ValueType::kReal:
      AddNumber(value.real);
      break;
    case sqlite::ValueType::kText:
    case sqlite::ValueType::kBlob:
      AddBytes(value.bytes);
      break;
    case sqlite::ValueType::kNull:
      break;
  }
}

// A counter of AUTOINCREMENT is as bad: where it may not grow, the next insert fails with kFull,
// and that takes the transaction along. SQLite would convert other types, large ones to the
// largest.
void ChangeDigest::NoteLargestRowid(const sqlite::RowChange& change) {
  if (change.new_rowid() == kLargestRowid) used_largest_rowid_ = true;
  if (change.table() != "sqlite_sequence") return;
  sqlite::ValueView counter;
  if (change.NewValue(1, &counter) != sqlite::kOk) failed_ = true;
  const bool harmless =
      counter.type == sqlite::ValueType::kNull ||
      (counter.type == sqlite::ValueType::kInteger && counter.integer != kLargestRowid);
  if (!harmless) used_largest_rowid_ = true;
}

}  // namespace lockstep::participant
