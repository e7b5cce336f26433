// How the engine treats transactions that have a request_id (rules R18, R19).
#include <algorithm>
#include <utility>

#include "common/check.h"
#include "common/logging.h"
#include "coordinator/endings.h"
#include "coordinator/engine.h"
#include "coordinator/request_try.h"

namespace lockstep::coordinator {
namespace {

// What the answers of the tries that joined one may take together, on their way to the clients.
constexpr uint64_t kMostJoinedAnswerBytes = uint64_t{64} << 20;

Error WhyExpired(const RequestTry& request, const Now& now) {
  return request.expires <= now.wall ? RequestExpired(request.id) : ExpiryForgotten(request.id);
}

}  // namespace

void Engine::Admit(TransactionHandle handle) {
  const RequestTry& request = *transactions_.at(handle).request;
  const RequestTable::Admission admission = requests_.Admit(request, handle, RequestNow());
  switch (admission.verdict) {
    case RequestTable::Verdict::kRun:
      return SubmitIfThereIsRoom(handle);
    case RequestTable::Verdict::kLookUp:
      return outside_.decisions->FindAnswer(handle, request, admission.rounds);
    case RequestTable::Verdict::kJoin:
      return Join(handle);
    case RequestTable::Verdict::kReused:
    case RequestTable::Verdict::kOutdated:
    case RequestTable::Verdict::kNoRoom:
    case RequestTable::Verdict::kExpired:
      return Refuse(transactions_.Remove(handle), WhyNotAdmitted(request, admission));
  }
}

Error Engine::WhyNotAdmitted(const RequestTry& request,
                             const RequestTable::Admission& admission) const {
  switch (admission.verdict) {
    case RequestTable::Verdict::kReused:
      return RequestIdReused(request.id);
    case RequestTable::Verdict::kOutdated:
      return AttemptOutdated(request, admission.seen_attempt);
    case RequestTable::Verdict::kNoRoom:
      return TooManyAttempts(requests_.attempts());
    case RequestTable::Verdict::kExpired:
      return WhyExpired(request, now_);
    case RequestTable::Verdict::kRun:
    case RequestTable::Verdict::kLookUp:
    case RequestTable::Verdict::kJoin:
      break;
  }
  LOCKSTEP_CHECK(false, "a try that is admitted has no refusal");
}

// Waits for End of the one that it joined. It runs nothing itself, and no cap counts it; it has the
// other one's name, once that one has any.
void Engine::Join(TransactionHandle handle) {
  Transaction& transaction = transactions_.at(handle);
  transaction.shares.clear();
  transactions_.Rename(handle, IdOf(requests_.FirstOf(transaction.request->id)));
  joined_.emplace(transaction.deadline, handle);
}

void Engine::TakeAnswer(AnswerLookedUp& looked_up) {
  const TransactionHandle handle = looked_up.transaction;
  if (!looked_up.answer) return RunAfterLookUp(handle);
  const StoredAnswer& stored = *looked_up.answer;
  std::unique_ptr<Transaction> transaction = transactions_.Remove(handle);
  transaction->answer_retention = stored.retention;
  transaction->answer_retention.Extend(transaction->request->retention);
  if (stored.body != transaction->request->body) {
    Error error = RequestIdReused(stored.request_id);
    return End(std::move(transaction), std::move(error), stored.round);
  }
  v1::ExecuteResponse response;
  LOCKSTEP_CHECK(response.ParseFromString(stored.answer), "a stored answer cannot be read");
  response.set_deduplicated(true);
  End(std::move(transaction), std::move(response), stored.round);
}

// The log has no answer of this id.
void Engine::RunAfterLookUp(TransactionHandle handle) {
  const Transaction& transaction = transactions_.at(handle);
  if (transaction.shares.empty()) {
    // It joined one that was committed, and whose answer is gone already.
    return EndUnknown(handle, StillUnknown(transaction.id));
  }
  const RequestTable::Admission admission =
      requests_.AdmitUnknown(*transaction.request, RequestNow());
  if (admission.verdict != RequestTable::Verdict::kRun) {
    return EndUnknown(handle, WhyNotAdmitted(*transaction.request, admission));
  }
  SubmitIfThereIsRoom(handle);
}

void Engine::EndUnknown(TransactionHandle handle, const Error& error) {
  std::unique_ptr<Transaction> transaction = transactions_.Remove(handle);
  // What this one is refused for need not hold for those that joined it.
  EndJoined(requests_.EndUnknown(*transaction->request), transaction->answer_retention,
            StillUnknown(transaction->id));
  Refuse(std::move(transaction), error);
}

// Once each time: nothing else would say why good expire_times are refused.
void Engine::TellOfForgottenExpiry() {
  const absl::Time expiry = requests_.forgotten_expiry();
  if (expiry <= told_expiry_ || expiry <= now_.wall + kExpirySlack) return;
  told_expiry_ = expiry;
  Log(LogLevel::kWarning,
      "a clock was ahead when an expire_time was accepted that is forgotten now: those up to it "
      "are refused until time gets there",
      {{"expire_time", absl::FormatTime(absl::RFC3339_sec, expiry, absl::UTCTimeZone())}});
}

std::unique_ptr<Transaction> Engine::RemoveJoined(TransactionHandle handle) {
  joined_.erase({transactions_.at(handle).deadline, handle});
  return transactions_.Remove(handle);
}

void Engine::EndJoined(const std::vector<TransactionHandle>& joined, const Retention& kept,
                       const Result<v1::ExecuteResponse>& result) {
  if (joined.empty()) return;
  auto same = std::make_shared<Result<v1::ExecuteResponse>>(result);
  uint64_t bytes = 0;
  if (same->ok()) {
    (*same)->set_deduplicated(true);
    bytes = (*same)->ByteSizeLong();
  }
  uint64_t given = 0;
  for (const TransactionHandle handle : joined) {
    if (same->ok() && !kept.Covers(transactions_.at(handle).request->retention)) {
      // It wants the answer kept for longer than the log was told: to be told, and durably.
      joined_.erase({transactions_.at(handle).deadline, handle});
      transactions_.Rename(handle, TransactionId());
      Admit(handle);
      continue;
    }
    std::unique_ptr<Transaction> transaction = RemoveJoined(handle);
    given += bytes;
    if (given > kMostJoinedAnswerBytes) {
      Error error = StillUnknown(transaction->id);
      Refuse(std::move(transaction), std::move(error));
    } else {
      answers_.push_back({std::move(transaction->done), same});
    }
  }
}

void Engine::EndJoinedOutOfTime() {
  while (!joined_.empty() && joined_.begin()->first <= now_.monotonic) {
    const TransactionHandle handle = joined_.begin()->second;
    std::unique_ptr<Transaction> transaction = RemoveJoined(handle);
    requests_.Leave(transaction->request->id, handle);
    Error error = StillUnknown(transaction->id);
    Refuse(std::move(transaction), std::move(error));
  }
}

void Engine::KeepAnswer(Transaction* transaction, RoundId round, Decision* decision) const {
  if (!transaction->request) return;
  FinishResponse(round, transaction);
  StoredAnswer answer;
  answer.request_id = transaction->request->id;
  answer.key = transaction->request->key;
  answer.body = transaction->request->body;
  answer.retention = requests_.RetentionOfAnswer(answer.request_id, RequestNow());
  transaction->answer_retention = answer.retention;
  answer.round = round;
  answer.answer = transaction->response.SerializeAsString();
  decision->answers.push_back(std::move(answer));
}

}  // namespace lockstep::coordinator
