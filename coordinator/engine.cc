#include "coordinator/engine.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/logging.h"
#include "common/rpc/convert.h"
#include "coordinator/answers.h"
#include "coordinator/endings.h"
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

Vote::Kind KindOf(v1::Vote vote) {
  if (vote == v1::VOTE_YES) return Vote::Kind::kYes;
  return vote == v1::VOTE_DEFER ? Vote::Kind::kDefer : Vote::Kind::kNo;
}

bool EndsFirstQuestion(const Event& event) {
  return std::holds_alternative<FenceAnswered>(event) ||
         std::holds_alternative<FenceFailed>(event) || std::holds_alternative<FenceRefused>(event);
}

}  // namespace

Engine::Engine(EngineOutside outside, EngineOptions options, Config config, StartState start)
    : outside_(std::move(outside)),
      options_(std::move(options)),
      term_(start.term),
      protocol_(std::move(config), std::move(start)),
      voting_(cluster().nodes().size()),
      state_reason_(cluster().nodes().size(), "not asked yet"),
      asked_(cluster().nodes().size(), false) {}

Engine::~Engine() = default;

void Engine::Handle(std::vector<Message>& messages) {
  now_ = ReadClock();
  for (Message& message : messages) Take(message);
  TickIfDue();
  Step();
  // A task may see, and show, only what is carried out.
  for (Task& task : tasks_) task(*this);
  tasks_.clear();
}

void Engine::Tick() {
  if (!started_) return;
  now_ = ReadClock();
  TickIfDue();
  Step();
}

void Engine::AbandonAll() {
  for (const std::unique_ptr<Transaction>& transaction : transactions_.RemoveAll()) {
    transaction->done(OutcomeUnknown(transaction->id));
  }
}

v1::Target Engine::TargetOf(ParticipantIndex participant) const {
  v1::Target target;
  target.set_cluster_id(cluster().id());
  target.set_node_id(cluster().node(participant).node_id);
  target.set_term(term_);
  return target;
}

bool Engine::all_asked() const {
  return std::find(asked_.begin(), asked_.end(), false) == asked_.end();
}

Now Engine::ReadClock() const {
  return {.monotonic = outside_.clock->MonotonicNow(), .wall = outside_.clock->WallNow()};
}

void Engine::Take(Message& message) {
  if (auto* transaction = std::get_if<std::unique_ptr<Transaction>>(&message)) {
    TakeTransaction(std::move(*transaction));
  } else if (auto* votes = std::get_if<std::unique_ptr<PrepareDone>>(&message)) {
    TakeVotes(**votes);
  } else if (auto* event = std::get_if<Event>(&message)) {
    if (EndsFirstQuestion(*event)) {
      std::visit(
          [this](const auto& any) {
            if constexpr (requires { any.participant; }) asked_[any.participant] = true;
          },
          *event);
    }
    events_.push_back(std::move(*event));
  } else if (auto* durable = std::get_if<DecisionsDurable>(&message)) {
    for (const RoundId round : durable->rounds) events_.push_back(DecisionDurable{round});
  } else if (auto* space = std::get_if<SpaceChanged>(&message)) {
    space_is_short_ = space->is_short;
    Log(LogLevel::kWarning, space_is_short_
                                ? "the decision log's disk is nearly full: no new transactions"
                                : "the decision log's disk has room again");
  } else if (std::holds_alternative<Begin>(message)) {
    started_ = true;
    last_tick_ = now_.monotonic;
    protocol_.Start(now_, &effects_);
  } else {
    tasks_.push_back(std::move(std::get<Task>(message)));
  }
}

void Engine::TakeTransaction(std::unique_ptr<Transaction> transaction) {
  if (space_is_short_) return Refuse(std::move(transaction), DiskFull());
  transaction->id = {term_, ++last_sequence_};
  transaction->response.set_transaction_id(ToString(transaction->id));
  Submit submit;
  submit.participants = transaction->participants;
  submit.bytes = transaction->bytes;
  submit.deadline = transaction->deadline;
  submit.transaction = transactions_.Add(std::move(transaction));
  events_.push_back(std::move(submit));
}

void Engine::Refuse(std::unique_ptr<Transaction> transaction, Error error) {
  transaction->done(std::move(error));
}

void Engine::TakeVotes(PrepareDone& done) {
  const ParticipantIndex participant = done.participant;
  if (done.answer.failed) {
    if (done.answer.failed->boot_id != 0) events_.push_back(HeardFrom(participant, done.answer));
    events_.push_back(PrepareFailed{participant, done.round, done.answer.failed->failure});
    return;
  }
  v1::PrepareResponse& response = done.answer.response;
  const Voting& voting = voting_[participant];
  const bool is_current = voting.round == done.round;
  if (is_current && static_cast<size_t>(response.votes_size()) != voting.branches.size()) {
    Log(LogLevel::kError, "a participant did not vote on every branch",
        {{"node_id", cluster().node(participant).node_id}, {"round", done.round.value()}});
    events_.push_back(PrepareFailed{participant, done.round, CallFailure::kRefused});
    return;
  }
  PrepareAnswered event;
  event.participant = participant;
  event.round = done.round;
  event.report = ReportOf(response.report());
  event.votes.reserve(static_cast<size_t>(response.votes_size()));
  for (int i = 0; i < response.votes_size(); ++i) {
    v1::BranchVote* vote = response.mutable_votes(i);
    event.votes.push_back({KindOf(vote->vote()), vote->digest()});
    event.execution_time += rpc::FromProto(vote->execution_time());
    if (is_current) KeepVote(done, voting.branches[static_cast<size_t>(i)], vote);
  }
  events_.push_back(std::move(event));
}

