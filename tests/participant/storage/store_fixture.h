// A store on real files in a directory of its own, and short words for what tests do with it.
#ifndef LOCKSTEP_TESTS_PARTICIPANT_STORAGE_STORE_FIXTURE_H_
#define LOCKSTEP_TESTS_PARTICIPANT_STORAGE_STORE_FIXTURE_H_

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

#include "absl/time/time.h"
#include "common/sqlite/connection.h"
#include "participant/storage/prepare_store.h"

// An expression of type absl::Status.
#define LOCKSTEP_ASSERT_OK(expression)                  \
  do {                                                  \
    const absl::Status status_to_test = (expression);   \
    ASSERT_TRUE(status_to_test.ok()) << status_to_test; \
  } while (false)

namespace lockstep::participant {

inline absl::Time At(int seconds) { return absl::FromUnixSeconds(seconds); }

// The first column of the first row; -1 for no row, -2 for an error.
inline int64_t Number(sqlite::Connection& connection, const std::string& sql) {
  absl::StatusOr<sqlite::Statement> statement = connection.Prepare(sql);
  if (!statement.ok()) return -2;
  switch (statement->Step()) {
    case sqlite::StepResult::kRow:
      return statement->ColumnInt(0);
    case sqlite::StepResult::kDone:
      return -1;
    case sqlite::StepResult::kFailed:
      break;
  }
  return -2;
}

class StoreFixture : public testing::Test {
 protected:
  StoreFixture() {
    std::string pattern = testing::TempDir() + "/lockstep-store-XXXXXX";
    EXPECT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    options_.directory = directory_ + "/volume";
    options_.cluster_id = "test";
    options_.node_id = "bank-1";
    options_.database = "bank";
    options_.redo_capacity = 1 << 16;
  }
  ~StoreFixture() override {
    store_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  absl::Status Open() {
    store_.reset();
    absl::StatusOr<std::unique_ptr<PrepareStore>> opened = PrepareStore::Open(options_);
    if (opened.ok()) store_ = *std::move(opened);
    return opened.status();
  }
  // Opens, sets term 1 and makes table t(k INTEGER PRIMARY KEY, v).
  void OpenWithTable() {
    LOCKSTEP_ASSERT_OK(Open());
    LOCKSTEP_ASSERT_OK(store_->PersistTerm(1, 0));
    LOCKSTEP_ASSERT_OK(Local("CREATE TABLE t (k INTEGER PRIMARY KEY, v)"));
  }

  static RoundId Round(uint64_t number, Term term = 1) { return RoundId::Make(term, number); }

  absl::Status Prepare(RoundId round, const std::string& sql, const std::string& body = "body") {
    if (absl::Status status = store_->Begin(); !status.ok()) return status;
    if (absl::Status status = store_->writer().Exec(sql); !status.ok()) return status;
    return store_->Prepare(round, At(1), body);
  }
  absl::Status Local(const std::string& sql) {
    if (absl::Status status = store_->Begin(); !status.ok()) return status;
    if (absl::Status status = store_->writer().Exec(sql); !status.ok()) return status;
    return store_->CommitLocal(At(1));
  }
  absl::Status Commit(RoundId round, const std::string& sql) {
    if (absl::Status status = Prepare(round, sql); !status.ok()) return status;
    return store_->Commit();
  }
  absl::Status RollBack(RoundId round) {
    if (absl::Status status = store_->PersistTombstone(round); !status.ok()) return status;
    return store_->Forget();
  }
  // What a new reader sees.
  int64_t Seen(const std::string& sql = "SELECT count(*) FROM t") {
    absl::StatusOr<std::unique_ptr<sqlite::Connection>> reader = store_->OpenReader();
    return reader.ok() ? Number(**reader, sql) : -3;
  }

  std::string FileOf(const std::string& name) const {
    std::stringstream bytes;
    bytes << std::ifstream(options_.directory + "/" + name, std::ios::binary).rdbuf();
    return bytes.str();
  }
  void Overwrite(const std::string& name, size_t at, std::string_view bytes) const {
    std::fstream file(options_.directory + "/" + name,
                      std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(at));
    file << bytes;
  }

  std::string directory_;
  StoreOptions options_;
  std::unique_ptr<PrepareStore> store_;
};

}  // namespace lockstep::participant

#endif  // LOCKSTEP_TESTS_PARTICIPANT_STORAGE_STORE_FIXTURE_H_
