#include "coordinator/decision_record.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "lockstep/v1/record.pb.h"

namespace lockstep::coordinator {
namespace {

constexpr int64_t kNanosPerSecond = 1'000'000'000;

void SetTime(absl::Time time, google::protobuf::Timestamp* proto) {
  const int64_t nanos = absl::ToUnixNanos(time);
  LOCKSTEP_CHECK(nanos >= 0, "an instant before 1970 in a decision");
  proto->set_seconds(nanos / kNanosPerSecond);
  proto->set_nanos(static_cast<int32_t>(nanos % kNanosPerSecond));
}

absl::Time GetTime(const google::protobuf::Timestamp& proto) {
  return absl::FromUnixSeconds(proto.seconds()) + absl::Nanoseconds(proto.nanos());
}

absl::Status Broken(RoundId round, const std::string& why) {
  return absl::DataLossError(
      absl::StrCat("the decision record of round ", round.value(), " cannot be used: ", why));
}

absl::StatusOr<v1::DecisionRecord> Parse(RoundId round, const std::string& body) {
  v1::DecisionRecord record;
  if (!record.ParseFromString(body)) return Broken(round, "it is not a record");
  return record;
}

// Adds a database to the record when a transaction first names it.
class DatabaseTable {
 public:
  DatabaseTable(const MemberNames& names, v1::DecisionRecord* record)
      : names_(names), record_(record), places_(names.databases().size(), -1) {}

  uint32_t PlaceOf(DatabaseIndex database) {
    LOCKSTEP_CHECK(database < places_.size(), "a decision about a database that is not there");
    int& place = places_[database];
    if (place < 0) {
      place = record_->databases_size();
      record_->add_databases(names_.databases()[database]);
    }
    return static_cast<uint32_t>(place);
  }

 private:
  const MemberNames& names_;
  v1::DecisionRecord* record_;
  std::vector<int> places_;
};

}  // namespace

MemberNames::MemberNames(const std::vector<Member>& members) {
  for (const Member& member : members) {
    node_numbers_.emplace(member.node_id, static_cast<ParticipantIndex>(nodes_.size()));
    nodes_.push_back(member.node_id);
    if (std::find(databases_.begin(), databases_.end(), member.database) == databases_.end()) {
      databases_.push_back(member.database);
    }
  }
}

std::optional<ParticipantIndex> MemberNames::FindNode(const std::string& node_id) const {
  const auto found = node_numbers_.find(node_id);
  if (found == node_numbers_.end()) return std::nullopt;
  return found->second;
}

std::string EncodeDecision(const Decision& decision, const MemberNames& names) {
  google::protobuf::Arena arena;
  auto* record = google::protobuf::Arena::CreateMessage<v1::DecisionRecord>(&arena);
  for (const KeptBranches& part : decision.kept) {
    LOCKSTEP_CHECK(part.participant < names.nodes().size(), "a decision about an unknown member");
    v1::KeptBranches* kept = record->add_kept();
    kept->set_node_id(names.nodes()[part.participant]);
    if (part.cut != kKeepAll) kept->set_cut(part.cut);
  }
  DatabaseTable databases(names, record);
  record->mutable_transactions()->Reserve(static_cast<int>(decision.transactions.size()));
  for (const DecidedTransaction& decided : decision.transactions) {
    v1::CommittedTransaction* transaction = record->add_transactions();
    transaction->set_transaction_id(ToString({decision.round.term(), decided.sequence}));
    for (const DatabaseIndex database : decided.databases) {
      transaction->add_databases(databases.PlaceOf(database));
    }
  }
  SetTime(decision.decide_time, record->mutable_decide_time());
  SetTime(decision.latest_clock, record->mutable_latest_clock());
  return record->SerializeAsString();
}

absl::StatusOr<KeptDecision> DecodeKept(RoundId round, const std::string& body,
                                        const MemberNames& names) {
  absl::StatusOr<v1::DecisionRecord> record = Parse(round, body);
  if (!record.ok()) return record.status();
  KeptDecision decision;
  decision.round = round;
  for (const v1::KeptBranches& kept : record->kept()) {
    const std::optional<ParticipantIndex> participant = names.FindNode(kept.node_id());
    if (!participant) {
      return Broken(round, absl::StrCat("no node ", kept.node_id(), " in the cluster"));
    }
    decision.kept.push_back({*participant, kept.has_cut() ? kept.cut() : kKeepAll});
  }
  return decision;
}

absl::StatusOr<std::vector<std::string>> DecodeKeepers(RoundId round, const std::string& body) {
  absl::StatusOr<v1::DecisionRecord> record = Parse(round, body);
  if (!record.ok()) return record.status();
  std::vector<std::string> node_ids;
  for (const v1::KeptBranches& kept : record->kept()) node_ids.push_back(kept.node_id());
  return node_ids;
}

absl::StatusOr<absl::Time> DecodeLatestClock(RoundId round, const std::string& body) {
  absl::StatusOr<v1::DecisionRecord> record = Parse(round, body);
  if (!record.ok()) return record.status();
  return GetTime(record->latest_clock());
}

absl::StatusOr<std::vector<TransactionId>> DecodeTransactions(RoundId round,
                                                              const std::string& body) {
  absl::StatusOr<v1::DecisionRecord> record = Parse(round, body);
  if (!record.ok()) return record.status();
  std::vector<TransactionId> ids;
  for (const v1::CommittedTransaction& transaction : record->transactions()) {
    const std::optional<TransactionId> id = ParseTransactionId(transaction.transaction_id());
    if (!id) return Broken(round, "it names a transaction that cannot be one");
    ids.push_back(*id);
  }
  return ids;
}

absl::StatusOr<std::optional<RecordedOutcome>> FindTransaction(RoundId round,
                                                               const std::string& body,
                                                               TransactionId id) {
  absl::StatusOr<v1::DecisionRecord> record = Parse(round, body);
  if (!record.ok()) return record.status();
  const std::string name = ToString(id);
  for (const v1::CommittedTransaction& transaction : record->transactions()) {
    if (transaction.transaction_id() != name) continue;
    RecordedOutcome outcome;
    outcome.decide_time = GetTime(record->decide_time());
    for (const uint32_t database : transaction.databases()) {
      if (database >= static_cast<uint32_t>(record->databases_size())) {
        return Broken(round, "it names a database that it does not list");
      }
      outcome.databases.push_back(record->databases(static_cast<int>(database)));
    }
    return std::optional<RecordedOutcome>(std::move(outcome));
  }
  return std::optional<RecordedOutcome>();
}

}  // namespace lockstep::coordinator
