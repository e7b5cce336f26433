// How the engine treats transactions that have a request_id (rules R18, R19).
#include <utility>

#include "common/check.h"
#include "coordinator/endings.h"
#include "coordinator/engine.h"

namespace lockstep::coordinator {

void Engine::Admit(TransactionHandle handle) {
  const RequestTry& request = *transactions_.at(handle).request;
  const RequestTable::Admission admission = requests_.Admit(request, handle);
  switch (admission.verdict) {
    case RequestTable::Verdict::kRun:
      return SubmitIfAnswersFit(handle);
    case RequestTable::Verdict::kLookUp:
      return outside_.decisions->FindAnswer(handle, request, admission.rounds);
    case RequestTable::Verdict::kJoin:
      // Waits for End of the one that it joined. It runs nothing itself, and no cap counts it.
      return transactions_.at(handle).shares.clear();
    case RequestTable::Verdict::kReused:
      return Refuse(transactions_.Remove(handle), RequestIdReused(request.id));
    case RequestTable::Verdict::kOutdated:
      return Refuse(transactions_.Remove(handle), AttemptOutdated(request, admission.seen_attempt));
    case RequestTable::Verdict::kNoRoom:
      return Refuse(transactions_.Remove(handle), TooManyAttempts(requests_.attempts()));
  }
  LOCKSTEP_CHECK(false, "a verdict that there is not");
}

// An id whose answer could not be kept must not be committed.
void Engine::SubmitIfAnswersFit(TransactionHandle handle) {
  if (!answers_are_full_) return Submit(handle);
  End(transactions_.Remove(handle), AnswersFull(limits_), RoundId());
}

void Engine::TakeAnswer(AnswerLookedUp& looked_up) {
  if (!looked_up.answer) return SubmitIfAnswersFit(looked_up.transaction);
  const StoredAnswer& stored = *looked_up.answer;
  std::unique_ptr<Transaction> transaction = transactions_.Remove(looked_up.transaction);
  if (stored.body != transaction->request->body) {
    Error error = RequestIdReused(stored.request_id);
    return End(std::move(transaction), std::move(error), stored.round);
  }
  v1::ExecuteResponse response;
  LOCKSTEP_CHECK(response.ParseFromString(stored.answer), "a stored answer cannot be read");
  response.set_deduplicated(true);
  End(std::move(transaction), std::move(response), stored.round);
}

void Engine::End(std::unique_ptr<Transaction> transaction, Result<v1::ExecuteResponse> result,
                 RoundId round) {
  if (transaction->request) {
    for (const TransactionHandle handle : requests_.End(*transaction->request, round)) {
      Result<v1::ExecuteResponse> same = result;
      if (same.ok()) same->set_deduplicated(true);
      answers_.push_back({std::move(transactions_.Remove(handle)->done), std::move(same)});
    }
  }
  answers_.push_back({std::move(transaction->done), std::move(result)});
}

void Engine::KeepAnswer(Transaction* transaction, RoundId round, Decision* decision) const {
  if (!transaction->request) return;
  FinishResponse(round, transaction);
  StoredAnswer answer;
  answer.request_id = transaction->request->id;
  answer.key = transaction->request->key;
  answer.body = transaction->request->body;
  answer.keep_until = transaction->request->keep_until;
  answer.round = round;
  answer.answer = transaction->response.SerializeAsString();
  decision->answers.push_back(std::move(answer));
}

}  // namespace lockstep::coordinator
