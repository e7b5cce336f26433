#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/sqlite/error.h"
#include "participant/storage/prepare_store.h"

namespace lockstep::participant {
namespace {

// A node on a full disk has to start, for it may hold a round in doubt. What is proven does not
// depend on the disk, and this file system is in memory.
constexpr char kInMemory[] = "/dev/shm";

// Prepare, hidden, commit, visible, roll back, restart: on a scratch volume, against the SQLite
// that is linked here. A new version of it may write its WAL otherwise than PREPARE needs.
class MechanismTest {
 public:
  MechanismTest(const std::string& directory, const StoreFaults& faults) {
    options_.directory = directory;
    options_.faults = faults;
    options_.cluster_id = options_.node_id = options_.database = "self-test";
    options_.redo_capacity = 64;
    // What is proven does not depend on it, and start-ups should not wait for the disk.
    options_.scratch = true;
  }

  absl::Status Run() {
    absl::Status status = Start();
    if (status.ok()) status = CheckCommit();
    if (status.ok()) status = CheckRollback();
    if (status.ok()) status = CheckInDoubt(/*commit=*/true);
    if (status.ok()) status = CheckInDoubt(/*commit=*/false);
    store_.reset();
    return status;
  }

 private:
  absl::Status Start() {
    store_.reset();
    absl::StatusOr<std::unique_ptr<PrepareStore>> store = PrepareStore::Open(options_);
    if (!store.ok()) return store.status();
    store_ = *std::move(store);
    if (store_->term() > 0) return absl::OkStatus();
    if (absl::Status status = store_->PersistTerm(1, /*coordinator=*/1); !status.ok())
      return status;
    if (absl::Status status = store_->Begin(); !status.ok()) return status;
    if (absl::Status status = store_->writer().Exec("CREATE TABLE t (x)"); !status.ok()) {
      return status;
    }
    return store_->CommitLocal(absl::UnixEpoch());
  }

  absl::Status PrepareRound() {
    round_ = RoundId::Make(1, ++number_);
    if (absl::Status status = store_->Begin(); !status.ok()) return status;
    if (absl::Status status = store_->writer().Exec("INSERT INTO t VALUES (1)"); !status.ok()) {
      return status;
    }
    if (absl::Status status = store_->Prepare(round_, absl::UnixEpoch(), "body"); !status.ok()) {
      return status;
    }
    return ExpectRows("after PREPARE");
  }

  absl::Status CheckCommit() {
    if (absl::Status status = PrepareRound(); !status.ok()) return status;
    if (absl::Status status = store_->Commit(); !status.ok()) return status;
    ++expected_rows_;
    return ExpectRows("after COMMIT");
  }

  absl::Status CheckRollback() {
    if (absl::Status status = PrepareRound(); !status.ok()) return status;
    if (absl::Status status = EndHeldRound(); !status.ok()) return status;
    return ExpectRows("after ROLLBACK");
  }

  absl::Status CheckInDoubt(bool commit) {
    if (absl::Status status = PrepareRound(); !status.ok()) return status;
    if (absl::Status status = Start(); !status.ok()) return status;
    if (!store_->held() || store_->held()->round != round_ || !store_->held()->has_record ||
        store_->held()->record != "body") {
      return Failure("a prepared round was not found after a restart");
    }
    if (absl::Status status = ExpectRows("in doubt"); !status.ok()) return status;
    if (absl::Status status = commit ? store_->CommitInDoubt() : EndHeldRound(); !status.ok()) {
      return status;
    }
    if (commit) ++expected_rows_;
    return ExpectRows("after a restart");
  }

  absl::Status EndHeldRound() {
    if (absl::Status status = store_->PersistTombstone(round_); !status.ok()) return status;
    return store_->Forget();
  }

  absl::Status ExpectRows(const std::string& when) {
    absl::StatusOr<std::unique_ptr<sqlite::Connection>> reader = store_->OpenReader();
    if (!reader.ok()) return reader.status();
    absl::StatusOr<sqlite::Statement> count = (*reader)->Prepare("SELECT count(*) FROM t");
    if (!count.ok()) return count.status();
    if (count->Step() != sqlite::StepResult::kRow) return count->error().ToStatus();
    if (count->ColumnInt(0) == expected_rows_) return absl::OkStatus();
    return Failure(absl::StrCat(count->ColumnInt(0), " rows ", when, ", not ", expected_rows_));
  }

  static absl::Status Failure(const std::string& what) {
    return absl::InternalError(
        absl::StrCat("native PREPARE does not work with this SQLite: ", what));
  }

  StoreOptions options_;
  std::unique_ptr<PrepareStore> store_;
  RoundId round_;
  uint64_t number_ = 0;
  int64_t expected_rows_ = 0;
};

absl::Status RunIn(const std::string& scratch, const StoreFaults& faults) {
  std::error_code error;
  std::filesystem::remove_all(scratch, error);
  const absl::Status status = MechanismTest(scratch, faults).Run();
  std::filesystem::remove_all(scratch, error);
  return status;
}

bool IsFull(const absl::Status& status) {
  const std::optional<sqlite::SqliteError> sqlite = sqlite::SqliteError::FromStatus(status);
  return absl::IsResourceExhausted(status) || (sqlite && sqlite->code == sqlite::kFull);
}

}  // namespace

absl::Status SelfTest(const std::string& directory, const StoreFaults& faults) {
  absl::Status status = RunIn(directory + "/self-test", faults);
  if (!IsFull(status)) return status;
  std::string elsewhere = absl::StrCat(kInMemory, "/lockstep-self-test-XXXXXX");
  if (mkdtemp(elsewhere.data()) == nullptr) return status;
  return RunIn(elsewhere, faults);
}

}  // namespace lockstep::participant
