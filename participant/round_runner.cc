#include "participant/round_runner.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/logging.h"
#include "common/sqlite/connection.h"
#include "common/sqlite/error.h"

namespace lockstep::participant {
namespace {

size_t BytesOf(const Value& value) {
  constexpr size_t kNumber = 10;
  if (const auto* text = std::get_if<std::string>(&value)) return text->size() + kNumber;
  if (const auto* blob = std::get_if<Blob>(&value)) return blob->bytes.size() + kNumber;
  return kNumber;
}

size_t BytesOf(const BranchVote& vote) {
  size_t bytes = 64;
  for (const BranchResult& result : vote.results) {
    for (const StatementResult& statement : result.statements) {
      for (const Row& row : statement.rows) {
        for (const Value& value : row) bytes += BytesOf(value);
      }
    }
  }
  return bytes;
}

// What another attempt may find to be over.
bool RanOutOfResources(const BranchVote& vote) {
  if (vote.kind == VoteKind::kYes || !vote.error || !vote.error->sqlite_code) return false;
  const int code = *vote.error->sqlite_code;
  return code == sqlite::kFull || code == sqlite::kNoMemory ||
         vote.error->sqlite_extended_code == sqlite::kIoErrorNoMemory;
}

std::string Hex(uint64_t digest) { return absl::StrCat(absl::Hex(digest, absl::kZeroPad16)); }

std::string BrokenPromise(const Branch& branch, const std::string& what) {
  return absl::StrCat("transaction ", branch.transaction_id,
                      " was promised, and now that it runs again ", what, sqlite::kKeepACopy);
}

std::string WhyNot(const BranchVote& vote) { return vote.error ? vote.error->message : "deferred"; }

}  // namespace

absl::Status RoundRunner::Run(const std::vector<Branch>& branches, absl::Duration arrived,
                              RoundBody* body, std::vector<BranchVote>* votes) {
  branches_ = &branches;
  arrived_ = arrived;
  body_ = body;
  votes_ = votes;
  stopped_ = false;
  lost_transactions_ = 0;
  answer_bytes_ = 0;
  votes->clear();
  votes->resize(branches.size());
  if (absl::Status begun = store_.Begin(); !begun.ok()) return begun;
  for (size_t i = 0; i < branches.size() && !stopped_; ++i) RunBranch(i);
  bool any_yes = false;
  for (size_t i = 0; i < votes->size(); ++i) {
    const BranchVote& vote = (*votes)[i];
    any_yes = any_yes || vote.kind == VoteKind::kYes;
    body->SetVote(i, vote.kind, vote.digest);
  }
  if (any_yes) return absl::OkStatus();
  return store_.RollbackTransaction();
}

void RoundRunner::RunBranch(size_t index) {
  const Branch& branch = (*branches_)[index];
  BranchVote& vote = (*votes_)[index];
  if (!body_->fits(index)) {
    if (body_->too_large(index)) {
      vote.kind = VoteKind::kNo;
      vote.error = TooLarge(branch);
    } else {
      DeferFrom(index);
    }
    return;
  }
  ExecutedBranch executed = executor_.Execute(branch, ExecutionMode::kFirst, arrived_);
  vote = std::move(executed.vote);
  answer_bytes_ += BytesOf(vote);
  if (executed.transaction_lost) {
    LOCKSTEP_CHECK(vote.kind == VoteKind::kNo, "a branch that lost its transaction voted YES");
    ++lost_transactions_;
    if (!Restore(index)) {
      // What came after the first lost YES was judged with it in place, this branch too.
      const auto end = votes_->begin() + static_cast<std::ptrdiff_t>(index) + 1;
      const auto first_yes = std::find_if(
          votes_->begin(), end, [](const BranchVote& v) { return v.kind == VoteKind::kYes; });
      DeferFrom(static_cast<size_t>(first_yes - votes_->begin()));
    } else if (lost_transactions_ > 1) {
      DeferFrom(index + 1);
    }
  } else if (RoundIsFull()) {
    DeferFrom(index + 1);
  }
}

// Opens the transaction anew, with the YES branches before `until` in it. False: that failed, and
// none of them is in the transaction, if there is one.
bool RoundRunner::Restore(size_t until) {
  const auto give_up = [this](const std::string& why) {
    Log(LogLevel::kWarning, "a round could not be restored after SQLite gave its transaction up",
        {{"reason", why}});
    const absl::Status dropped = store_.RollbackTransaction();
    LOCKSTEP_CHECK(dropped.ok(), std::string(dropped.message()));
    return false;
  };
  if (absl::Status dropped = store_.RollbackTransaction(); !dropped.ok()) {
    return give_up(std::string(dropped.message()));
  }
  if (absl::Status begun = store_.Begin(); !begun.ok()) {
    return give_up(std::string(begun.message()));
  }
  for (size_t i = 0; i < until; ++i) {
    const BranchVote& vote = (*votes_)[i];
    if (vote.kind != VoteKind::kYes) continue;
    const ExecutedBranch again = executor_.Execute((*branches_)[i], ExecutionMode::kAgain);
    if (again.transaction_lost || again.vote.kind != VoteKind::kYes) {
      return give_up(WhyNot(again.vote));
    }
    if (again.vote.digest != vote.digest) return give_up("a branch changed other rows than before");
  }
  return true;
}

void RoundRunner::DeferFrom(size_t index) {
  for (size_t i = index; i < votes_->size(); ++i) {
    (*votes_)[i] = BranchVote();
    (*votes_)[i].kind = VoteKind::kDefer;
  }
  stopped_ = true;
}

bool RoundRunner::RoundIsFull() {
  return answer_bytes_ > limits_.answer_bytes || store_.writer().cache_used() > limits_.cache_bytes;
}

Error RoundRunner::TooLarge(const Branch& branch) const {
  Error error;
  error.reason = Reason::kLimitExceeded;
  error.message = absl::StrCat("the statements of one transaction at node ", name_.node_id,
                               " take more than the limit of ", limits_.record_bytes,
                               " bytes (round_bytes of the node)");
  error.outcome = FailureOutcome::kAborted;
  error.transaction_id = branch.transaction_id;
  return error;
}

absl::Status RoundRunner::RunAgain(const std::vector<RecordedBranch>& branches) {
  if (absl::Status begun = store_.Begin(); !begun.ok()) return begun;
  for (const RecordedBranch& recorded : branches) {
    const ExecutedBranch again = executor_.Execute(recorded.branch, ExecutionMode::kAgain);
    if (RanOutOfResources(again.vote)) {
      const absl::Status dropped = store_.RollbackTransaction();
      LOCKSTEP_CHECK(dropped.ok(), std::string(dropped.message()));
      return absl::ResourceExhaustedError(WhyNot(again.vote));
    }
    LOCKSTEP_CHECK(again.vote.kind == VoteKind::kYes,
                   BrokenPromise(recorded.branch, "it fails: " + WhyNot(again.vote)));
    LOCKSTEP_CHECK(
        again.vote.digest == recorded.digest,
        BrokenPromise(recorded.branch,
                      absl::StrCat("it changes other rows: the digest was ", Hex(recorded.digest),
                                   " and is ", Hex(again.vote.digest))));
  }
  return absl::OkStatus();
}

}  // namespace lockstep::participant
