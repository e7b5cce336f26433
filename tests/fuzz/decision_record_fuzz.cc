// What the decision log reads back from its rows: decision records and stored answers.
#include <fuzzer/FuzzedDataProvider.h>
#include <google/protobuf/stubs/logging.h>

#include <string>
#include <utility>
#include <vector>

#include "common/check.h"
#include "coordinator/answer_record.h"
#include "coordinator/decision_record.h"

namespace lockstep::coordinator {
namespace {

const std::vector<Member>& Members() {
  static const std::vector<Member> members = {{"bank-1", "bank", MemberRole::kMaster},
                                              {"bank-2", "bank", MemberRole::kBackup},
                                              {"stock-1", "stock", MemberRole::kMaster}};
  return members;
}

RoundId DrawRound(FuzzedDataProvider* data) {
  return RoundId::Make(data->ConsumeIntegralInRange<Term>(1, RoundId::kMaxTerm),
                       data->ConsumeIntegralInRange<uint64_t>(1, 1 << 20));
}

absl::Time DrawTime(FuzzedDataProvider* data) {
  return absl::FromUnixNanos(data->ConsumeIntegralInRange<int64_t>(0, INT64_MAX));
}

// Any bytes: all readers agree on whether they are a record, and every refusal is DATA_LOSS.
void ReadAnyBytes(FuzzedDataProvider* data) {
  const RoundId round = DrawRound(data);
  const TransactionId id{1, data->ConsumeIntegralInRange<uint64_t>(1, 16)};
  const std::string body = data->ConsumeRemainingBytesAsString();
  const MemberNames names(Members());
  const auto kept = DecodeKept(round, body, names);
  const auto keepers = DecodeKeepers(round, body);
  const auto clock = DecodeLatestClock(round, body);
  const auto ids = DecodeTransactions(round, body);
  const auto found = FindTransaction(round, body, id);
  for (const absl::Status& status :
       {kept.status(), keepers.status(), clock.status(), ids.status(), found.status()}) {
    LOCKSTEP_CHECK(status.ok() || absl::IsDataLoss(status), status.ToString());
  }
  LOCKSTEP_CHECK(keepers.ok() == clock.ok(), "one reader finds a record, another does not");
  LOCKSTEP_CHECK(!kept.ok() || (keepers.ok() && kept->kept.size() == keepers->size()),
                 "the participants that keep a branch");
  FindAnswerIn(round, body, "request").status().IgnoreError();
}

Decision DrawDecision(FuzzedDataProvider* data) {
  Decision decision;
  decision.round = DrawRound(data);
  for (ParticipantIndex participant = 0; participant < Members().size(); ++participant) {
    if (!data->ConsumeBool()) continue;
    decision.kept.push_back(
        {participant, data->ConsumeBool() ? kKeepAll : data->ConsumeIntegral<uint32_t>()});
  }
  const int transactions = data->ConsumeIntegralInRange(0, 20);
  for (int i = 1; i <= transactions; ++i) {
    DecidedTransaction transaction{static_cast<uint64_t>(i), {}};
    for (DatabaseIndex database = 0; database < 2; ++database) {
      if (data->ConsumeBool()) transaction.databases.push_back(database);
    }
    decision.transactions.push_back(std::move(transaction));
  }
  decision.decide_time = DrawTime(data);
  decision.latest_clock = DrawTime(data);
  return decision;
}

// A decision comes back as it was written.
void WriteAndRead(FuzzedDataProvider* data) {
  const MemberNames names(Members());
  const Decision decision = DrawDecision(data);
  const std::string body = EncodeDecision(decision, names);
  const auto kept = DecodeKept(decision.round, body, names);
  LOCKSTEP_CHECK(kept.ok() && kept->kept == decision.kept, "who keeps what");
  LOCKSTEP_CHECK(*DecodeLatestClock(decision.round, body) == decision.latest_clock, "the clock");
  const auto ids = DecodeTransactions(decision.round, body);
  LOCKSTEP_CHECK(ids.ok() && ids->size() == decision.transactions.size(), "the transactions");
  for (const DecidedTransaction& transaction : decision.transactions) {
    const TransactionId id{decision.round.term(), transaction.sequence};
    const auto found = FindTransaction(decision.round, body, id);
    LOCKSTEP_CHECK(found.ok() && found->has_value(), "a transaction is missing");
    LOCKSTEP_CHECK((*found)->decide_time == decision.decide_time, "the time");
    LOCKSTEP_CHECK((*found)->databases.size() == transaction.databases.size(), "the databases");
  }
  const auto missing = FindTransaction(decision.round, body, {decision.round.term(), 1 << 20});
  LOCKSTEP_CHECK(missing.ok() && !missing->has_value(), "a transaction too many");
}

void WriteAndReadAnswers(FuzzedDataProvider* data) {
  const RoundId round = DrawRound(data);
  std::vector<StoredAnswer> answers;
  for (int i = data->ConsumeIntegralInRange(0, 4); i > 0; --i) {
    StoredAnswer answer;
    answer.request_id = "request-" + std::to_string(i);
    answer.body = {data->ConsumeIntegral<uint64_t>(), data->ConsumeIntegral<uint64_t>()};
    answer.answer = data->ConsumeRandomLengthString();
    answers.push_back(std::move(answer));
  }
  const std::string body = EncodeAnswers(answers);
  for (const StoredAnswer& answer : answers) {
    const auto found = FindAnswerIn(round, body, answer.request_id);
    LOCKSTEP_CHECK(found.ok() && found->has_value() && (*found)->answer == answer.answer &&
                       (*found)->body == answer.body,
                   "an answer changes");
  }
  const auto missing = FindAnswerIn(round, body, "another");
  LOCKSTEP_CHECK(missing.ok() && !missing->has_value(), "an answer too many");
}

}  // namespace
}  // namespace lockstep::coordinator

// What is wrong with a message is for the log of a server, not for that of millions of tries.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  google::protobuf::SetLogHandler(nullptr);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size == 0) return 0;
  FuzzedDataProvider data(bytes + 1, size - 1);
  switch (bytes[0] % 3) {
    case 0:
      lockstep::coordinator::ReadAnyBytes(&data);
      break;
    case 1:
      lockstep::coordinator::WriteAndRead(&data);
      break;
    default:
      lockstep::coordinator::WriteAndReadAnswers(&data);
      break;
  }
  return 0;
}
