#include "coordinator/coordinator.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "common/check.h"
#include "common/logging.h"
#include "coordinator/endings.h"

namespace lockstep::coordinator {
namespace {

// What participants and the log answer is bounded by what they were asked; it must never be lost.
constexpr size_t kReservedPlaces = size_t{1} << 40;

Config ConfigOf(const Cluster& cluster, const CoordinatorOptions& options) {
  Config config;
  for (ParticipantIndex i = 0; i < cluster.nodes().size(); ++i) {
    const ClusterNode& node = cluster.node(i);
    config.participants.push_back({.name = node.node_id,
                                   .database = cluster.database_of(i),
                                   .is_master = node.role == MemberRole::kMaster});
  }
  config.round_caps = options.round_caps;
  config.queue_caps = options.queue_caps;
  return config;
}

StartState StartStateOf(Term term, RecoveredState recovered, uint64_t random_seed) {
  StartState start;
  start.term = term;
  for (const RoundId durable : recovered.durable_rounds) {
    // A decision is forgotten only when it is durable everywhere, so this is where those end that
    // the log does not have any more.
    start.participants.push_back({.durable = durable, .last_kept = durable});
  }
  for (const KeptDecision& decision : recovered.open) {
    for (const KeptBranches& kept : decision.kept) {
      RoundId& last = start.participants[kept.participant].last_kept;
      last = std::max(last, decision.round);
    }
  }
  start.kept = std::move(recovered.open);
  start.clock_floor = recovered.clock_floor;
  start.random_seed = random_seed;
  return start;
}

[[noreturn]] void EndProcess(const std::string& reason) {
  Log(LogLevel::kCritical, "the coordinator ends itself", {{"reason", reason}});
  std::_Exit(EXIT_FAILURE);
}

}  // namespace

// Hands decisions to the log's thread, which is made after the engine.
class Coordinator::Sink final : public DecisionSink {
 public:
  explicit Sink(Coordinator* coordinator) : coordinator_(coordinator) {}
  void Connect(DecisionLogThread* log) { log_ = log; }
  void Append(std::vector<Decision> decisions) override { log_->Append(std::move(decisions)); }
  void WriteLater(LogBatch batch) override { log_->WriteLater(std::move(batch)); }
  void FindAnswer(TransactionHandle transaction, const RequestTry& request,
                  const Rounds& rounds) override {
    log_->FindAnswer(request.id, rounds, request.keep_until,
                     [this, transaction](absl::StatusOr<std::optional<StoredAnswer>> found) {
                       // An error is never taken for "not found" (R16): it ends the process.
                       LOCKSTEP_CHECK(found.ok(), std::string(found.status().message()));
                       coordinator_->Post(AnswerLookedUp{transaction, *std::move(found)});
                     });
  }