void Engine::KeepVote(const PrepareDone& done, TransactionHandle handle, v1::BranchVote* vote) {
  // It may be over: when another participant's vote was missing, nobody waited for this one.
  Transaction* transaction = transactions_.Find(handle);
  if (transaction == nullptr || transaction->round != done.round) return;
  const ClusterNode& node = cluster().node(done.participant);
  if (KindOf(vote->vote()) == Vote::Kind::kNo) {
    transaction->no_votes.push_back({done.participant, ErrorInVote(*vote)});
    return;
  }
  v1::ParticipantTiming* timing = transaction->response.add_participants();
  timing->set_node_id(node.node_id);
  rpc::ToProto(transaction->sent - transaction->arrived, timing->mutable_queue_time());
  timing->mutable_execution_time()->Swap(vote->mutable_execution_time());
  *timing->mutable_sync_time() = done.answer.response.sync_time();
  if (node.role != MemberRole::kMaster) return;
  for (v1::BranchResult& result : *vote->mutable_results()) {
    const auto place = static_cast<int>(result.operation());
    if (place >= transaction->response.results_size()) continue;
    transaction->response.mutable_results(place)->mutable_statements()->Swap(
        result.mutable_statements());
  }
}

void Engine::TickIfDue() {
  if (!started_ || now_.monotonic - last_tick_ < kTickInterval) return;
  last_tick_ = now_.monotonic;
  events_.push_back(lockstep::coordinator::Tick{});
}

void Engine::Step() {
  if (!events_.empty()) protocol_.StepAll(events_, now_, &effects_);
  events_.clear();
  for (Effect& effect : effects_) {
    std::visit([this](auto& any) { CarryOut(any); }, effect);
  }
  effects_.clear();
  encoded_.clear();
  if (!decisions_.empty()) outside_.decisions->Append(std::exchange(decisions_, {}));
  if (!later_.empty()) outside_.decisions->WriteLater(std::exchange(later_, {}));
}

template <typename Response, typename... Round>
OnAnswer<Response> Engine::ThenEvent(ParticipantIndex participant, Round... round) {
  return [post = &outside_.post, participant, round...](Answered<Response> answer) {
    if (answer.failed && answer.failed->boot_id != 0)
      (*post)(Event(HeardFrom(participant, answer)));
    (*post)(EventOf(participant, round..., answer));
  };
}

void Engine::CarryOut(SendPrepare& effect) {
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
  }
  decisions_.push_back(std::move(decision));
}

void Engine::CarryOut(SendCommit& effect) {
  v1::CommitRequest request;
  *request.mutable_target() = TargetOf(effect.participant);
  request.set_round(effect.round.value());
  if (effect.cut != kKeepAll) request.set_cut(effect.cut);
  link(effect.participant)
      .Commit(request, kCallTimeout,
              ThenEvent<v1::CommitResponse>(effect.participant, effect.round));
}

void Engine::CarryOut(SendRollback& effect) {
  v1::RollbackRequest request;
  *request.mutable_target() = TargetOf(effect.participant);
  request.set_round(effect.round.value());
  link(effect.participant)
      .Rollback(request, kCallTimeout,
                ThenEvent<v1::RollbackResponse>(effect.participant, effect.round));
}

void Engine::CarryOut(SendFence& effect) {
  const ClusterNode& node = cluster().node(effect.participant);
  v1::FenceRequest request;
  *request.mutable_target() = TargetOf(effect.participant);
  request.set_log_id(options_.log_id);
  request.set_database(node.database);
  request.set_role(node.role == MemberRole::kMaster ? v1::ROLE_MASTER : v1::ROLE_BACKUP);
  const Cluster::Database& database = cluster().database(cluster().database_of(effect.participant));
  request.set_replicas(static_cast<uint32_t>(database.replicas.size()));
  request.set_data_format(kDataFormat);
  link(effect.participant)
      .Fence(request, kCallTimeout, ThenEvent<v1::FenceResponse>(effect.participant));
}

void Engine::CarryOut(SendStatus& effect) {
  v1::StatusRequest request;
  *request.mutable_target() = TargetOf(effect.participant);
  link(effect.participant)
      .Status(request, kStatusTimeout, ThenEvent<v1::StatusResponse>(effect.participant));
}

void Engine::CarryOut(Complete& effect) {
  const std::unique_ptr<Transaction> transaction = transactions_.Remove(effect.transaction);
  LogIfSlow(effect, *transaction);
  if (effect.ending == Ending::kCommitted) {
    FinishResponse(effect, transaction.get());
    transaction->done(std::move(transaction->response));
  } else {
    const bool names_one = effect.reason == EndingReason::kParticipantUnavailable;
    transaction->done(ErrorOf(effect, transaction.get(), cluster(),
                              names_one ? state_reason_[effect.participant] : ""));
  }
}

void Engine::FinishResponse(const Complete& effect, Transaction* transaction) const {
  for (const DatabaseShare& share : transaction->shares) {
    (*transaction->response.mutable_versions())[cluster().database(share.database).name] =
        effect.round.value();
  }
  rpc::ToProto(now_.monotonic - transaction->decided,
               transaction->response.mutable_decision_time());
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
  outside_.on_fatal(effect.reason);
  LOCKSTEP_CHECK(false, "on_fatal came back");
}

void Engine::CarryOut(Idle&) { outside_.on_idle(); }

}  // namespace lockstep::coordinator
