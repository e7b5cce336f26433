#include "coordinator/engine.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/failpoint.h"
#include "common/logging.h"
#include "common/rpc/convert.h"
#include "coordinator/answers.h"
#include "coordinator/endings.h"

namespace lockstep::coordinator {
namespace {

Vote::Kind KindOf(v1::Vote vote) {
  if (vote == v1::VOTE_YES) return Vote::Kind::kYes;
  return vote == v1::VOTE_DEFER ? Vote::Kind::kDefer : Vote::Kind::kNo;
}

// A client or two are answered at once, before the Commits: one thread less on a lone client's way.
// For more the Commits go first, since the clients of the next round wait for those.
constexpr size_t kFewAnswers = 2;

bool EndsFirstQuestion(const Event& event) {
  return std::holds_alternative<FenceAnswered>(event) ||
         std::holds_alternative<FenceFailed>(event) || std::holds_alternative<FenceRefused>(event);
}

}  // namespace

Engine::Engine(EngineOutside outside, EngineOptions options, Config config, StartState start,
               CommittedRequests committed)
    : outside_(std::move(outside)),
      options_(std::move(options)),
      limits_{.result_bytes = options_.max_result_bytes,
              .queue_transactions = config.queue_caps.transactions,
              .queue_bytes = config.queue_caps.bytes,
              .kept_answer_bytes = options_.max_kept_answer_bytes,
              .least_free_bytes = options_.least_free_bytes},
      term_(start.term),
      protocol_(std::move(config), std::move(start)),
      requests_(std::move(committed), options_.requests),
      voting_(cluster().nodes().size()),
      state_reason_(cluster().nodes().size(), "not asked yet"),
      asked_(cluster().nodes().size(), false),
      now_(ReadClock()) {}

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
    Failpoint("decision_is_known_durable");
    for (const RoundId round : durable->rounds) events_.push_back(DecisionDurable{round});
  } else if (auto* space = std::get_if<SpaceChanged>(&message)) {
    space_is_short_ = space->is_short;
    Log(LogLevel::kWarning, space_is_short_
                                ? "the decision log's disk is nearly full: no new transactions"
                                : "the decision log's disk has room again");
  } else if (auto* looked_up = std::get_if<AnswerLookedUp>(&message)) {
    TakeAnswer(*looked_up);
  } else if (auto* answers = std::get_if<AnswersChanged>(&message)) {
    answers_are_full_ = answers->are_full;
    Log(LogLevel::kWarning, answers_are_full_
                                ? "no more answers of request_ids can be kept: no new request_ids"
                                : "there is room for request_ids again");
  } else if (auto* forgotten = std::get_if<ForgottenAnswers>(&message)) {
    requests_.Forget(forgotten->round, forgotten->keys, forgotten->expires);
    TellOfForgottenExpiry();
  } else if (std::holds_alternative<Begin>(message)) {
    started_ = true;
    last_tick_ = now_.monotonic;
    protocol_.Start(now_, &effects_);
    TellOfForgottenExpiry();
  } else {
    tasks_.push_back(std::move(std::get<Task>(message)));
  }
}

void Engine::TakeTransaction(std::unique_ptr<Transaction> transaction) {
  const bool has_request = transaction->request.has_value();
  if (has_request) {
    RequestTry& request = *transaction->request;
    request.retention = requests_.RetentionOf(request, RequestNow());
  }
  const TransactionHandle handle = transactions_.Add(std::move(transaction));
  has_request ? Admit(handle) : SubmitIfThereIsRoom(handle);
}

void Engine::SubmitIfThereIsRoom(TransactionHandle handle) {
  const bool keeps_answer = transactions_.at(handle).request.has_value();
  if (space_is_short_) return End(transactions_.Remove(handle), DiskFull(limits_), RoundId());
  if (keeps_answer && answers_are_full_) {
    return End(transactions_.Remove(handle), AnswersFull(limits_), RoundId());
  }
  Name(handle);
  Submit(handle);
}

