// How the engine carries out each kind of effect.
#include <algorithm>
#include <utility>

#include "common/check.h"
#include "common/failpoint.h"
#include "common/logging.h"
#include "common/rpc/convert.h"
#include "coordinator/answers.h"
#include "coordinator/endings.h"
#include "coordinator/engine.h"
#include "coordinator/prepare_encoder.h"

namespace lockstep::coordinator {
namespace {

// One try of a delivery or a handshake; the protocol repeats it. As long as the silence that makes
// a participant UNREACHABLE, so that a busy one is not asked twice at once.
constexpr absl::Duration kCallTimeout = kSilenceLimit;
constexpr uint32_t kDataFormat = 1;

const char* StateName(ParticipantState state) {
  switch (state) {
    case ParticipantState::kReady:
      return "READY";
    case ParticipantState::kRecovering:
      return "RECOVERING";
    case ParticipantState::kUnreachable:
      return "UNREACHABLE";
    case ParticipantState::kRefused:
      return "REFUSED";
  }
  LOCKSTEP_CHECK(false, "a state without a name");
}

}  // namespace

template <typename Response, typename... Round>
OnAnswer<Response> Engine::ThenEvent(ParticipantIndex participant, Round... round) {
  return [post = &outside_.post, participant, round...](Answered<Response> answer) {
    if (answer.failed && answer.failed->boot_id != 0)
      (*post)(Event(HeardFrom(participant, answer)));
    (*post)(EventOf(participant, round..., answer));
  };
}

void Engine::CarryOut(SendPrepare& effect) {
  Failpoint("prepare_is_sent");
  const ParticipantIndex participant = effect.participant;
  Voting& voting = voting_[participant];
  voting.round = effect.round;
  voting.branches.clear();
  for (const PreparedBranch& branch : effect.branches) {
    voting.branches.push_back(branch.transaction);
    Transaction& transaction = transactions_.at(branch.transaction);
    if (transaction.round == effect.round) continue;
    // What an earlier round brought, that deferred it, is void.
    transaction.round = effect.round;
    transaction.sent = now_.monotonic;
    transaction.no_votes.clear();
    transaction.result_bytes = 0;
    transaction.response.clear_participants();
  }
  const ClusterNode& node = cluster().node(participant);
  const grpc::ByteBuffer request = EncodePrepare(
      {cluster().id(), node.node_id, term_}, effect.round, node.role == MemberRole::kMaster,
      BranchesOf(effect, cluster().database_of(participant)));
  link(participant)
      .Prepare(request, effect.vote_deadline - now_.monotonic,
               [post = &outside_.post, participant,
                round = effect.round](Answered<v1::PrepareResponse> answer) {
                 (*post)(std::make_unique<PrepareDone>(
                     PrepareDone{participant, round, std::move(answer)}));
               });
  Failpoint("prepare_was_sent");
}

grpc::Slice Engine::BranchesOf(const SendPrepare& effect, DatabaseIndex database) {
  for (const EncodedBranches& encoded : encoded_) {
    if (encoded.round == effect.round && encoded.database == database) return encoded.slice;
  }
  size_t bytes = 0;
  for (const PreparedBranch& branch : effect.branches) {
    bytes += 64 + OperationsOf(transactions_.at(branch.transaction), database).size();
  }
  BranchesEncoder encoder(bytes);
  for (const PreparedBranch& branch : effect.branches) {
    const Transaction& transaction = transactions_.at(branch.transaction);
    const absl::Duration time_left = transaction.deadline - now_.monotonic;
    encoder.Add(transaction.response.transaction_id(), branch.clock, branch.seed,
                std::max(time_left, absl::ZeroDuration()), OperationsOf(transaction, database));
  }
  encoded_.push_back({effect.round, database, std::move(encoder).Encode()});
  return encoded_.back().slice;
}

std::string_view Engine::OperationsOf(const Transaction& transaction,
                                      DatabaseIndex database) const {
  for (const DatabaseShare& share : transaction.shares) {
    if (share.database == database) return share.operations;
  }
  LOCKSTEP_CHECK(false, "a branch for a database that the transaction does not name");
}

void Engine::CarryOut(LogDecision& effect) {
  Decision decision;
  decision.round = effect.round;
  decision.kept = std::move(effect.kept);
  decision.decide_time = effect.decide_time;
  decision.latest_clock = effect.latest_clock;
  decision.log_time = LogNow();
  decision.transactions.reserve(effect.committed.size());
  for (const TransactionHandle handle : effect.committed) {
    Transaction& transaction = transactions_.at(handle);
    transaction.decided = now_.monotonic;
    DecidedTransaction decided;
    decided.sequence = transaction.id.sequence;
    for (const DatabaseShare& share : transaction.shares) {
      decided.databases.push_back(share.database);
    }
    decision.transactions.push_back(std::move(decided));
    KeepAnswer(&transaction, effect.round, &decision);
  }
  decisions_.push_back(std::move(decision));
}

void Engine::CarryOut(SendCommit& effect) { commits_.push_back(effect); }

void Engine::Send(const SendCommit& effect) {
  Failpoint("commit_is_sent");
  v1::CommitRequest request;
  *request.mutable_target() = TargetOf(effect.participant);
  request.set_round(effect.round.value());
  if (effect.cut != kKeepAll) request.set_cut(effect.cut);
  link(effect.participant)
      .Commit(request, kCallTimeout,
              ThenEvent<v1::CommitResponse>(effect.participant, effect.round));
  Failpoint("commit_was_sent");
}

void Engine::CarryOut(SendRollback& effect) {
  Failpoint("rollback_is_sent");
  v1::RollbackRequest request;
  *request.mutable_target() = TargetOf(effect.participant);
  request.set_round(effect.round.value());
  link(effect.participant)
      .Rollback(request, kCallTimeout,
                ThenEvent<v1::RollbackResponse>(effect.participant, effect.round));
}

void Engine::CarryOut(SendFence& effect) {
  Failpoint("fence_is_sent");
  const ClusterNode& node = cluster().node(effect.participant);
  v1::FenceRequest request;
  *request.mutable_target() = TargetOf(effect.participant);
  request.set_log_id(options_.log_id);
  request.set_database(node.database);
  request.set_role(node.role == MemberRole::kMaster ? v1::ROLE_MASTER : v1::ROLE_BACKUP);
  const Cluster::Database& database = cluster().database(cluster().database_of(effect.participant));
  request.set_replicas(static_cast<uint32_t>(database.replicas.size()));
  request.set_data_format(kDataFormat);
  request.set_boot_id(options_.boot_id);
  request.mutable_earlier_boot_ids()->Assign(options_.earlier_boot_ids.begin(),
                                             options_.earlier_boot_ids.end());
  link(effect.participant)
      .Fence(request, kCallTimeout, ThenEvent<v1::FenceResponse>(effect.participant));
}

void Engine::CarryOut(SendStatus& effect) {
  v1::StatusRequest request;
  *request.mutable_target() = TargetOf(effect.participant);
  link(effect.participant)
      .Status(request, kStatusTimeout, effect.waits,
              ThenEvent<v1::StatusResponse>(effect.participant));
}

void Engine::CarryOut(Complete& effect) {
  std::unique_ptr<Transaction> transaction = transactions_.Remove(effect.transaction);
  LogIfSlow(effect, *transaction);
  if (effect.ending == Ending::kCommitted) {
    // What has a request_id was finished with its decision.
    if (!transaction->request) FinishResponse(effect.round, transaction.get());
    rpc::ToProto(now_.monotonic - transaction->decided,
                 transaction->response.mutable_decision_time());
    v1::ExecuteResponse response = std::move(transaction->response);
    End(std::move(transaction), std::move(response), effect.round);
  } else {
    const bool names_one = effect.reason == EndingReason::kParticipantUnavailable;
    Error error = ErrorOf(effect, transaction.get(), cluster(), limits_,
                          names_one ? state_reason_[effect.participant] : "");
    End(std::move(transaction), std::move(error), RoundId());
  }
}

void Engine::FinishResponse(RoundId round, Transaction* transaction) const {
  for (const DatabaseShare& share : transaction->shares) {
    (*transaction->response.mutable_versions())[cluster().database(share.database).name] =
        round.value();
  }
  // They came in the order of the votes; the same transaction should look the same each time.
  auto& timings = *transaction->response.mutable_participants();
  std::sort(timings.pointer_begin(), timings.pointer_end(),
            [](const v1::ParticipantTiming* a, const v1::ParticipantTiming* b) {
              return a->node_id() < b->node_id();
            });
}

void Engine::LogIfSlow(const Complete& effect, const Transaction& transaction) const {
  const absl::Duration total = now_.monotonic - transaction.arrived;
  if (total <= options_.slow_transaction) return;
  SlowTransaction slow;
  slow.transaction_id = transaction.response.transaction_id();
  slow.round = effect.round.value();
  slow.total = total;
  if (!transaction.round.is_none()) {
    slow.stages.emplace_back("queue", transaction.sent - transaction.arrived);
  }
  if (effect.ending == Ending::kCommitted) {
    slow.stages.emplace_back("votes", transaction.decided - transaction.sent);
    slow.stages.emplace_back("decision", now_.monotonic - transaction.decided);
  }
  LogSlowTransaction(slow);
}

void Engine::CarryOut(ForgetDecision& effect) { later_.forget.push_back(effect.round); }

void Engine::CarryOut(RecordDurable& effect) {
  later_.durable_rounds.emplace_back(effect.participant, effect.durable);
}

void Engine::CarryOut(ParticipantStateChanged& effect) {
  state_reason_[effect.participant] = effect.reason;
  const bool is_fine = effect.state == ParticipantState::kReady;
  Log(is_fine ? LogLevel::kInfo : LogLevel::kWarning, "the state of a participant changed",
      {{"node_id", cluster().node(effect.participant).node_id},
       {"state", StateName(effect.state)},
       {"reason", effect.reason}});
}

void Engine::CarryOut(Alarm& effect) {
  Log(LogLevel::kCritical, effect.reason,
      {{"node_id", cluster().node(effect.participant).node_id}});
}

void Engine::CarryOut(Fatal& effect) {
  outside_.on_fatal(effect);
  LOCKSTEP_CHECK(false, "on_fatal came back");
}

void Engine::CarryOut(Idle&) { outside_.on_idle(); }

}  // namespace lockstep::coordinator
