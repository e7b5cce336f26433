#include "coordinator/answer_table.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "coordinator/answer_record.h"
#include "coordinator/decision_keys.h"
#include "coordinator/sqlite_rows.h"

namespace lockstep::coordinator {
namespace {

// `keys` stands before `body`, and has a checksum of its own: a start reads it without the rest.
// keep_until and expires are those of Retention, of the whole round, in nanoseconds.
constexpr char kAnswerSchema[] = R"(
CREATE TABLE IF NOT EXISTS answer(
  round INTEGER PRIMARY KEY, keep_until INTEGER NOT NULL, expires INTEGER NOT NULL,
  keys_checksum INTEGER NOT NULL, checksum INTEGER NOT NULL, keys BLOB NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS answer_by_time ON answer(keep_until);
)";

// Of a row, beside its blobs.
constexpr uint64_t kRowBytes = 64;

std::string PackKeys(const std::vector<StoredAnswer>& answers) {
  std::string packed;
  packed.reserve(answers.size() * sizeof(RequestKey));
  for (const StoredAnswer& answer : answers) {
    for (int shift = 56; shift >= 0; shift -= 8) {
      packed.push_back(static_cast<char>(answer.key >> shift));
    }
  }
  return packed;
}

absl::StatusOr<std::vector<RequestKey>> UnpackKeys(RoundId round, const std::string& packed,
                                                   int64_t checksum) {
  if (absl::Status status = CheckBody(round, packed, checksum); !status.ok()) return status;
  std::vector<RequestKey> keys(packed.size() / sizeof(RequestKey));
  for (size_t i = 0; i < keys.size() * sizeof(RequestKey); ++i) {
    RequestKey& key = keys[i / sizeof(RequestKey)];
    key = key << 8 | static_cast<unsigned char>(packed[i]);
  }
  return keys;
}

}  // namespace

struct AnswerTable::Statements {
  sqlite::Statement insert;
  sqlite::Statement read_all;
  sqlite::Statement find;
  sqlite::Statement extend;
  sqlite::Statement expired;
  sqlite::Statement size;
  sqlite::Statement drop;
};

absl::Status AnswerTable::Create(sqlite::Connection* connection) {
  return connection->Exec(kAnswerSchema);
}

absl::StatusOr<std::unique_ptr<AnswerTable>> AnswerTable::Open(sqlite::Connection* connection) {
  auto statements = std::make_unique<Statements>();
  const std::pair<sqlite::Statement*, const char*> all[] = {
      {&statements->insert, "INSERT INTO answer VALUES(?, ?, ?, ?, ?, ?, ?)"},
      {&statements->read_all, "SELECT round, keys_checksum, keys, length(body) FROM answer"},
      {&statements->find, "SELECT checksum, body, keep_until, expires FROM answer WHERE round = ?"},
      {&statements->extend,
       "UPDATE answer SET keep_until = max(keep_until, ?), expires = max(expires, ?) "
       "WHERE round = ?"},
      {&statements->expired,
       "SELECT round, keys_checksum, keys, expires FROM answer WHERE keep_until < ? LIMIT ?"},
      {&statements->size, "SELECT length(keys) + length(body) FROM answer WHERE round = ?"},
      {&statements->drop, "DELETE FROM answer WHERE round = ?"},
  };
  for (const auto& [statement, sql] : all) {
    absl::StatusOr<sqlite::Statement> prepared = connection->Prepare(sql);
    if (!prepared.ok()) return prepared.status();
    *statement = *std::move(prepared);
  }
  return std::unique_ptr<AnswerTable>(new AnswerTable(std::move(statements)));
}

AnswerTable::AnswerTable(std::unique_ptr<Statements> statements)
    : statements_(std::move(statements)) {}

AnswerTable::~AnswerTable() = default;

absl::StatusOr<uint64_t> AnswerTable::Insert(RoundId round,
                                             const std::vector<StoredAnswer>& answers) {
  if (answers.empty()) return uint64_t{0};
  Retention retention;
  for (const StoredAnswer& answer : answers) retention.Extend(answer.retention);
  const std::string keys = PackKeys(answers);
  const std::string body = EncodeAnswers(answers);
  const uint64_t bytes = keys.size() + body.size() + kRowBytes;
  absl::Status status =
      RunWith(statements_->insert, round.value(), absl::ToUnixNanos(retention.keep_until),
              absl::ToUnixNanos(retention.expires), ChecksumOf(round, keys),
              ChecksumOf(round, body), Blob{keys}, Blob{body});
  if (!status.ok()) return status;
  bytes_ += bytes;
  return bytes;
}

absl::StatusOr<RequestIndex> AnswerTable::ReadAll() {
  RequestIndex index;
  bytes_ = 0;
  sqlite::Statement& rows = statements_->read_all;
  const absl::Status status = ForEachRow(rows, [&] {
    const RoundId round = Round(rows, 0);
    const std::string packed = Text(rows, 2);
    absl::StatusOr<std::vector<RequestKey>> keys = UnpackKeys(round, packed, rows.ColumnInt(1));
    if (!keys.ok()) return keys.status();
    for (const RequestKey key : *keys) index.Add(key, round);
    bytes_ += packed.size() + static_cast<uint64_t>(rows.ColumnInt(3)) + kRowBytes;
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return index;
}

absl::StatusOr<std::optional<StoredAnswer>> AnswerTable::Find(const std::string& request_id,
                                                              const Rounds& rounds) {
  std::optional<StoredAnswer> found;
  sqlite::Statement& find = statements_->find;
  for (const RoundId round : rounds) {
    LOCKSTEP_CHECK(find.Bind(1, Value(round.value())) == sqlite::kOk, "bind of a round");
    const absl::Status status = ForEachRow(find, [&] {
      const std::string body = Text(find, 1);
      absl::Status check = CheckBody(round, body, find.ColumnInt(0));
      if (!check.ok()) return check;
      absl::StatusOr<std::optional<StoredAnswer>> answer = FindAnswerIn(round, body, request_id);
      if (!answer.ok()) return answer.status();
      if (*answer) {
        found = *std::move(answer);
        found->retention = {.keep_until = absl::FromUnixNanos(find.ColumnInt(2)),
                            .expires = absl::FromUnixNanos(find.ColumnInt(3))};
      }
      return absl::OkStatus();
    });
    if (!status.ok()) return status;
    if (found) break;
  }
  return found;
}

absl::Status AnswerTable::Extend(RoundId round, const Retention& retention) {
  return RunWith(statements_->extend, absl::ToUnixNanos(retention.keep_until),
                 absl::ToUnixNanos(retention.expires), round.value());
}

absl::StatusOr<std::vector<ForgottenAnswers>> AnswerTable::Expired(absl::Time now, int limit) {
  std::vector<ForgottenAnswers> rounds;
  sqlite::Statement& expired = statements_->expired;
  LOCKSTEP_CHECK(expired.Bind(1, Value(absl::ToUnixNanos(now))) == sqlite::kOk &&
                     expired.Bind(2, Value(int64_t{limit})) == sqlite::kOk,
                 "bind of a time");
  const absl::Status status = ForEachRow(expired, [&] {
    const RoundId round = Round(expired, 0);
    absl::StatusOr<std::vector<RequestKey>> keys =
        UnpackKeys(round, Text(expired, 2), expired.ColumnInt(1));
    if (!keys.ok()) return keys.status();
    rounds.push_back({round, *std::move(keys), absl::FromUnixNanos(expired.ColumnInt(3))});
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return rounds;
}

absl::Status AnswerTable::Drop(RoundId round) {
  sqlite::Statement& size = statements_->size;
  LOCKSTEP_CHECK(size.Bind(1, Value(round.value())) == sqlite::kOk, "bind of a round");
  uint64_t bytes = 0;
  const absl::Status status = ForEachRow(size, [&] {
    bytes = static_cast<uint64_t>(size.ColumnInt(0)) + kRowBytes;
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  bytes_ -= std::min(bytes_, bytes);
  return RunWith(statements_->drop, round.value());
}

}  // namespace lockstep::coordinator
