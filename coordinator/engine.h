// Drives the protocol: turns messages into its events, and carries out its effects.
#ifndef LOCKSTEP_COORDINATOR_ENGINE_H_
#define LOCKSTEP_COORDINATOR_ENGINE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "coordinator/cluster.h"
#include "coordinator/decision_log.h"
#include "coordinator/endings.h"
#include "coordinator/log_clock.h"
#include "coordinator/participant_link.h"
#include "coordinator/protocol/protocol.h"
#include "coordinator/transaction.h"
#include "coordinator/transaction_table.h"

namespace lockstep::coordinator {

class Engine;

// The votes of one participant on one round, or why there are none.
struct PrepareDone {
  ParticipantIndex participant = 0;
  RoundId round;
  Answered<v1::PrepareResponse> answer;
};
struct DecisionsDurable {
  std::vector<RoundId> rounds;
};
struct SpaceChanged {
  bool is_short = false;
};
// The first message: fences the participants.
struct Begin {};
// What the log has of a request_id that it was asked for.
struct AnswerLookedUp {
  TransactionHandle transaction = 0;
  std::optional<StoredAnswer> answer;
};
// No new request_ids can be kept, or they can again.
struct AnswersChanged {
  bool are_full = false;
};
// Runs after what came in the same batch was handled.
using Task = absl::AnyInvocable<void(Engine&)>;

using Message = std::variant<std::unique_ptr<Transaction>, std::unique_ptr<PrepareDone>, Event,
                             DecisionsDurable, SpaceChanged, AnswerLookedUp, AnswersChanged,
                             ForgottenAnswers, Begin, Task>;

// Where the engine's decisions go; DecisionLogThread in production.
class DecisionSink {
 public:
  virtual ~DecisionSink() = default;
  // Answered by DecisionsDurable.
  virtual void Append(std::vector<Decision> decisions) = 0;
  virtual void WriteLater(LogBatch batch) = 0;
  // Looks for the answer of a committed request_id in these rounds, and has it kept for as long as
  // the request wants. Answered by AnswerLookedUp.
  virtual void FindAnswer(TransactionHandle transaction, const RequestTry& request,
                          const Rounds& rounds) = 0;
};

struct EngineOptions {
  std::string log_id;
  // Of this run, and of the earlier ones on this log, by term from 1 (R22).
  uint64_t boot_id = 0;
  std::vector<uint64_t> earlier_boot_ids;
  // Transactions that take longer are logged.
  absl::Duration slow_transaction = absl::InfiniteDuration();
  // Of the results of one transaction, as they are sent: clients refuse answers above 4 MiB.
  uint64_t max_result_bytes = uint64_t{3} << 20;
  // What the decision log refuses by, to be named to clients.
  uint64_t max_kept_answer_bytes = 0;
  uint64_t least_free_bytes = 0;
  RequestTableOptions requests = {};
};

// What the engine uses; all outlive it.
struct EngineOutside {
  const Cluster* cluster = nullptr;
  const Clock* clock = nullptr;
  const LogClock* log_clock = nullptr;
  ParticipantLinks* links = nullptr;
  DecisionSink* decisions = nullptr;
  // Runs a task that answers the calls of a batch; the engine does not wait for it.
  std::function<void(absl::AnyInvocable<void()>)> answer;
  // Puts a message into the mailbox that Handle is called from. Any thread.
  std::function<void(Message)> post;
  // After Shutdown: nothing is under way any more.
  std::function<void()> on_idle;
  // Must not return: nothing may be sent or answered after it (R13).
  std::function<void(const Fatal& fatal)> on_fatal;
};

// One thread uses it: that of the coordinator's actor.
class Engine {
 public:
  Engine(EngineOutside outside, EngineOptions options, Config config, StartState start,
         CommittedRequests committed);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Handles the messages, and time passing.
  void Handle(std::vector<Message>& messages);
  // Only time passing. Does nothing before Begin.
  void Tick();
  // Tells the clients that still wait that nothing is known. At the very end.
  void AbandonAll();

  // For tasks.
  const Cluster& cluster() const { return *outside_.cluster; }
  const Protocol& protocol() const { return protocol_; }
  ParticipantLink& link(ParticipantIndex participant) { return *(*outside_.links)[participant]; }
  v1::Target TargetOf(ParticipantIndex participant) const;
  Term term() const { return term_; }
  // Whether each participant has been heard of, or is known not to answer.
  bool all_asked() const;
  bool IsRunning(TransactionId id) const { return transactions_.Contains(id); }
  uint64_t last_sequence() const { return last_sequence_; }
  // How it stands with a request_id; see RequestTable::Ask.
  RequestTable::Standing AskForRequest(RequestTry* request, bool* has_room) {
    request->retention = requests_.RetentionOf(*request, RequestNow());
    return requests_.Ask(*request, has_room);
  }
  uint64_t remembered_attempts() const { return requests_.attempts(); }
  // Of the transaction that Standing::first names; none while an answer of it is looked up.
  TransactionId IdOf(TransactionHandle transaction) { return transactions_.at(transaction).id; }