 private:
  Coordinator* const coordinator_;
  DecisionLogThread* log_ = nullptr;
};

absl::StatusOr<std::unique_ptr<Coordinator>> Coordinator::Make(const Cluster* cluster,
                                                               const Clock* clock,
                                                               ParticipantLinks links,
                                                               std::unique_ptr<DecisionLog> log,
                                                               CoordinatorOptions options) {
  // In this order (R1, R16): a record that an older term could still add would be missed.
  absl::StatusOr<Term> term = log->NewTerm();
  if (!term.ok()) return term.status();
  absl::StatusOr<RecoveredState> recovered = log->Recover();
  if (!recovered.ok()) return recovered.status();
  Log(LogLevel::kInfo, "the decision log is read",
      {{"term", *term},
       {"log_id", log->log_id()},
       {"open_decisions", recovered->open.size()},
       {"request_ids", recovered->requests.size()}});
  RequestIndex requests = std::move(recovered->requests);
  StartState start = StartStateOf(*term, *std::move(recovered), options.random_seed);
  return std::unique_ptr<Coordinator>(new Coordinator(cluster, clock, std::move(links),
                                                      std::move(log), options, std::move(start),
                                                      std::move(requests)));
}

Coordinator::Coordinator(const Cluster* cluster, const Clock* clock, ParticipantLinks links,
                         std::unique_ptr<DecisionLog> log, const CoordinatorOptions& options,
                         StartState start, RequestIndex requests)
    : cluster_(cluster),
      clock_(clock),
      term_(start.term),
      start_time_(clock->WallNow()),
      log_id_(log->log_id()),
      links_(std::move(links)),
      sink_(std::make_unique<Sink>(this)) {
  EngineOutside outside;
  outside.cluster = cluster_;
  outside.clock = clock_;
  outside.links = &links_;
  outside.decisions = sink_.get();
  outside.answer = options.answer;
  outside.post = [this](Message message) { Post(std::move(message)); };
  outside.on_idle = [this] { OnIdle(); };
  outside.on_fatal = [](const std::string& reason) { EndProcess(reason); };
  EngineOptions engine_options{.log_id = log->log_id(),
                               .slow_transaction = options.slow_transaction};
  engine_ =
      std::make_unique<Engine>(std::move(outside), std::move(engine_options),
                               ConfigOf(*cluster_, options), std::move(start), std::move(requests));
  actor_ = std::make_unique<Actor<Message>>(
      "coordinator", options.mailbox_capacity, kReservedPlaces,
      [this](std::vector<Message>& batch) { engine_->Handle(batch); }, kTickInterval,
      [this] { engine_->Tick(); });
  DecisionLogListener listener;
  listener.on_durable = [this](std::vector<RoundId> rounds) {
    Post(DecisionsDurable{std::move(rounds)});
  };
  listener.on_space = [this](bool is_short) { Post(SpaceChanged{is_short}); };
  listener.on_answers = [this](bool are_full) { Post(AnswersChanged{are_full}); };
  listener.on_forgotten = [this](ForgottenAnswers forgotten) { Post(std::move(forgotten)); };
  log_ =
      std::make_unique<DecisionLogThread>(std::move(log), clock_, options.log, std::move(listener));
  sink_->Connect(log_.get());
}

Coordinator::~Coordinator() { Shutdown(absl::ZeroDuration()); }

void Coordinator::Start() { Post(Begin{}); }

void Coordinator::WaitUntilAllAsked(absl::Duration timeout) {
  struct Answer {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<bool> all_asked;
  };
  const absl::Duration deadline = clock_->MonotonicNow() + timeout;
  while (clock_->MonotonicNow() < deadline) {
    // Shared with the task, which may run after this gave up.
    auto answer = std::make_shared<Answer>();
    Post(Task([answer](Engine& engine) {
      std::lock_guard lock(answer->mutex);
      answer->all_asked = engine.all_asked();
      answer->changed.notify_one();
    }));
    std::unique_lock lock(answer->mutex);
    answer->changed.wait(lock, [&] { return answer->all_asked.has_value(); });
    if (*answer->all_asked) return;
    answer->changed.wait_for(lock, absl::ToChronoMilliseconds(kTickInterval));
  }
}

void Coordinator::Execute(std::unique_ptr<Transaction> transaction) {
  Message message(std::move(transaction));
  if (actor_->Push(std::move(message))) return;
  auto& refused = std::get<std::unique_ptr<Transaction>>(message);
  refused->done(actor_->stopped() ? ShuttingDown() : QueueFull(actor_->size()));
}

bool Coordinator::Run(Task task) { return actor_->Push(Message(std::move(task))); }

void Coordinator::FindOutcome(TransactionId id,
                              absl::AnyInvocable<void(absl::StatusOr<LoggedOutcome>)> answer) {
  log_->FindOutcome(id, std::move(answer));
}

void Coordinator::FindAnswer(
    const RequestTry& request, Rounds rounds,
    absl::AnyInvocable<void(absl::StatusOr<std::optional<StoredAnswer>>)> answer) {
  log_->FindAnswer(request.id, std::move(rounds), absl::UnixEpoch(), std::move(answer));
}

void Coordinator::Post(Message message) {
  // Refused only after Shutdown, when nobody needs it any more.
  (void)actor_->Push(std::move(message), Place::kReserved);
}

void Coordinator::OnIdle() {
  std::lock_guard lock(mutex_);
  idle_ = true;
  idle_changed_.notify_one();
}

void Coordinator::Refuse() { Post(Event(lockstep::coordinator::Shutdown{})); }

void Coordinator::Shutdown(absl::Duration grace) {
  if (actor_->stopped()) return;
  {
    std::unique_lock lock(mutex_);
    idle_changed_.wait_for(lock, absl::ToChronoMilliseconds(grace), [this] { return idle_; });
  }
  for (const std::unique_ptr<ParticipantLink>& link : links_) link->CancelAll();
  actor_->Stop();
  log_->Stop();
  engine_->AbandonAll();
}

}  // namespace lockstep::coordinator