// Not before it runs: of a name without a record GetTransaction says ABORTED, and while an answer
// is being looked up its request may have been committed long ago, under another name.
void Engine::Name(TransactionHandle handle) {
  const TransactionId id = {term_, ++last_sequence_};
  transactions_.Rename(handle, id);
  Transaction& transaction = transactions_.at(handle);
  transaction.response.set_transaction_id(ToString(id));
  if (!transaction.request) return;
  for (const TransactionHandle joined : requests_.JoinedTo(transaction.request->id)) {
    transactions_.Rename(joined, id);
  }
}

void Engine::Submit(TransactionHandle handle) {
  const Transaction& transaction = transactions_.at(handle);
  lockstep::coordinator::Submit submit;
  submit.participants = transaction.participants;
  submit.bytes = transaction.bytes;
  submit.deadline = transaction.deadline;
  submit.transaction = handle;
  events_.push_back(std::move(submit));
}

void Engine::Refuse(std::unique_ptr<Transaction> transaction, Error error) {
  answers_.push_back({std::move(transaction->done),
                      std::make_shared<const Result<v1::ExecuteResponse>>(std::move(error))});
}

void Engine::End(std::unique_ptr<Transaction> transaction, Result<v1::ExecuteResponse> result,
                 RoundId round) {
  if (const std::optional<RequestTry>& request = transaction->request) {
    EndJoined(requests_.End(*request, round), transaction->answer_retention, result);
  }
  answers_.push_back({std::move(transaction->done),
                      std::make_shared<const Result<v1::ExecuteResponse>>(std::move(result))});
}

void Engine::TakeVotes(PrepareDone& done) {
  Failpoint("votes_arrived");
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
    Vote& seen = event.votes.emplace_back(Vote{KindOf(vote->vote()), vote->digest()});
    event.execution_time += rpc::FromProto(vote->execution_time());
    if (is_current) {
      seen.vetoed = !KeepVote(done, voting.branches[static_cast<size_t>(i)], vote);
    }
  }
  events_.push_back(std::move(event));
}

bool Engine::KeepVote(const PrepareDone& done, TransactionHandle handle, v1::BranchVote* vote) {
  // It may be over: when another participant's vote was missing, nobody waited for this one.
  Transaction* transaction = transactions_.Find(handle);
  if (transaction == nullptr || transaction->round != done.round) return true;
  const ClusterNode& node = cluster().node(done.participant);
  if (KindOf(vote->vote()) == Vote::Kind::kNo) {
    transaction->no_votes.push_back({done.participant, ErrorInVote(*vote)});
    return true;
  }
  v1::ParticipantTiming* timing = transaction->response.add_participants();
  timing->set_node_id(node.node_id);
  rpc::ToProto(transaction->sent - transaction->arrived, timing->mutable_queue_time());
  timing->mutable_execution_time()->Swap(vote->mutable_execution_time());
  *timing->mutable_sync_time() = done.answer.response.sync_time();
  if (node.role != MemberRole::kMaster) return true;
  for (v1::BranchResult& result : *vote->mutable_results()) {
    const auto place = static_cast<int>(result.operation());
    if (place >= transaction->response.results_size()) continue;
    transaction->result_bytes += result.ByteSizeLong();
    transaction->response.mutable_results(place)->mutable_statements()->Swap(
        result.mutable_statements());
  }
  return transaction->result_bytes <= options_.max_result_bytes;
}

void Engine::TickIfDue() {
  if (!started_ || now_.monotonic - last_tick_ < kTickInterval) return;
  last_tick_ = now_.monotonic;
  requests_.Expire(RequestNow());
  EndJoinedOutOfTime();
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
  if (!decisions_.empty()) {
    Failpoint("decided");
    outside_.decisions->Append(std::exchange(decisions_, {}));
  }
  if (answers_.size() <= kFewAnswers) {
    for (Answer& answer : answers_) answer.Give();
    answers_.clear();
  }
  for (const SendCommit& commit : commits_) Send(commit);
  commits_.clear();
  if (!later_.empty()) outside_.decisions->WriteLater(std::exchange(later_, {}));
  GiveAnswers();
}

void Engine::GiveAnswers() {
  if (answers_.empty()) return;
  Failpoint("clients_are_answered");
  outside_.answer([answers = std::exchange(answers_, {})]() mutable {
    for (Answer& answer : answers) answer.Give();
  });
}

}  // namespace lockstep::coordinator