 private:
  // The branches that a participant is voting on.
  struct Voting {
    RoundId round;
    std::vector<TransactionHandle> branches;
  };
  // A client's answer, to be given when all of the step's effects are carried out.
  struct Answer {
    OnExecuted done;
    std::shared_ptr<const Result<v1::ExecuteResponse>> result;
    void Give() { done(*result); }
  };
  // A database's branches of a round: its replicas get the same bytes.
  struct EncodedBranches {
    RoundId round;
    DatabaseIndex database;
    grpc::Slice slice;
  };

  Now ReadClock() const;
  absl::Time LogNow() const { return outside_.log_clock->At(now_.monotonic); }
  RequestTime RequestNow() const { return {.log = LogNow(), .wall = now_.wall}; }
  void Take(Message& message);
  void TakeTransaction(std::unique_ptr<Transaction> transaction);
  // Refuses what the decision log has no room for. What runs already, or is committed, has come to
  // its answer before this.
  void SubmitIfThereIsRoom(TransactionHandle handle);
  void Name(TransactionHandle handle);
  void Submit(TransactionHandle handle);
  void TakeVotes(PrepareDone& done);
  // False if the transaction cannot be answered with the results that came with the vote.
  bool KeepVote(const PrepareDone& done, TransactionHandle handle, v1::BranchVote* vote);
  void TickIfDue();
  void Step();
  void GiveAnswers();
  void Refuse(std::unique_ptr<Transaction> transaction, Error error);
  void End(std::unique_ptr<Transaction> transaction, Result<v1::ExecuteResponse> result,
           RoundId round);

  // engine_requests.cc: transactions that have a request_id.
  void Admit(TransactionHandle handle);
  void Join(TransactionHandle handle);
  void TakeAnswer(AnswerLookedUp& looked_up);
  void RunAfterLookUp(TransactionHandle handle);
  Error WhyNotAdmitted(const RequestTry& request, const RequestTable::Admission& admission) const;
  // Of one that was looked up, not found, and is not to run.
  void EndUnknown(TransactionHandle handle, const Error& error);
  void TellOfForgottenExpiry();
  void EndJoined(const std::vector<TransactionHandle>& joined, const Retention& kept,
                 const Result<v1::ExecuteResponse>& result);
  std::unique_ptr<Transaction> RemoveJoined(TransactionHandle handle);
  void EndJoinedOutOfTime();
  void KeepAnswer(Transaction* transaction, RoundId round, Decision* decision) const;

  void EncodeAndSend(const SendPrepare& effect);
  void Send(const SendCommit& effect);
  grpc::Slice BranchesOf(const SendPrepare& effect, DatabaseIndex database);
  std::string_view OperationsOf(const Transaction& transaction, DatabaseIndex database) const;

  // Each carries out one kind of effect.
  void CarryOut(SendPrepare& effect);
  void CarryOut(LogDecision& effect);
  void CarryOut(SendCommit& effect);
  void CarryOut(SendRollback& effect);
  void CarryOut(SendFence& effect);
  void CarryOut(SendStatus& effect);
  void CarryOut(Complete& effect);
  void CarryOut(ForgetDecision& effect);
  void CarryOut(RecordDurable& effect);
  void CarryOut(ParticipantStateChanged& effect);
  void CarryOut(Alarm& effect);
  void CarryOut(Fatal& effect);
  void CarryOut(Idle& effect);

  void FinishResponse(RoundId round, Transaction* transaction) const;
  void LogIfSlow(const Complete& effect, const Transaction& transaction) const;
  // Sends an answer of `participant` back into the mailbox, made an event.
  template <typename Response, typename... Round>
  OnAnswer<Response> ThenEvent(ParticipantIndex participant, Round... round);

  const EngineOutside outside_;
  const EngineOptions options_;
  const NamedLimits limits_;
  const Term term_;
  Protocol protocol_;
  TransactionTable transactions_;
  RequestTable requests_;
  bool answers_are_full_ = false;
  absl::Time told_expiry_ = absl::UnixEpoch();                     // of TellOfForgottenExpiry
  std::set<std::pair<absl::Duration, TransactionHandle>> joined_;  // by their deadlines
  uint64_t last_sequence_ = 0;
  std::vector<Voting> voting_;             // by participant
  std::vector<std::string> state_reason_;  // by participant
  std::vector<bool> asked_;                // by participant
  bool started_ = false;
  bool space_is_short_ = false;
  absl::Duration last_tick_ = absl::ZeroDuration();

  // Of the step at work; kept for their memory.
  Now now_;
  std::vector<Event> events_;
  std::vector<Effect> effects_;
  std::vector<Task> tasks_;
  std::vector<EncodedBranches> encoded_;
  std::vector<Decision> decisions_;
  std::vector<Answer> answers_;
  std::vector<SendCommit> commits_;
  LogBatch later_;
};

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_ENGINE_H_
